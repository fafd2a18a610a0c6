"""The gradient of an image: central differences, in each pixel of the channel where it is strongest.

Written for planes (`pixelwise`): arrays of numbers, or tensors while a function of them is compiled.
Two channels of almost equal strength may differ much in direction, and scikit-image decides by the
last bit of `hypot`; such pixels are told apart, for `rule_of_channels` to decide. This module knows
pixels and channels; what becomes of the gradients is decided in `orientation` and `cells`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core.spec import Array
from chainrule.features.pixelwise import into_planes, plane_length


class Gradient(NamedTuple):
    """Rightward and downward differences, the sum of their squares, and where the channel is not sure."""

    right: Any
    down: Any
    squares: Any
    unclear: Any


class Neighbours:
    """The pixels of a chunk and those around each, as planes that are filled chunk by chunk.

    `planes`: two that say where there are neighbours on both sides, in the row and in the column;
    then for each channel the pixels to the left, to the right, above and below.
    """

    def __init__(self, x: Array, count: int, transform_sqrt: bool = False) -> None:
        """Make room for `count` images like those of `x` (n, channels, height, width)."""
        _, channels, height, width = x.shape
        pixels = count * height * width
        length = plane_length(pixels)
        self._sqrt, self._row = transform_sqrt, width
        # A row more at both ends, so that all pixels can be asked for neighbours.
        self._pixels = np.zeros((channels, length + 2 * width), _stored_dtype(x.dtype, transform_sqrt))
        self._around = np.array([width - 1, width + 1, 0, 2 * width])
        self._inner = np.zeros((2, length), bool)
        images = self._inner[:, :pixels].reshape(2, count, height, width)
        images[0, :, :, 1:-1] = images[1, :, 1:-1] = True
        around = [plane[start : start + length] for plane in self._pixels for start in self._around]
        self.planes: list[Array] = [*self._inner, *around]

    def fill(self, chunk: Array) -> int:
        """Take in the images of a chunk (n, channels, height, width); return how many pixels they have."""
        pixels = into_planes(chunk, self._pixels[:, self._row :])
        if self._sqrt:
            rows = self._pixels[:, self._row : self._row + pixels]
            np.sqrt(rows, out=rows)
        return pixels

    def at(self, places: Array) -> tuple[Array, ...]:
        """Return what the planes hold at some places, each side's (channels, places) in one array."""
        around = self._pixels[:, self._around[:, None] + places]
        return (*self._inner[:, places], *around.swapaxes(0, 1))


def _stored_dtype(dtype: np.dtype[Any], transform_sqrt: bool) -> type[Any]:
    """Return the type that pixels are kept in: uint8, or the floats that scikit-image computes in."""
    if dtype.kind in "bu" and dtype.itemsize == 1 and not transform_sqrt:
        return np.uint8
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


def strongest_gradient(*planes: Any) -> Gradient:
    """Return the gradient in the strongest channel, the first of equals, of the planes of `Neighbours`."""
    near = 0 if planes[-1].dtype == np.uint8 else 8 * np.finfo(planes[-1].dtype).eps
    in_row, in_column, *around = planes
    (right, down), *others = (
        differences(in_row, in_column, *around[start : start + 4]) for start in range(0, len(around), 4)
    )
    squares = right * right + down * down
    unclear = squares < 0  # nowhere, so far
    for next_right, next_down in others:
        next_squares = next_right * next_right + next_down * next_down
        if near:
            other = (np.abs(next_right) != np.abs(right)) | (np.abs(next_down) != np.abs(down))
            other = other & (np.abs(next_squares - squares) <= squares * near)
        else:  # of equal squares and products, whole differences are the same but for order and sign
            other = np.abs(next_right * next_down) != np.abs(right * down)
            other = other & (next_squares == squares)
        unclear = unclear | other
        stronger = next_squares > squares
        right = np.where(stronger, next_right, right)
        down = np.where(stronger, next_down, down)
        squares = np.maximum(squares, next_squares)  # NaN of any channel stays
    return Gradient(right, down, squares, unclear)


def differences(
    in_row: Any, in_column: Any, left: Any, right: Any, above: Any, below: Any
) -> tuple[Any, Any]:
    """Return rightward and downward differences, 0 at the borders; of bytes as float32."""
    whole = left.dtype == np.uint8

    def difference(ahead: Any, behind: Any, inner: Any) -> Any:
        if whole:
            ahead, behind = ahead.astype(np.int32), behind.astype(np.int32)
        found = np.where(inner, ahead - behind, 0)
        return found.astype(np.float32) if whole else found

    return difference(right, left, in_row), difference(below, above, in_column)


def rule_of_channels(*around: Array) -> tuple[Array, Array]:
    """Return the gradient in the channel that scikit-image takes, of what `Neighbours.at` gives."""
    right, down = differences(*around)
    kind = np.float64 if around[-1].dtype == np.uint8 else right.dtype
    first = np.hypot(right, down, dtype=kind).argmax(axis=0), np.arange(right.shape[1])
    return right[first], down[first]
