"""Writer: what both ways of writing a convolution need beyond `Code`.

Pointers that move together, the indices of a part, and constant tables of the taps that a place
meets. It knows nothing of forward or gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, Code, constant
from chainrule.compiler.cpu.convolution.geometry import Reads
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES
from chainrule.compiler.cpu.target import Target

_WRITTEN_OUT = 256  # multiply-adds


class Spot(NamedTuple):
    """Pointers into a kernel's three operands that move together."""

    first: ir.Value
    second: ir.Value
    third: ir.Value


class Writer:
    """Writes a function over three operands whose images lie in blocks."""

    def __init__(self, function: ir.Function, target: Target, dtype: np.dtype[Any]) -> None:
        self.code, self.dtype = Code(function, target), dtype
        self.name, self.args = function.name, function.args
        self.block = BLOCK_BYTES // dtype.itemsize  # images in a block: numbers from column to column
        self.lanes = min(self.block, target.lanes(dtype))

    def moved(self, spot: Spot, index: Any, steps: Iterable[Any]) -> Spot:
        """Return the pointers moved on by `index` steps each."""
        code = self.code

        def ahead(pointer: ir.Value, step: Any) -> ir.Value:
            known = isinstance(step, int) and isinstance(index, int)
            if known or isinstance(index, int):
                return code.at(pointer, step * index if known else step, self.dtype)
            return code.at(pointer, code.builder.mul(index, constant(step)), self.dtype) if step else pointer

        return Spot(*(ahead(p, step) for p, step in zip(spot, steps, strict=True)))

    def unravel(self, index: Any, *sizes: int) -> list[ir.Value]:
        """Return the indices along axes of these sizes (the first may be open) of the index of a part."""
        found: list[ir.Value] = []
        for size in reversed(sizes[1:]):
            found.append(self.code.builder.urem(index, constant(size)))
            index = self.code.builder.udiv(index, constant(size))
        return [index, *reversed(found)]

    def looked_up(self, name: str, reads: Reads, place: Any, source: int, weight: int) -> list[ir.Value]:
        """Return the number of taps of a place, and where its first source and weight lie."""
        numbers: list[int] = []
        for meets in reads.places:
            tap, start = meets[0] if meets else (0, 0)
            numbers += [len(meets), start * source, tap * weight]
        name = f"{self.name}.{name}"
        module, kind = self.code.module, ir.ArrayType(INDEX, len(numbers))
        table = module.globals.get(name) or ir.Table(module, name, ir.Constant(kind, numbers))
        start = self.code.builder.mul(place, constant(3))
        entry = self.code.at(table, start, np.int64)
        return [self.code.load(entry, k, np.int64) for k in range(3)]

    def multiply(
        self,
        sums: Mapping[tuple[Any, Any], ir.Value],
        left: Callable[[Any], ir.Value],
        right: Callable[[Any], ir.Value],
    ) -> None:
        """Add left(i) * right(j) to the sum at every (i, j); the fewer factors stay in registers."""
        lefts, rights = ([*dict.fromkeys(each[side] for each in sums)] for side in (0, 1))
        if len(lefts) < len(rights):
            self.multiply({(j, i): place for (i, j), place in sums.items()}, right, left)
            return
        held = {j: right(j) for j in rights}
        for i in lefts:
            number = left(i)
            for j in rights:
                place = sums.get((i, j))
                if place is not None:
                    made = self.code.call("llvm.fmuladd", [number, held[j], self.code.get(place)])
                    self.code.set(place, made)

    @contextmanager
    def each(self, count: int | ir.Value) -> Iterator[ir.Value]:
        """Repeat what is written inside `count` times; once needs no loop."""
        if isinstance(count, int) and count == 1:
            yield constant(0)
        else:
            with self.code.loop(0, count, name="across") as index:
                yield index

    def several(self, count: int | ir.Value, work: int) -> Iterator[Any]:
        """Repeat what is written inside, `work` multiply-adds, so many times; some are written out.

        A short loop costs what its end costs: the processor goes the wrong way there.
        """
        if not isinstance(count, int):
            with self.each(count) as place:
                yield place
            return
        turns = -(-count // max(1, _WRITTEN_OUT // work))
        size = count // turns
        with self.each(turns) as turn:
            first = self.counted(turn, size)
            for place in range(size):
                yield self.code.builder.add(first, constant(place))
        yield from map(constant, range(size * turns, count))

    def counted(self, index: Any, step: int, first: int = 0) -> Any:
        """Return index * step + first."""
        builder = self.code.builder
        found = builder.mul(index, constant(step), flags=("nsw",))
        return builder.add(found, constant(first)) if first else found
