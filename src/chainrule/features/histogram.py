"""Colour histograms: which share of the pixels has which colour, in the whole image or by region.

Counts are divided by the number of pixels of their region, so that images of all sizes compare.
This file checks the arguments and counts; what a colour is, is the business of `colour`, whose
bins are found by a native function of planes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.compiler import compile as compiled
from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, DataError, DTypeError, ShapeError, nearest
from chainrule.features.colour import SPACES
from chainrule.features.images import (
    as_batch,
    chunk_length,
    in_chunks,
    is_count,
    layout_hint,
    positive_pair,
    result_dtype,
)
from chainrule.features.pixelwise import Pixelwise, into_planes, plane_length


def color_histogram(
    images: Any,
    bins: int | tuple[int, ...] = 8,
    space: str = "rgb",
    grid: tuple[int, int] = (1, 1),
    *,
    joint: bool = False,
    channel_axis: int | None = -3,
) -> Array:
    """Return the share of the pixels in each bin of colours, (n, features).

    `images`: (n, channels, height, width), one image (channels, height, width), or one grey image
    (height, width); other layouts by `channel_axis` (-1: channels last; None: grey images, no such
    axis). uint8, or floats from 0 to 1. `space`: "rgb" (of a grey image its one channel), "hsv"
    (hue, saturation, value), or "hue" alone; pixels without colour have hue 0. `bins`: a number,
    or one for each channel, equally wide; the last one is closed above. `joint=True` counts
    combinations (bins x bins x bins of them), else each channel is counted by itself. `grid`
    (rows, columns) counts by region of the image.

    Features lie in the order region by row, region by column, channel, bin; those of a region
    and channel (with `joint`: of a region) sum to 1. One image gives one vector. float64 for
    float64 images, else float32. Raises ShapeError, ArgumentError, DTypeError, DataError.

    >>> red = np.zeros((3, 10, 10), np.uint8)
    >>> red[0] = 255
    >>> color_histogram(red, bins=2).tolist()
    [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    >>> color_histogram([red, red], bins=4, space="hsv", grid=(4, 4), joint=True).shape
    (2, 1024)
    """
    x, single = as_batch("color_histogram", images, channel_axis)
    _check_pixels(x)
    sizes = histogram_bins(x.shape[1], bins, space)
    regions = positive_pair("color_histogram", "grid", grid)
    if regions[0] > x.shape[2] or regions[1] > x.shape[3]:
        raise ShapeError(
            f"color_histogram: a grid of {regions} has regions without pixels"
            f" in {x.shape[2]} x {x.shape[3]} images"
        )
    histograms = _Histograms(x, space, sizes, regions, joint)
    found = in_chunks(x, histograms, (math.prod(regions) * sum(histograms.sizes),), result_dtype(x))
    return found[0] if single else found


def histogram_bins(channels: int, bins: int | tuple[int, ...], space: str) -> tuple[int, ...]:
    """Return the number of bins of each channel that is counted; raises ArgumentError, ShapeError."""
    if space not in SPACES:
        raise ArgumentError(f"color_histogram: no space {space!r}", hint=nearest(str(space), SPACES))
    if channels not in (1, 3):
        hint = "drop the transparency: images[:, :3]" if channels == 4 else "channels last: channel_axis=-1"
        raise ShapeError(f"color_histogram: images must have 1 or 3 channels, got {channels}", hint=hint)
    counted = SPACES[space].channels(channels)
    sizes = tuple(bins) if isinstance(bins, tuple | list) else (bins,) * counted
    if len(sizes) != counted or not all(is_count(size) for size in sizes):
        raise ArgumentError(
            f"color_histogram: bins must be a number from 1 up, or {counted} of them for {space!r}"
            f" and {channels} channels, got {bins!r}"
        )
    return tuple(int(size) for size in sizes)


class _Histograms:
    """The shares of colours by region, of one chunk of images after the other.

    `sizes`: how many bins are counted, a number for each plane of them.
    """

    def __init__(
        self, x: Array, space: str, sizes: tuple[int, ...], regions: tuple[int, int], joint: bool
    ) -> None:
        """Make room for chunks of `x` (n, channels, height, width)."""
        count, channels = chunk_length(x), x.shape[1]
        self.sizes = (math.prod(sizes),) if joint else sizes
        region, self._pixels = _regions(x.shape[2:], regions)
        first = (region + np.arange(count)[:, None, None] * len(self._pixels)).reshape(-1)
        self._first = [first * size for size in self.sizes]
        kind = np.uint8 if x.dtype == np.uint8 else result_dtype(x)
        self._planes: Array = np.zeros((channels, plane_length(len(first))), kind)
        self._bins = Pixelwise(_bins(space, sizes, joint, self._planes.dtype, channels), list(self._planes))

    def __call__(self, chunk: Array) -> Array:
        """Return the shares of a chunk, (n, features)."""
        indices, regions = self._bins(into_planes(chunk, self._planes)), len(chunk) * len(self._pixels)
        counts = [
            _count(first[: len(index)] + index, regions * size).reshape(len(chunk), len(self._pixels), size)
            for index, first, size in zip(indices, self._first, self.sizes, strict=True)
        ]
        return (np.concatenate(counts, axis=2) / self._pixels[:, None]).reshape(len(chunk), -1)


@lru_cache(maxsize=64)
def _bins(
    space: str, sizes: tuple[int, ...], joint: bool, _dtype: np.dtype[Any], _channels: int
) -> Callable[..., tuple[Any, ...]]:
    """Return the native function of a plane a channel for the bins that are counted.

    One for each type and number of planes: a function of many programs would warn of a mistake.
    """

    def bins(*planes: Any) -> tuple[Any, ...]:
        found = SPACES[space].bins(planes, sizes)
        if not joint:
            return tuple(found)
        place = found[0]  # the last channel's bin runs fastest
        for index, size in zip(found[1:], sizes[1:], strict=True):
            place = place * size + index
        return (place,)

    return compiled(bins)


def _count(places: Array, length: int) -> Array:
    return np.bincount(places.reshape(-1), minlength=length)


def _regions(size: tuple[int, ...], grid: tuple[int, int]) -> tuple[Array, Array]:
    """Return for each pixel its region, (height, width), and for each region its number of pixels."""
    row, column = (np.arange(length) * parts // length for length, parts in zip(size, grid, strict=True))
    region = row[:, None] * grid[1] + column
    return region, _count(region, math.prod(grid))


def _check_pixels(x: Array) -> None:
    if x.dtype.kind in "iu" and x.dtype != np.uint8:
        raise DTypeError(
            f"color_histogram: whole numbers must be uint8 (0 to 255), got {x.dtype}",
            hint="images.astype(np.uint8), or floats from 0 to 1",
        )
    if x.dtype.kind == "f" and x.size:
        low, high = x.min(), x.max()
        if not (low >= 0 and high <= 1):
            hint = "images / 255" if 1 < high <= 255 and low >= 0 else layout_hint(x)
            raise DataError(
                f"color_histogram: float images must lie between 0 and 1, got {low:.6g} to {high:.6g}",
                hint=hint,
            )
