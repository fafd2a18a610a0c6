"""The picture of a HOG: in every cell a stroke for each bin, along the edge it stands for.

A stroke crosses the centre of its cell at a right angle to the gradient and is as bright as the
bin is full. Its pixels are found once (they are the same in every cell) and painted into all cells
of all images at once. Pixels are Bresenham's, chosen as scikit-image chooses them.
"""

from __future__ import annotations

import numpy as np

from chainrule.features.images import Array


def draw_strokes(cells: Array, size: tuple[int, int], cell: tuple[int, int], signed: bool) -> Array:
    """Return pictures (n, height, width) of `cells` (n, rows, columns, bins), of images of `size`.

    Over 360 degrees (`signed`) the strokes of opposite directions lie on each other and add.
    """
    count, rows, columns, bins = cells.shape
    pictures = np.zeros((count, *size), cells.dtype)
    radius = min(cell) // 2 - 1
    top, left = np.arange(rows) * cell[0] + cell[0] // 2, np.arange(columns) * cell[1] + cell[1] // 2
    whole = 2 * np.pi if signed else np.pi
    for index in range(bins):
        middle = whole * (index + 0.5) / bins
        across, along = radius * np.sin(middle), radius * np.cos(middle)
        # Where the end falls depends on the centre only through its sign: int() rounds to zero.
        for i, y in enumerate(top):
            for j, x in enumerate(left):
                line = _line(int(y - along), int(x + across), int(y + along), int(x - across))
                pictures[:, line[0], line[1]] += cells[:, i, j, index, None]
    return pictures


def _line(row: int, column: int, last_row: int, last_column: int) -> tuple[Array, Array]:
    """Return rows and columns of Bresenham's line from one pixel to another."""
    tall, wide = abs(last_row - row), abs(last_column - column)
    down, right = (1 if last_row > row else -1), (1 if last_column > column else -1)
    steps = np.arange(max(tall, wide) + 1)
    # The minor coordinate moves on where the error 2k minor - major (2 moved - 1) reaches 0.
    minor = (2 * steps * min(tall, wide) + max(tall, wide)) // max(2 * max(tall, wide), 1)
    major, steep = steps, tall > wide
    rows, columns = (major, minor) if steep else (minor, major)
    return row + down * rows, column + right * columns
