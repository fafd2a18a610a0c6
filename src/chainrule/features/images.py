"""What a feature takes: one image or many, in any layout, walked through a chunk at a time.

Every feature begins here. `as_batch` brings its argument to (n, channels, height, width) without
copying; `in_chunks` hands it out a few images at a time, so that what a feature needs besides its
result does not grow with the number of images. Nothing here knows what a feature computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, DTypeError, ShapeError

_PIXELS = 2**17  # fewer cost more in calls, more would fit no cache


def as_batch(what: str, images: Any, channel_axis: int | None) -> tuple[Array, bool]:
    """Return `images` as (n, channels, height, width), and whether it was a single image.

    `channel_axis` says where the channels are (None: nowhere, the images are grey); an array of
    two axes is a grey image whatever it says. Raises ShapeError, DTypeError.
    """
    try:
        x = np.asarray(images)
    except ValueError as error:
        raise ShapeError(f"{what}: images must be one array, but differ in shape", hint=_LAYOUT) from error
    if x.dtype.kind not in "buif":
        raise DTypeError(f"{what}: images must be numbers, got {x.dtype}", got=_told(x))
    if channel_axis is not None and not isinstance(channel_axis, int | np.integer):
        raise ArgumentError(f"{what}: channel_axis must be a number or None, got {channel_axis!r}")
    axis = None if channel_axis is None or x.ndim == 2 else int(channel_axis)
    least = 2 if axis is None else 3
    if x.ndim not in (least, least + 1) or not (axis is None or -x.ndim <= axis < x.ndim):
        raise ShapeError(
            f"{what}: images must have {least} or {least + 1} axes with channel_axis={channel_axis},"
            f" got shape {x.shape}",
            hint=_LAYOUT,
        )
    if 0 in x.shape[-least:]:
        raise ShapeError(f"{what}: images are empty", got=_told(x))
    x = x[..., None, :, :] if axis is None else np.moveaxis(x, axis, -3)
    return (x[None], True) if x.ndim == 3 else (x, False)


def in_chunks(x: Array, compute: Callable[[Array], Array], sample: tuple[int, ...], dtype: Any) -> Array:
    """Return `compute` of every image of `x`, a chunk at a time; `sample` is the shape of one result."""
    found = np.empty((len(x), *sample), dtype)
    step = chunk_length(x)
    for start in range(0, len(x), step):
        found[start : start + step] = compute(x[start : start + step])
    return found


def chunk_length(x: Array) -> int:
    """Return how many images of `x` (n, channels, height, width) are worked on at a time."""
    return min(max(1, _PIXELS // (x.shape[2] * x.shape[3])), max(1, len(x)))


def result_dtype(x: Array) -> type[np.floating[Any]]:
    """Return the type of features: float64 for float64 images, else float32."""
    return np.float64 if x.dtype.kind == "f" and x.dtype.itemsize > 4 else np.float32


def positive_pair(what: str, name: str, value: Any) -> tuple[int, int]:
    """Return `value` as two numbers from 1 up, (rows, columns); raises ArgumentError."""
    pair = tuple(value) if isinstance(value, tuple | list) else ()
    if len(pair) != 2 or not all(is_count(side) for side in pair):
        raise ArgumentError(f"{what}: {name} must be (rows, columns), each at least 1, got {value!r}")
    return int(pair[0]), int(pair[1])


def is_count(value: Any) -> bool:
    """Say whether `value` is a whole number from 1 up."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def layout_hint(x: Array) -> str:
    """Return the hint for channels that seem to lie last, else ''."""
    return "for channels last: channel_axis=-1" if x.shape[1] > 4 >= x.shape[3] else ""


_LAYOUT = (
    "(n, channels, height, width), one (channels, height, width) or one grey (height, width);"
    " channel_axis=-1 for channels last, None for grey (n, height, width)"
)


def _told(x: Array) -> str:
    return f"images {x.shape} {x.dtype}"
