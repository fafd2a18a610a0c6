"""Colour spaces, as bins: which of so many equal parts of its range a channel's value falls into.

A bin is found by multiplying first and dividing once, so that a value that lies on the edge of
two bins (a hue of one sixth, a grey of 85 out of 255) goes up, as in exact arithmetic. Each space
says how many channels it counts and finds their bins; `SPACES` lists them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from chainrule.features.images import Array


class Space(Protocol):
    """A way to number colours."""

    def channels(self, of_image: int) -> int:
        """Return how many channels are counted in images of 1 or 3 channels."""
        ...

    def bins(self, chunk: Array, sizes: tuple[int, ...]) -> list[Array]:
        """Return the bins of (n, channels, height, width), one array (n, height, width) a channel."""
        ...


class _RGB:
    def channels(self, of_image: int) -> int:
        return of_image

    def bins(self, chunk: Array, sizes: tuple[int, ...]) -> list[Array]:
        values, top = _values(chunk)
        return [_bin(values[channel], top, size) for channel, size in enumerate(sizes)]


class _HSV:
    def channels(self, of_image: int) -> int:
        return 3

    def bins(self, chunk: Array, sizes: tuple[int, ...]) -> list[Array]:
        values, top = _values(chunk)
        value = values.max(axis=0)
        spread = value - values.min(axis=0)
        saturation = _bin(spread, np.maximum(value, np.finfo(value.dtype).tiny), sizes[1])
        return [_bin(_hue(values, value, spread), 6, sizes[0]), saturation, _bin(value, top, sizes[2])]


class _Hue:
    def channels(self, of_image: int) -> int:
        return 1

    def bins(self, chunk: Array, sizes: tuple[int, ...]) -> list[Array]:
        values, _ = _values(chunk)
        value = values.max(axis=0)
        return [_bin(_hue(values, value, value - values.min(axis=0)), 6, sizes[0])]


SPACES: dict[str, Space] = {"rgb": _RGB(), "hsv": _HSV(), "hue": _Hue()}


def _values(chunk: Array) -> tuple[Array, int]:
    """Return the pixels as float planes (channels, n, height, width), and the largest possible one."""
    dtype = np.float64 if chunk.dtype == np.float64 else np.float32
    return np.ascontiguousarray(chunk.swapaxes(0, 1), dtype), 255 if chunk.dtype == np.uint8 else 1


def _hue(values: Array, value: Array, spread: Array) -> Array:
    """Return the hue from 0 up to 6: red 0, green 2, blue 4; 0 where there is none."""
    red, green, blue = values if len(values) == 3 else (values[0],) * 3
    in_red = value == red
    in_green = (value == green) & ~in_red
    in_blue = ~(in_red | in_green)
    # Products with 0 and 1 are much faster than selections.
    sector = (green - blue) * in_red
    sector += (blue - red) * in_green
    sector += (red - green) * in_blue
    sector /= np.maximum(spread, np.finfo(spread.dtype).tiny)
    sector += 2 * in_green.view(np.int8) + 4 * in_blue.view(np.int8)
    sector += 6 * (sector < 0)
    return sector


def _bin(value: Array, top: Array | int, size: int) -> Array:
    """Return floor(value / top x size), the top itself in the last bin."""
    scaled = value * value.dtype.type(size)
    scaled /= top
    return np.minimum(scaled.astype(np.int32), size - 1)
