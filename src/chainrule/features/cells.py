"""The cells of an image: a histogram of directions in each, weighted by the strength of the gradient.

What is decided for each pixel by itself, its strength and its bin, is one native function of planes;
pixels that it is not sure of are decided by the rule. Then all pixels of a chunk are counted at once: each
has a slot, given by its image, its cell and its bin. Normalisation comes after, in `blocks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.compiler import compile as compiled
from chainrule.core.spec import Array
from chainrule.core.whole import whole_number
from chainrule.errors import DataError, ShapeError
from chainrule.features.gradients import Neighbours, rule_of_channels, strongest_gradient
from chainrule.features.images import chunk_length, layout_hint, positive_pair
from chainrule.features.orientation import exact_bins, orientation_bins
from chainrule.features.pixelwise import Pixelwise, plane_length


@dataclass(frozen=True)
class CellGrid:
    """The cells of an image: `shape` (cell rows, cell columns, orientations), and the size of one."""

    shape: tuple[int, int, int]
    cell: tuple[int, int]
    signed: bool

    @staticmethod
    def of(x: Array, orientations: int, pixels_per_cell: tuple[int, int], signed: bool) -> CellGrid:
        """Return the grid of whole cells that images (n, channels, height, width) have."""
        bins = whole_number("hog", "orientations", orientations)
        cell = positive_pair("hog", "pixels_per_cell", pixels_per_cell)
        return CellGrid((x.shape[2] // cell[0], x.shape[3] // cell[1], bins), cell, bool(signed))

    def holding(self, block: tuple[int, int], x: Array) -> CellGrid:
        """Return the grid itself; raises ShapeError unless a block fits into it."""
        if block[0] > self.shape[0] or block[1] > self.shape[1]:
            least = (block[0] * self.cell[0], block[1] * self.cell[1])
            raise ShapeError(
                f"hog: an image of {x.shape[2]} x {x.shape[3]} pixels is smaller than one block"
                f" ({least[0]} x {least[1]})",
                got=f"pixels_per_cell={self.cell}, cells_per_block={block}; read as {x.shape[1]} channels",
                hint=layout_hint(x) or "fewer pixels_per_cell or cells_per_block",
            )
        return self

    def first_slots(self, count: int, height: int, width: int) -> Array:
        """Return a plane: for each pixel of `count` images where bin 0 of its cell is counted.

        There is one bin more for gradients without one, and one cell more for pixels outside.
        """
        rows, columns, bins = self.shape
        row, column = np.arange(height) // self.cell[0], np.arange(width) // self.cell[1]
        cell = row[:, None] * columns + column
        cell[(row >= rows)[:, None] | (column >= columns)] = rows * columns
        images = np.arange(count)[:, None, None] * (rows * columns + 1)
        slots = (images + cell) * (bins + 1)
        kind = np.int32 if slots[-1].max() + bins < 2**31 else np.int64
        plane = np.zeros(plane_length(slots.size), kind)
        plane[: slots.size] = slots.reshape(-1)
        return plane


class CellHistograms:
    """The mean strength of the gradient by cell and direction, of one chunk of images after the other."""

    def __init__(self, grid: CellGrid, x: Array, transform_sqrt: bool) -> None:
        """Make room for chunks of `x` (n, channels, height, width)."""
        self._grid, count = grid, chunk_length(x)
        self._neighbours = Neighbours(x, count, transform_sqrt)
        self._slots = grid.first_slots(count, *x.shape[2:])
        planes = self._neighbours.planes
        counted = _counted(grid.shape[2], grid.signed, planes[-1].dtype, len(planes))
        self._counted = Pixelwise(counted, [self._slots, *planes])
        # What `bincount` takes; it would convert to them slowly by itself.
        self._places, self._weights = np.empty(len(self._slots), np.intp), np.empty(len(self._slots))

    def __call__(self, chunk: Array) -> Array:
        """Return the histograms of a chunk, (n, *grid.shape); raises DataError for pixels not finite."""
        pixels, (rows, columns, bins) = self._neighbours.fill(chunk), self._grid.shape
        places, weights = self._places[:pixels], self._weights[:pixels]
        weights[...], places[...], unclear = self._counted(pixels)
        doubtful = np.flatnonzero(unclear)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
            gradient = rule_of_channels(*self._neighbours.at(doubtful))
            places[doubtful] = self._slots[doubtful] + exact_bins(*gradient, bins, self._grid.signed)
        size = len(chunk), rows * columns + 1, bins + 1
        sums = np.bincount(places, weights, math.prod(size)).reshape(size)
        if not np.isfinite(sums).all():
            raise DataError("hog: images hold nan or infinite values, or values too large to square")
        return (sums[:, :-1, :-1] / math.prod(self._grid.cell)).reshape(-1, rows, columns, bins)


@lru_cache(maxsize=64)
def _counted(
    orientations: int, signed: bool, _dtype: np.dtype[Any], _planes: int
) -> Callable[..., tuple[Any, ...]]:
    """Return the native function of slots and `Neighbours` for what counts where: strength, slot, doubt.

    One for each type and number of planes: a function of many programs would warn of a mistake.
    """

    def counted(slots: Any, *planes: Any) -> tuple[Any, ...]:
        right, down, squares, unclear = strongest_gradient(*planes)
        bins, close = orientation_bins(right, down, orientations, signed)
        return np.sqrt(squares), slots + bins, unclear | close

    return compiled(counted)
