"""The picture of a HOG: in every cell a stroke for each bin, along the edge it stands for.

A stroke crosses the centre of its cell at a right angle to the gradient and is as bright as the
bin is full. Its pixels are found once (they are the same in every cell) and painted into all cells
of all images at once. Pixels are Bresenham's, chosen as scikit-image chooses them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.core.spec import Array


def draw_strokes(cells: Array, size: tuple[int, int], cell: tuple[int, int], signed: bool) -> Array:
    """Return pictures (n, height, width) of `cells` (n, rows, columns, bins), of images of `size`.

    Over 360 degrees (`signed`) the strokes of opposite directions lie on each other and add.
    """
    # A margin takes what cells of one pixel paint beyond the border.
    pictures = np.zeros((len(cells), size[0] + 2, size[1] + 2), cells.dtype)
    radius = min(cell) // 2 - 1
    top, left = (
        np.arange(number) * side + side // 2 for number, side in zip(cells.shape[1:], cell, strict=False)
    )
    for index in range(cells.shape[3]):
        middle = (2 * np.pi if signed else np.pi) * (index + 0.5) / cells.shape[3]
        along, across = radius * np.cos(middle), radius * np.sin(middle)
        for first, last, rows in _ends(top, -along, along):
            for begin, end, columns in _ends(left, across, -across):
                brightness = cells[:, rows[:, None], columns, index]
                for row, column in zip(*_line(first, begin, last, end), strict=True):
                    pictures[:, (top[rows] + row + 1)[:, None], left[columns] + column + 1] += brightness
    return pictures[:, 1:-1, 1:-1]


def _ends(centres: Array, one: float, other: float) -> Iterator[tuple[int, int, Array]]:
    """Yield where strokes end, counted from their centres, and the cells for which that holds.

    Ends are rounded towards 0, so that those of the very first cells may differ from the others'.
    """
    ends = np.trunc([centres + one, centres + other]).astype(int) - centres
    for pair in np.unique(ends, axis=1).T:
        cells = np.flatnonzero((ends == pair[:, None]).all(axis=0))
        yield int(pair[0]), int(pair[1]), cells


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
