"""How a product is computed: what fills the lanes, the size of a tile, which operands are packed.

Either neighbouring columns fill the lanes (each number of the left is spread over them), or
neighbouring terms of the sum do (nothing is packed, and the lanes are added at the end). Tiles are
chosen by counting the time of a whole product, and that of its transpose, in turns: in a turn one
multiply-add of a vector starts, so a cycle has as many as there are multipliers. What is hidden behind
multiply-adds weighs twice as much in turns where there are two, and is hidden half as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.compiler.cpu.product.matrix import Finish, Matrix
from chainrule.compiler.cpu.target import Target
from chainrule.core.memory import LINE

_WIDEST = 256  # bytes of a packed right panel in one step of the sum, at most
_ROWS, _THIN = 8, 16  # rows of a tile, at most: each is a stream of reads; the same of one vector
_ACROSS = 4  # vectors of a tile side by side, at most
_NEAR, _NEXT = 1 << 15, 1 << 18  # bytes that stay in the first cache, and in the second one
_VECTOR, _FAR_VECTOR = 2.2, 3.0  # turns for a whole vector from the second cache, and from behind it
_READ, _FAR_READ = 0.08, 0.3  # cycles that a read costs besides, hidden; and from behind the first cache
_SPLIT = 0.2  # cycles that a vector costs besides, hidden, where it lies across two lines of the cache
_LATENCY = 6.0  # cycles until a sum can be added to again, and some for delays
_TILE = 25.0  # cycles to begin and to end a tile, hidden
_CODE = 0.0002  # what a sum more in the code is worth: a share of all turns
_COPY, _TRANSPOSE = 0.2, 0.4  # cycles to pack a number: beside its neighbour, and not
_TURN = 2.5  # cycles to make a vector of a column of a tile
_LANE_SUM = 1.2  # cycles to add two vectors' halves, when the lanes of sums are added up
_BLOCK = 1 << 21  # bytes of the left that are packed at a time
_KEPT = 1 << 22  # bytes of sums that are kept between slices
_ROWS_AT_LEAST = 1024  # rows that a packed panel is used with
_DEEP, _SLICE = 1 << 12, 1 << 7  # steps beyond which sums are computed slice by slice; of a slice


@dataclass(frozen=True)
class Work:
    """A product with its finish.

    `exchanged` where left and right have changed places; `turned` where rows are columns to the finish.
    """

    batch: int
    left: Matrix
    right: Matrix
    dtype: str
    finish: Finish
    exchanged: bool = False
    turned: bool = False

    @property
    def transposed(self) -> Work:
        """The same numbers, left and right exchanged."""
        sides = {"left": self.right.transposed, "right": self.left.transposed}
        return replace(self, **sides, exchanged=not self.exchanged, turned=not self.turned)

    @property
    def rows(self) -> int:
        """Rows of the product."""
        return self.left.rows

    @property
    def columns(self) -> int:
        """Columns of the product."""
        return self.right.columns

    @property
    def depth(self) -> int:
        """Terms of every sum."""
        return self.left.columns

    @property
    def item(self) -> int:
        """Bytes of a number."""
        return np.dtype(self.dtype).itemsize

    @property
    def packs_left(self) -> bool:
        """Whether the left is packed: steps of its rows lie apart, and it is read over and over."""
        return self.left.column != 1 and self.rows > 64 and self.columns >= 512 and 192 <= self.depth <= _DEEP

    @property
    def packs_right(self) -> bool:
        """Whether the right is packed: its columns lie apart, or are read over and over."""
        often = self.rows >= 64 if self.deep else self.rows >= 256 and self.depth >= 64
        return self.right.column != 1 or often

    @property
    def block(self) -> int:
        """Rows that all panels are used with before the next rows come."""
        if self.deep:
            return max(4 * _THIN, _KEPT // (self.item * self.columns))
        fit = (_BLOCK if self.packs_left else _NEXT * 2) // max(1, self.depth * self.item)
        return max(4 * _THIN if self.packs_left else _ROWS_AT_LEAST, fit)

    @property
    def by_rows(self) -> bool:
        """Whether threads share rows rather than columns: what is largest lies in memory row after row.

        Its parts then stay in the caches of those that work on them, from product to product.
        """
        finish = self.finish.bytes // max(1, self.batch)
        left = self.rows * self.depth * self.item * (self.left.row >= self.left.column)
        right = self.depth * self.columns * self.item * (self.right.column >= self.right.row)
        return left > max(right, finish) if self.turned else max(left, finish) > right

    @property
    def deep(self) -> bool:
        """Whether the sums are so long that they are better computed slice by slice."""
        return self.depth > _DEEP and self.rows > 1 and self.columns > 0


def scratch_bytes(work: Work) -> int:
    """Return room for the packed operands, whatever the target."""
    return max(map(_scratch_bytes, (work, work.transposed)))


def _scratch_bytes(work: Work) -> int:
    rows = min(work.block, work.rows) + 2 * _THIN
    left = 2 * rows * work.depth * work.item if work.packs_left else 0  # its stripes are padded
    kept = rows * (work.columns * work.item + _WIDEST) if work.deep else 0
    return left + kept + (_SLICE if work.deep else work.depth) * _WIDEST + 64


@dataclass(frozen=True)
class Plan:
    """Tiles of `rows` x `width` columns; the last ones are smaller."""

    by_sum: bool
    lanes: int
    rows: int
    width: int
    pack_left: bool
    pack_right: bool
    slice: int  # steps of the sums that are computed at a time
    turns: float


def plan(work: Work, target: Target) -> tuple[Work, Plan]:
    """Return the way that takes the fewest turns, of a product or of its transpose.

    Of almost equal ones it is that of the least code.
    """

    def cost(found: tuple[Work, Plan]) -> float:
        work, way = found
        kinds = (1 + (work.rows % way.rows > 0)) * (1 + (work.columns % way.width > 0))
        sums = way.rows * (way.width if way.by_sum else way.width // way.lanes)
        return way.turns * (1 + _CODE * kinds * sums)

    return min(((side, way) for side in (work, work.transposed) for way in _ways(side, target)), key=cost)


def _ways(work: Work, target: Target) -> Iterator[Plan]:
    lanes = target.lanes(work.dtype)
    steps = _SLICE if work.deep else work.depth
    for count in range(1, min(_ACROSS, -(-work.columns // lanes) or 1) + 1):
        most = (target.registers - 1 - count) // count
        for rows in range(1, min(_THIN if work.columns <= lanes else _ROWS, most, work.rows or 1) + 1):
            turns = _by_columns(work, target, rows, count * lanes)
            yield Plan(False, lanes, rows, count * lanes, work.packs_left, work.packs_right, steps, turns)
    if work.left.column == 1 and work.right.row == 1 and work.depth > 1 and not work.turned:
        for rows in range(1, min(_ROWS, work.rows or 1) + 1):
            most = (target.registers - 1 - rows) // rows
            for width in range(1, min(lanes, most, work.columns or 1) + 1):
                yield Plan(
                    True, lanes, rows, width, False, False, work.depth, _by_sum(work, target, rows, width)
                )


def pieces(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (size, how many of it) of the pieces that a total is cut into: the full ones, the rest."""
    yield size, total // size
    yield total % size, 1 if total % size else 0


def vectors(columns: int, lanes: int) -> list[tuple[int, int, int]]:
    """Return (first column, lanes, columns in it) of the vectors that cover some columns."""
    found = [(first, lanes, lanes) for first in range(0, columns - lanes + 1, lanes)]
    rest = columns % lanes
    return [*found, (columns - rest, 1 << (rest - 1).bit_length(), rest)] if rest else found


def _by_columns(work: Work, target: Target, rows: int, width: int) -> float:
    """Return the turns of a product with columns in the lanes."""
    lanes, starts, total = target.lanes(work.dtype), target.multipliers, 0.0
    hidden = starts * starts
    if work.packs_right:
        total += starts * work.depth * work.columns * (_COPY if work.right.column == 1 else _TRANSPOSE)
    across = _SPLIT * (not work.packs_right and not _aligned(work.right.row, work))
    for columns, panels in pieces(work.columns, width):
        filled = [n for _, n, _ in vectors(columns, lanes)]
        # a vector of half the width costs half only where the full one is the widest there is
        each = [1.0 if 2 * n > lanes or starts > 1 else 0.5 for n in filled]
        for height, tiles in pieces(work.rows, rows):
            sums = height * len(each)
            far = work.depth * (columns + height) * work.item > _NEAR
            lines = columns / lanes * _VECTOR if far else 0.0
            step = max(height * sum(each), sum(each) + 0.5 * starts * height, _floor(sums, starts), lines)
            step += hidden * (_READ * (height + len(each)) + (_FAR_READ * far + across) * len(each))
            ending = _ending(work, height, filled, columns)
            total += panels * tiles * (hidden * _TILE + work.depth * step + starts * ending)
    return total


def _ending(work: Work, rows: int, filled: Sequence[int], columns: int) -> float:
    """Return the cycles to finish a tile whose rows are vectors with so many lanes filled."""
    if not work.turned:
        return rows * sum(map(work.finish.cycles, filled))
    size = 1 << (rows - 1).bit_length()
    return columns * (work.finish.cycles(size) + _TURN)


def _by_sum(work: Work, target: Target, rows: int, width: int) -> float:
    """Return the turns of a product with terms of the sum in the lanes."""
    lanes, starts, total = target.lanes(work.dtype), target.multipliers, 0.0
    hidden, steps, near = starts * starts, -(-work.depth // lanes), work.depth * work.item
    far = near * work.rows > _NEXT and work.columns > width
    line = _FAR_VECTOR if far else _VECTOR
    if near * (width + work.rows) <= _NEAR:
        line = 0.0
    left, right = (_READ + _SPLIT * (not _aligned(way, work)) for way in (work.left.row, work.right.column))
    for columns, panels in pieces(work.columns, width):
        ending = _LANE_SUM * (columns + (lanes // max(1, columns)).bit_length() - 1)
        ending += work.finish.cycles(1 << max(0, columns - 1).bit_length())
        for height, tiles in pieces(work.rows, rows):
            sums = height * columns
            distant = height + (columns if work.columns > width else 0)
            step = max(sums, height + columns, _floor(sums, starts), line * distant)
            step += hidden * (left * height + right * columns)
            total += panels * tiles * (hidden * _TILE + starts * height * ending + steps * step)
    return total


def _aligned(way: int, work: Work) -> bool:
    """Tell whether vectors so many numbers apart all begin at a line of the cache."""
    return way * work.item % LINE == 0


def _floor(sums: int, starts: int) -> float:
    """Return what a step takes at least: short of sums, each is split into chains."""
    return _LATENCY * starts / chains(sums) if sums else 0.0


def chains(sums: int) -> int:
    """Return into how many independent chains each of a tile's sums is split."""
    return 4 if sums <= 2 else 2 if sums <= 4 else 1
