"""How a product is computed: what fills the lanes, the size of a tile, which operands are packed.

Either neighbouring columns fill the lanes (each number of the left is spread over them), or
neighbouring terms of the sum do (nothing is packed, and the lanes are added at the end). Tiles are
chosen by counting the cycles of a whole product on a processor that starts one multiply-add of its
widest vectors in a cycle, or two of half that width, four cycles each until the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.compiler.cpu.product.matrix import Finish, Matrix
from chainrule.compiler.cpu.target import Target

_WIDEST = 512  # bytes of a packed right panel in one step of the sum, at most
_ROWS = 24  # rows of a tile, at most
_LATENCY = 4.0  # cycles until a sum can be added to again
_TILE = 20.0  # cycles to begin and to end a tile
_TRANSPOSE = 0.5  # cycles to pack a number that is not beside its neighbour
_LANE_SUM = 1.5  # cycles to add up the lanes of one output
_BLOCK = 1 << 21  # bytes of the left that are packed at a time
_LARGE = 1 << 18  # bytes of a left operand that no longer stays near the core


@dataclass(frozen=True)
class Work:
    """A product with its finish; `exchanged` where left and right have changed places."""

    batch: int
    left: Matrix
    right: Matrix
    dtype: str
    finish: Finish
    exchanged: bool = False

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
        """Whether the left is too large to be read in place over and over."""
        return self.rows * self.depth * self.item > _LARGE and self.columns >= 256

    @property
    def block(self) -> int:
        """Rows of the left that are packed at a time."""
        return max(4 * _ROWS, _BLOCK // max(1, self.depth * self.item) // _ROWS * _ROWS)


def scratch_bytes(work: Work) -> int:
    """Return room for the packed operands, whatever the target."""
    left = (2 * min(work.block, work.rows) + 64) * work.depth * work.item  # stripes are padded
    return (left if work.packs_left else 0) + work.depth * _WIDEST + 64


@dataclass(frozen=True)
class Plan:
    """Tiles of `rows` x `width` columns; the last ones are smaller."""

    by_sum: bool
    lanes: int
    rows: int
    width: int
    pack_left: bool
    pack_right: bool
    cycles: float


def plan(work: Work, target: Target) -> Plan:
    """Return the way that takes the fewest cycles."""
    return min(_ways(work, target), key=lambda way: (way.cycles, -way.rows * way.width))


def _ways(work: Work, target: Target) -> Iterator[Plan]:
    lanes = target.lanes(work.dtype)
    packs_right = work.right.column != 1
    copies = work.depth * work.columns * (_TRANSPOSE if packs_right else 0.0)
    for vectors in range(1, min(8, -(-work.columns // lanes) or 1) + 1):
        for rows in range(1, min(_ROWS, (target.registers - 1 - vectors) // vectors, work.rows or 1) + 1):
            cycles = copies + _spread(work, target, rows, vectors * lanes)
            yield Plan(False, lanes, rows, vectors * lanes, work.packs_left, packs_right, cycles)
    if work.left.column == 1 and work.right.row == 1 and work.depth > 1 and not work.packs_left:
        for rows in range(1, min(8, work.rows or 1) + 1):
            most = (target.registers - 1 - min(rows, 4)) // rows
            for width in range(1, min(lanes, most, work.columns or 1) + 1):
                cycles = _summed(work, target, rows, width)
                yield Plan(True, lanes, rows, width, False, False, cycles)


def pieces(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (size, how many of it) of the pieces that a total is cut into: the full ones, the rest."""
    yield size, total // size
    yield total % size, 1 if total % size else 0


def vectors(columns: int, lanes: int) -> list[tuple[int, int, int]]:
    """Return (first column, lanes, columns in it) of the vectors that cover some columns."""
    found = [(first, lanes, lanes) for first in range(0, columns - lanes + 1, lanes)]
    rest = columns % lanes
    return [*found, (columns - rest, 1 << (rest - 1).bit_length(), rest)] if rest else found


def _spread(work: Work, target: Target, rows: int, width: int) -> float:
    """Return the cycles of a product with columns in the lanes."""
    lanes, total = target.lanes(work.dtype), 0.0
    for columns, panels in pieces(work.columns, width):
        # a vector of half the width costs half only where the full one is the widest there is
        each = [1.0 if 2 * n > lanes else 0.5 for _, n, _ in vectors(columns, lanes)]
        for height, tiles in pieces(work.rows, rows):
            step = max(height * sum(each), sum(each) + 0.5 * height)
            total += panels * tiles * (_TILE + work.depth * max(step, _floor(height * len(each))))
    return total


def _summed(work: Work, target: Target, rows: int, width: int) -> float:
    """Return the cycles of a product with terms of the sum in the lanes."""
    steps, total = -(-work.depth // target.lanes(work.dtype)), 0.0
    for columns, panels in pieces(work.columns, width):
        for height, tiles in pieces(work.rows, rows):
            step = max(height * columns, float(height + columns), _floor(height * columns))
            ends = _TILE + _LANE_SUM * height * columns
            total += panels * tiles * (ends + steps * step)
    return total


def _floor(sums: int) -> float:
    """Return the cycles that a step takes at least: short of sums, each is split into chains."""
    return _LATENCY / chains(sums) if sums else 0.0


def chains(sums: int) -> int:
    """Return into how many independent chains each of a tile's sums is split."""
    return 4 if sums <= 2 else 2 if sums <= 4 else 1
