"""Squares: the two innermost loops of a nest, where rows of memory become lanes.

So many steps are done for so many lanes at a time: what lies along the steps is read as whole rows,
turned over in registers and kept close by, a vector for each step; stores are the same backwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.transpose import transposed
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import Index, Variable
from chainrule.compiler.nests.nest import Store
from chainrule.compiler.nests.squares import SIDE, Squares
from chainrule.compiler.nests.term import Term

_BYTES = SIDE * SIDE * 8  # of a square, at most


def scratch_bytes(squares: Squares | None) -> int:
    """Return room for the squares of a nest, whatever the target."""
    return 0 if squares is None else _BYTES * (len(squares.loads) + len(squares.stores))


class Squared:
    """Writes the loops; `writer` is that of the nest."""

    def __init__(self, writer: Any, squares: Squares, scratch: ir.Value) -> None:
        self.writer, self.code, self.along = writer, writer.code, squares.along
        self.vector, self.side = writer.nest.vector, writer.width
        both = [*squares.loads, *squares.stores]
        self._at = {each: self.code.at(scratch, i * _BYTES, "uint8") for i, each in enumerate(both)}
        self._loads, self._stores = squares.loads, squares.stores
        self._start, self._stop = constant(0), constant(self.along.extent)
        self._step: ir.Value | None = None  # of the square that is being computed

    def has_all(self, variables: Sequence[Variable]) -> bool:
        """Tell whether no other loops are left."""
        return all(each is self.along or each is self.vector for each in variables)

    def take(self, piece: ir.Value) -> None:
        """Take one piece of the steps only: those of a row of squares."""
        builder = self.code.builder
        self._start = builder.mul(piece, constant(SIDE))
        stop = builder.add(self._start, constant(SIDE))
        self._stop = self.writer.places.least(stop, constant(self.along.extent))

    def write(self) -> None:
        """Write the body for all steps and lanes."""
        start, stop, builder = self._start, self._stop, self.code.builder
        across = self.vector.extent // self.side * self.side
        whole = self.writer.places.whole(start, stop, self.side)
        with self.code.loop(start, whole, self.side, self.along.name) as first:
            with self.code.loop(0, across, self.side, self.vector.name) as lane:
                self.writer.vector_at(self.vector, lane, None, lambda: self._square(first))
            self._steps(first, builder.add(first, constant(self.side)), across)
        self._steps(whole, stop, 0)

    def _steps(self, start: ir.Value, stop: ir.Value, lane: int) -> None:
        """Write the body step by step, for the lanes from one on."""
        if lane == self.vector.extent:
            return
        with self.code.loop(start, stop, name=self.along.name) as step, self._with(step):
            self.writer.stretch(self.vector, constant(lane), constant(self.vector.extent), self._body)

    def _square(self, first: ir.Value) -> None:
        with self._with(first):
            for each in self._loads:
                self._turn_in(each)
        with self.code.loop(0, self.side, name="step") as step:
            self._step = step
            with self._with(self.code.builder.add(first, step)):
                self._body()
            self._step = None
        with self._with(first):
            for each in self._stores:
                self._turn_out(each)

    def _body(self) -> None:
        self.writer.store_all(self.writer.nest.stores)

    @contextmanager
    def _with(self, place: ir.Value) -> Iterator[None]:
        self.writer.enter(self.along, place)
        yield
        self.writer.leave([self.along])

    # ---- from memory to the square and back ------------------------------------------------------
    def _turn_in(self, load: Term) -> None:
        buffer, place = load.data
        row, apart = self._rows(buffer, place)
        rows = [self.code.load(row, apart * i, buffer.dtype, self.side) for i in range(self.side)]
        for i, value in enumerate(transposed(self.code, rows)):
            self.code.store(value, self._at[load], self.side * i, buffer.dtype)

    def _turn_out(self, store: Store) -> None:
        dtype = store.buffer.dtype
        steps = [self.code.load(self._at[store], self.side * i, dtype, self.side) for i in range(self.side)]
        row, apart = self._rows(store.buffer, store.place)
        for i, value in enumerate(transposed(self.code, steps)):
            self.code.store(value, row, apart * i, dtype)

    def _rows(self, buffer: Buffer, place: Index) -> tuple[ir.Value, Any]:
        """Return where the first lane's row begins, and how far apart the rows are."""
        pointer, first = self.writer.pointers[id(buffer)], self.writer.places.plain(place)
        return self.code.at(pointer, first, buffer.dtype), place.step(self.vector)

    # ---- for the body ----------------------------------------------------------------------------
    def has(self, what: Term | Store) -> bool:
        """Tell whether a load or a store goes by the square that is being computed."""
        return self._step is not None and what in self._at

    def read(self, load: Term) -> ir.Value:
        """Return a load's numbers at this step."""
        return self.code.load(self._at[load], self._here, load.data[0].dtype, self.side)

    def put(self, store: Store, value: ir.Value) -> None:
        """Keep a store's numbers of this step."""
        self.code.store(value, self._at[store], self._here, store.buffer.dtype)

    @property
    def _here(self) -> ir.Value:
        return self.code.builder.mul(self._step, constant(self.side))
