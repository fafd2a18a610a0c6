"""The gradient of an image: central differences, in each pixel of the channel where it is strongest.

Differences are taken over a whole chunk as one long row, and the borders set to 0 afterwards. Two
channels of almost equal strength are looked at again with `hypot`, as scikit-image sees them, for
their directions may differ much. 8-bit images stay integers, where few ties are uncertain. This module
knows pixels and channels; what becomes of the gradients is decided in `orientation` and `hog`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import DataError
from chainrule.features.images import Array

# Below, equal sums of two 8-bit squares have equal roots in `hypot` too; above, not always.
_FIRST_UNCERTAIN = 2993
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

    With `transform_sqrt` differences are taken of the roots of the pixels. Raises DataError where
    they are not finite.
    """
    dtype = working_dtype(chunk)
    if transform_sqrt and dtype is np.int16:
        dtype = np.float64
    with np.errstate(over="ignore", invalid="ignore"):
        channels = [_gradient(chunk[:, channel], dtype, transform_sqrt) for channel in range(chunk.shape[1])]
        found, close = _strongest(channels)
    if dtype is not np.int16 and not np.isfinite(found.strength).all():
        raise DataError("hog: images hold nan or infinite values, or values too large to square")
    if len(close):
        right, down = (np.stack([each[part].reshape(-1)[close] for each in channels]) for part in (0, 1))
        kind = np.float64 if dtype is np.int16 else dtype
        first = np.hypot(right, down, dtype=kind).argmax(axis=0)[None]
        found.right.reshape(-1)[close] = np.take_along_axis(right, first, axis=0)[0]
        found.down.reshape(-1)[close] = np.take_along_axis(down, first, axis=0)[0]
    return found


def _gradient(pixels: Array, dtype: Any, transform_sqrt: bool) -> tuple[Array, Array]:
    """Return the rightward and downward differences of one channel (n, height, width)."""
    plane = np.ascontiguousarray(pixels, dtype)
    plane = np.sqrt(plane) if transform_sqrt else plane
    return _differences(plane, 1, -1), _differences(plane, plane.shape[-1], -2)


def _differences(plane: Array, step: int, axis: int) -> Array:
    """Return next minus previous along an axis whose neighbours lie `step` apart, 0 at both ends."""
    found, flat = np.empty_like(plane), plane.reshape(-1)
    np.subtract(flat[2 * step :], flat[: -2 * step], out=found.reshape(-1)[step:-step])
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


def _strongest(channels: list[tuple[Array, Array]]) -> tuple[Gradient, Array]:
    """Return the gradient of the channel with the largest square, and where two are about as large."""
    (right, down), dtype = channels[0], channels[0][0].dtype
    bits = _BITS[dtype.itemsize]
    top = _squares(right, down)
    best, close = [right.view(bits), down.view(bits)], np.zeros(top.shape, bool)
    for channel in channels[1:]:
        square = _squares(*channel)
        mask = (square > top).view(np.int8).astype(bits)
        np.negative(mask, out=mask)
        close |= _about_equal(square, top, dtype)
        # Selection by bits costs no branches.
        best = [_selected(mask, new.view(bits), old) for new, old in zip(channel, best, strict=True)]
        top = np.maximum(top, square, out=square)
    if len(channels) > 1:
        close &= top >= _FIRST_UNCERTAIN if dtype == np.int16 else top > 0
    right, down = (part.view(dtype) for part in best)
    return Gradient(right, down, np.sqrt(top, out=top)), np.flatnonzero(close)


def _selected(mask: Array, new: Array, old: Array) -> Array:
    """Return the bits of `new` where `mask` is -1, of `old` where it is 0."""
    found = new ^ old
    found &= mask
    found ^= old
    return found


def _about_equal(square: Array, top: Array, dtype: Any) -> Array:
    if dtype == np.int16:
        return square == top
    gap = square - top
    return np.abs(gap, out=gap) <= (8 * np.finfo(top.dtype).eps) * top
