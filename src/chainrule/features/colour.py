"""Colour spaces, as bins: which of so many equal parts of its range a channel's value falls into.

A bin is found by multiplying first and dividing once, so that a value that lies on the edge of
two bins (a hue of one sixth, a grey of 85 out of 255) goes up, as in exact arithmetic. Each space
says how many channels it counts and finds their bins; `SPACES` lists them. Written for planes
(`pixelwise`): arrays of numbers, or tensors while a function of them is compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Protocol

import numpy as np


class Space(Protocol):
    """A way to number colours."""

    def channels(self, of_image: int) -> int:
        """Return how many channels are counted in images of 1 or 3 channels."""
        ...

    def bins(self, planes: Sequence[Any], sizes: tuple[int, ...]) -> list[Any]:
        """Return the bins of pixels given as a plane a channel, one plane a counted channel."""
        ...


class _RGB:
    def channels(self, of_image: int) -> int:
        return of_image

    def bins(self, planes: Sequence[Any], sizes: tuple[int, ...]) -> list[Any]:
        values, top = _values(planes)
        return [_bin(value, top, size) for value, size in zip(values, sizes, strict=True)]


class _HSV:
    def channels(self, of_image: int) -> int:
        return 3

    def bins(self, planes: Sequence[Any], sizes: tuple[int, ...]) -> list[Any]:
        values, top = _values(planes)
        value, spread = _value_and_spread(values)
        saturation = _bin(spread, np.maximum(value, _tiny(value)), sizes[1])
        return [_bin(_hue(values, value, spread), 6, sizes[0]), saturation, _bin(value, top, sizes[2])]


class _Hue:
    def channels(self, of_image: int) -> int:
        return 1

    def bins(self, planes: Sequence[Any], sizes: tuple[int, ...]) -> list[Any]:
        values, _ = _values(planes)
        return [_bin(_hue(values, *_value_and_spread(values)), 6, sizes[0])]


SPACES: dict[str, Space] = {"rgb": _RGB(), "hsv": _HSV(), "hue": _Hue()}


def _values(planes: Sequence[Any]) -> tuple[list[Any], int]:
    """Return the planes as floats, and the largest value that a pixel can have."""
    dtype, whole = planes[0].dtype, planes[0].dtype == np.uint8
    return [plane.astype(np.float32 if whole else dtype) for plane in planes], 255 if whole else 1


def _value_and_spread(values: Sequence[Any]) -> tuple[Any, Any]:
    value = reduce(np.maximum, values)
    return value, value - reduce(np.minimum, values)


def _hue(values: Sequence[Any], value: Any, spread: Any) -> Any:
    """Return the hue from 0 up to 6: red 0, green 2, blue 4; 0 where there is none."""
    red, green, blue = values if len(values) == 3 else (values[0],) * 3
    in_red, in_green = value == red, value == green
    across = np.where(in_red, green - blue, np.where(in_green, blue - red, red - green))
    sector = across / np.maximum(spread, _tiny(spread))
    sector = np.where(in_red, sector, np.where(in_green, sector + 2, sector + 4))
    return np.where(sector < 0, sector + 6, sector)


def _tiny(values: Any) -> float:
    return float(np.finfo(values.dtype).tiny)


def _bin(value: Any, top: Any, size: int) -> Any:
    """Return floor(value / top x size), the top itself in the last bin."""
    return np.minimum((value * size / top).astype(np.int32), size - 1)
