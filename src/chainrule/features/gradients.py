"""The gradient of an image: central differences, in each pixel of the channel where it is strongest.

Differences are taken over a whole chunk as one long row, and the borders set to 0 afterwards. Two
channels of almost equal strength are looked at again with `hypot`, as scikit-image sees them, for
their directions may differ much. 8-bit images stay integers, where a tie is a tie. This module
knows pixels and channels; what becomes of the gradients is decided in `orientation` and `hog`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.features.images import Array

_BITS = {2: np.int16, 4: np.int32, 8: np.int64}


class Gradient(NamedTuple):
    """Rightward and downward differences of a chunk, and their strength, each (n, height, width)."""

    right: Array
    down: Array
    strength: Array


def working_dtype(images: Any) -> type[Any]:
    """Return the type that differences are taken in: int16 for 8-bit images, else floats."""
    kind, size = images.dtype.kind, images.dtype.itemsize
    if kind in "bu" and size == 1:
        return np.int16
    return np.float32 if kind == "f" and size <= 4 else np.float64


def strongest_gradient(chunk: Array, transform_sqrt: bool = False) -> Gradient:
    """Return the gradient of the strongest channel of (n, channels, height, width), the first of equals.

    With `transform_sqrt` differences are taken of the roots of the pixels.
    """
    dtype = working_dtype(chunk)
    if transform_sqrt:
        dtype = np.float32 if dtype is np.float32 else np.float64
    planes = np.ascontiguousarray(chunk.swapaxes(0, 1), dtype)
    if transform_sqrt:
        planes = np.sqrt(planes)
    right, down = _differences(planes, 1, -1), _differences(planes, planes.shape[-1], -2)
    squares = _squares(right, down)
    if len(planes) > 1:
        near = _rivals(squares) if dtype is not np.int16 else np.empty(0, np.intp)
        chosen = np.hypot(right.reshape(len(right), -1)[:, near], down.reshape(len(down), -1)[:, near])
        again = _at(right, chosen, near), _at(down, chosen, near)
        _keep_strongest(right, down, squares)
        right[0].reshape(-1)[near], down[0].reshape(-1)[near] = again
    return Gradient(right[0], down[0], np.sqrt(squares[0]))


def _differences(planes: Array, step: int, axis: int) -> Array:
    """Return next minus previous along an axis whose neighbours lie `step` apart, 0 at both ends."""
    found, flat = np.empty_like(planes), planes.reshape(len(planes), -1)
    np.subtract(flat[:, 2 * step :], flat[:, : -2 * step], out=found.reshape(len(planes), -1)[:, step:-step])
    ends = np.moveaxis(found, axis, 0)
    ends[0] = ends[-1] = 0
    return found


def _squares(right: Array, down: Array) -> Array:
    dtype = np.float32 if right.dtype == np.int16 else right.dtype
    squares, other = right.astype(dtype), down.astype(dtype)
    squares *= squares
    other *= other
    squares += other
    return squares


def _rivals(squares: Array) -> Array:
    """Return the flat positions where two channels are equally strong, as far as rounding lets us see."""
    floor = squares.max(axis=0)
    floor *= 1 - 8 * np.finfo(floor.dtype).eps
    count = np.zeros(floor.shape, np.uint8)
    for square in squares:
        count += square > floor
    return np.flatnonzero(count > 1)


def _at(component: Array, strength: Array, positions: Array) -> Array:
    return component.reshape(len(component), -1)[strength.argmax(axis=0), positions]


def _keep_strongest(right: Array, down: Array, squares: Array) -> None:
    """Leave in plane 0 what the strongest channel has; selection by bits costs no branches."""
    bits = _BITS[right.dtype.itemsize]
    one, other = right.view(bits), down.view(bits)
    for channel in range(1, len(squares)):
        mask = (squares[channel] > squares[0]).view(np.int8).astype(bits)
        np.negative(mask, out=mask)
        for planes in (one, other):
            swap = planes[channel]
            swap ^= planes[0]
            swap &= mask
            planes[0] ^= swap
        np.maximum(squares[0], squares[channel], out=squares[0])
