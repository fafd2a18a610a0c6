"""Tiles: the innermost loops, which keep a rectangle of the product in registers.

Two ways. With columns in the lanes, a step of the sum reads one run of the right and spreads a
number of each row of the left over the lanes. With the sum in the lanes, a step reads a vector of
every row and column, and the lanes are added up at the end. A tile knows addresses, not the walk.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, constant, type_of
from chainrule.compiler.cpu.product.matrix import Finish, Spot
from chainrule.compiler.cpu.product.pack import first_lanes
from chainrule.compiler.cpu.product.plan import chains, vectors
from chainrule.compiler.cpu.transpose import shuffled, transposed

_UNROLLED = 48  # multiply-adds up to which a loop is written out
_LONG = 16  # steps for each row of a tile from which on its place in the result is asked for early
_BODY = 12  # multiply-adds that a loop's body has at least


@dataclass(frozen=True)
class Tile:
    """A rectangle of the product. Strides: left (row, step), right (column, step)."""

    rows: int
    columns: int
    depth: int
    left: tuple[int, int]
    right: tuple[int, int]
    lanes: int
    dtype: str
    padded: bool  # whether the right may be read up to whole vectors
    by_sum: bool


@dataclass(frozen=True)
class Destination:
    """Where a tile stands in the product, and what is done there with its numbers.

    `turned` where rows of the tile are columns there.
    """

    finish: Finish
    pointers: Sequence[ir.Value]
    first: Spot
    turned: bool = False

    def spot(self, code: Code, row: Any, column: int = 0) -> Spot:
        """Return a place of the tile."""
        places = (code.index(row), constant(column))
        return Spot(self.first.batch, *map(code.builder.add, self.first[1:], places))


@dataclass(frozen=True)
class Slice:
    """Some steps of very long sums: where sums are kept between slices, how many steps, whether the last."""

    kept: ir.Value
    steps: ir.Value
    last: ir.Value


@dataclass(frozen=True)
class Meanwhile:
    """What a tile asks for while it computes: `begin` is told which of so many stretches begins."""

    stretches: int
    begin: Callable[[Code, ir.Value], None]


# First column, lanes, columns in it, and the finished sums.
Finished = tuple[int, int, int, Any]


def emit(
    code: Code,
    tile: Tile,
    left: ir.Value,
    right: ir.Value,
    to: Destination,
    part: Slice | None = None,
    meanwhile: Meanwhile | None = None,
) -> None:
    """Write a tile's sums and their finish; left and right point to its first numbers."""
    if meanwhile is not None and (tile.by_sum or part is not None):
        with code.loop(0, meanwhile.stretches, name="stretch") as which:
            meanwhile.begin(code, which)
    if part is None:
        if tile.by_sum:
            rows = _by_sum(code, tile, left, right)
        else:
            rows = by_columns(code, tile, left, right, meanwhile=_expecting(tile, to, meanwhile))
        _finish(code, rows, to)
        return
    places = [
        (row * kept_width(tile) + first, lanes)
        for row in range(tile.rows)
        for first, lanes, _ in vectors(tile.columns, tile.lanes)
    ]
    before = [code.load(part.kept, offset, tile.dtype, lanes) for offset, lanes in places]
    rows = by_columns(code, tile, left, right, before, part.steps)
    with code.only_if(part.last):
        _finish(code, rows, to)
    with code.only_if(code.builder.not_(part.last)):
        values = (value for row in rows for *_, value in row)
        for (offset, _), value in zip(places, values, strict=True):
            code.store(value, part.kept, offset, tile.dtype)


def _expecting(tile: Tile, to: Destination, also: Meanwhile | None) -> Meanwhile | None:
    """Return what asks for what the finish of a row needs, too: storing waits for memory."""
    if to.turned or tile.depth < _LONG * tile.rows:
        return also

    def begin(code: Code, which: ir.Value) -> None:
        row = code.call("llvm.smin", [which, constant(tile.rows - 1)])
        to.finish.expect(code, to.pointers, to.spot(code, row), tile.columns)
        if also is not None:
            also.begin(code, which)

    return Meanwhile(max(tile.rows, also.stretches if also else 0), begin)


def kept_width(tile: Tile) -> int:
    """Return the numbers from row to row of a tile's kept sums."""
    return -(-tile.columns // tile.lanes) * tile.lanes


def _finish(code: Code, rows: Sequence[Sequence[Finished]], to: Destination) -> None:
    for row, found in enumerate(_turned(code, rows) if to.turned else rows):
        for first, lanes, valid, value in found:
            at, mask = to.spot(code, row, first), first_lanes(valid, lanes)
            to.finish.emit(code, to.pointers, value, at, lanes=lanes, mask=mask)


def _turned(code: Code, rows: Sequence[Sequence[Finished]]) -> Iterator[list[Finished]]:
    """Yield the columns of a tile, by way of squares."""
    count, first = len(rows), ir.Constant(ir.I32, 0)
    size = 1 << (count - 1).bit_length()
    for runs in zip(*rows, strict=True):
        _, lanes, valid, _ = runs[0]
        side = max(lanes, size)
        lines = [_resized(code, code.vector(value), side) for *_, value in runs]
        nothing = ir.Constant(lines[0].type, ir.UNDEFINED)
        for column in transposed(code, lines + [nothing] * (side - count))[:valid]:
            value = _resized(code, column, size)
            yield [(0, size, count, code.builder.extract_element(value, first) if size == 1 else value)]


def _resized(code: Code, value: ir.Value, lanes: int) -> ir.Value:
    """Return the first lanes of a vector; behind its own they are anything."""
    count = value.type.count
    return value if count == lanes else shuffled(code, value, value, [lane % count for lane in range(lanes)])


def by_columns(
    code: Code,
    tile: Tile,
    left: ir.Value,
    right: ir.Value,
    before: Sequence[ir.Value] = (),
    depth: ir.Value | None = None,
    meanwhile: Meanwhile | None = None,
) -> list[list[Finished]]:
    """Write the sums with columns in the lanes, from zero or from what they were before."""
    runs = vectors(tile.columns, tile.lanes)
    widths = {lanes for _, lanes, _ in runs}
    zeros = [_zero(tile.dtype, lanes) for _ in range(tile.rows) for _, lanes, _ in runs]
    sums = _Sums(code, before or zeros, 1 if before else chains(len(zeros)))

    def step(index: Any) -> None:
        numbers = code.at(left, _times(code, index, tile.left[1]), tile.dtype)
        here = code.at(right, _times(code, index, tile.right[1]), tile.dtype)
        values: list[ir.Value] = []
        for first, lanes, valid in runs:
            mask = None if tile.padded else first_lanes(valid, lanes)
            values.append(code.load_masked(here, first, tile.dtype, lanes, mask))
        for row in range(tile.rows):
            number = code.load(numbers, row * tile.left[0], tile.dtype)
            spread = {lanes: code.splat(number, lanes) for lanes in widths}
            for column, value in enumerate(values):
                sums.add(row * len(runs) + column, spread[runs[column][1]], value)

    done = 0
    if meanwhile is not None:
        count = meanwhile.stretches
        done = sums.stretches(count, tile.depth // count, step, partial(meanwhile.begin, code))
    sums.loop(tile.depth if depth is None else depth, step, done)
    found = iter(sums.values())
    return [[(*run, next(found)) for run in runs] for _ in range(tile.rows)]


def _by_sum(code: Code, tile: Tile, left: ir.Value, right: ir.Value) -> list[list[Finished]]:
    """Write the sums with their terms in the lanes."""
    zeros = [_zero(tile.dtype, tile.lanes)] * (tile.rows * tile.columns)
    sums = _Sums(code, zeros, chains(len(zeros)))
    whole, rest = divmod(tile.depth, tile.lanes)

    def step(index: Any, valid: int = tile.lanes) -> None:
        mask, at = first_lanes(valid, tile.lanes), _times(code, index, tile.lanes)
        a, b = (code.at(pointer, at, tile.dtype) for pointer in (left, right))
        rows = [
            code.load_masked(a, row * tile.left[0], tile.dtype, tile.lanes, mask) for row in range(tile.rows)
        ]
        for column in range(tile.columns):
            value = code.load_masked(b, column * tile.right[0], tile.dtype, tile.lanes, mask)
            for row, other in enumerate(rows):
                sums.add(row * tile.columns + column, other, value)

    sums.loop(whole, step)
    if rest:
        step(whole, rest)
    found, size = sums.values(), 1 << (tile.columns - 1).bit_length()
    rows = [found[row * tile.columns : (row + 1) * tile.columns] for row in range(tile.rows)]
    return [[(0, size, tile.columns, across(code, row))] for row in rows]


def across(code: Code, values: Sequence[ir.Value]) -> Any:
    """Return the sum of each vector's lanes, side by side (as many as the next power of two)."""
    lanes, size = values[0].type.count, 1 << (len(values) - 1).bit_length()
    found: list[Any] = list(values)
    half = lanes // 2
    while len(found) > 1:
        pairs = itertools.zip_longest(found[::2], found[1::2])
        found = [_halved(code, a, a if b is None else b, half) for a, b in pairs]
        half //= 2
    # The first sums stand first in every pair of halves: in reversed order of bits.
    group, bits = lanes // size, size.bit_length() - 1
    order = [int(f"{index:0{bits}b}"[::-1], 2) if bits else 0 for index in range(size)]
    picks = [place * group + lane for place in order for lane in range(group)]
    total = found[0] if picks == sorted(picks) else shuffled(code, found[0], found[0], picks)
    while group > 1:
        low = [lane for lane in range(size * group) if lane % group < group // 2]
        high = [lane + group // 2 for lane in low]
        total = code.builder.fadd(shuffled(code, total, total, low), shuffled(code, total, total, high))
        group //= 2
    return code.builder.extract_element(total, ir.Constant(ir.I32, 0)) if size == 1 else total


def _halved(code: Code, a: ir.Value, b: ir.Value, half: int) -> Any:
    """Return two vectors' runs of 2 * half lanes, each added to half: a's in the first, b's behind."""
    lanes = range(a.type.count)
    first = [lane & half == 0 for lane in lanes]
    kept = [lane if here else lane + len(lanes) for lane, here in zip(lanes, first, strict=True)]
    moved = [
        lane + half if here else lane - half + len(lanes) for lane, here in zip(lanes, first, strict=True)
    ]
    return code.builder.fadd(a if a is b else shuffled(code, a, b, kept), shuffled(code, a, b, moved))


class _Sums:
    """The running sums of a tile; short of sums, each is split into chains that are added at the end."""

    def __init__(self, code: Code, first: Sequence[Any], count: int) -> None:
        self.code, self.count, self.chain = code, len(first), 0
        zeros = [ir.Constant(value.type, None) for value in first]
        self.chains: list[list[Any]] = [list(first), *(list(zeros) for _ in range(count - 1))]

    def loop(self, depth: int | ir.Value, step: Callable[[Any], None], done: int = 0) -> None:
        """Write all steps from `done` on: written out if that is little, else as a loop over some at once."""
        if not isinstance(depth, int):
            self._loop(0, depth, 1, step)
            return
        if self.count * (depth - done) <= _UNROLLED:
            self._some(step, range(done, depth))
            return
        whole = done + (depth - done) // self._body * self._body
        self._loop(done, whole, self._body, step)
        self._some(step, range(whole, depth))

    def stretches(
        self, count: int, steps: int, step: Callable[[Any], None], begin: Callable[[ir.Value], None]
    ) -> int:
        """Write the first steps as stretches, each begun by something else; return how many steps it were."""
        steps = steps // self._body * self._body
        with self._carried(0, count, 1, "stretch") as which:
            begin(which)
            first = self.code.builder.mul(which, constant(steps))
            self._loop(first, self.code.builder.add(first, constant(steps)), self._body, step)
        return count * steps

    @property
    def _body(self) -> int:
        return max(len(self.chains), min(4, _BODY // self.count))

    def _loop(self, first: Any, end: Any, body: int, step: Callable[[Any], None]) -> None:
        with self._carried(first, end, body, "step") as start:
            self._some(step, [start, *(self.code.builder.add(start, constant(i)) for i in range(1, body))])

    @contextmanager
    def _carried(self, first: Any, end: Any, step: int, name: str) -> Iterator[ir.Value]:
        """Repeat what is written inside, each time with the sums of the time before."""
        places = [[self.code.variable(value) for value in chain] for chain in self.chains]
        with self.code.loop(first, end, step, name) as index:
            self.chains = [[self.code.get(place) for place in chain] for chain in places]
            yield index
            for chain, values in zip(places, self.chains, strict=True):
                for place, value in zip(chain, values, strict=True):
                    self.code.set(place, value)
        self.chains = [[self.code.get(place) for place in chain] for chain in places]

    def _some(self, step: Callable[[Any], None], indices: Iterable[Any]) -> None:
        """Write some steps, each into the next chain."""
        for number, index in enumerate(indices):
            self.chain = number % len(self.chains)
            step(index)
        self.chain = 0

    def add(self, which: int, a: ir.Value, b: ir.Value) -> None:
        """Write the addition of a product to a sum."""
        chain = self.chains[self.chain]
        chain[which] = self.code.call("llvm.fmuladd", [a, b, chain[which]])

    def values(self) -> list[Any]:
        """Return the sums, chains added in pairs."""
        found: list[list[Any]] = self.chains
        while len(found) > 1:
            pairs = zip(found[::2], found[1::2], strict=True)
            found = [[self.code.builder.fadd(x, y) for x, y in zip(a, b, strict=True)] for a, b in pairs]
        return found[0]


def _zero(dtype: str, lanes: int) -> Any:
    kind = type_of(dtype)
    return ir.Constant(kind, 0.0) if lanes == 1 else ir.Constant(ir.VectorType(kind, lanes), None)


def _times(code: Code, index: Any, stride: int) -> Any:
    known = isinstance(index, int)
    return index * stride if known else code.builder.mul(index, constant(stride), flags=("nsw",))
