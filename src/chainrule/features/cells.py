"""The cells of an image: a histogram of directions in each, weighted by the strength of the gradient.

All pixels of a chunk are counted at once: each has a slot, given by its image, its cell and its
bin. Normalisation comes after, in `blocks`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ShapeError
from chainrule.features.gradients import strongest_gradient
from chainrule.features.images import Array, layout_hint, positive, positive_pair
from chainrule.features.orientation import orientation_bins


@dataclass(frozen=True)
class CellGrid:
    """The cells of an image: `shape` (cell rows, cell columns, orientations), and the size of one."""

    shape: tuple[int, int, int]
    cell: tuple[int, int]
    signed: bool

    @staticmethod
    def of(x: Array, orientations: int, pixels_per_cell: tuple[int, int], signed: bool) -> CellGrid:
        """Return the grid of whole cells that images (n, channels, height, width) have."""
        bins = positive("hog", "orientations", orientations)
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

    def histograms(self, chunk: Array, slots: Array, transform_sqrt: bool) -> Array:
        """Return the mean strength of the gradient by cell and direction, (n, *shape)."""
        rows, columns, bins = self.shape
        right, down, strength = strongest_gradient(chunk, transform_sqrt)
        place = slots[: len(chunk)] + orientation_bins(right, down, bins, self.signed)
        size = len(chunk), rows * columns + 1, bins + 1
        sums = np.bincount(place.reshape(-1), strength.reshape(-1), math.prod(size))
        sums = sums.reshape(size)[:, :-1, :-1]
        return sums.reshape(len(chunk), *self.shape) / (self.cell[0] * self.cell[1])

    def first_slots(self, count: int, height: int, width: int) -> Array:
        """Return for each pixel of `count` images where bin 0 of its cell is counted.

        There is one bin more for gradients without one, and one cell more for pixels outside.
        """
        rows, columns, bins = self.shape
        row, column = np.arange(height) // self.cell[0], np.arange(width) // self.cell[1]
        cell = row[:, None] * columns + column
        cell[(row >= rows)[:, None] | (column >= columns)] = rows * columns
        image = np.arange(count) * (rows * columns + 1)
        return (image[:, None, None] + cell) * (bins + 1)
