"""Augmentation: random views of a batch of images that keep what the images show.

Each class takes images (n, channels, height, width) of any type, and gives images of the same shape
and type. The draws come from the stream alone, a fixed number for each image. All is written in ops,
so eager and compiled training see the same pixels, bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.core.whole import whole_number
from chainrule.data.transform import TensorTransform
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.compare import where
from chainrule.ops.random import integers, uniform
from chainrule.ops.shape import moveaxis, pad


class RandomCrop(TensorTransform):
    """Shift each image by up to `padding` pixels each way; what comes in from outside is `fill`.

    The same as padding by `padding` on every side and cropping the old size at a random place.
    """

    def __init__(self, padding: int, fill: float = 0) -> None:
        self.padding, self.fill = whole_number("RandomCrop", "padding", padding), fill

    def changed(self, x: Tensor, stream: Stream | None) -> Tensor:
        """Return the images shifted."""
        n, _, height, width = _images("RandomCrop", x)
        side, fill = self.padding, _paint("RandomCrop", self.fill, x)
        padded = pad(x, ((0, 0), (0, 0), (side, side), (side, side)), constant_values=fill)
        top, left = integers(0, 2 * side + 1, (2, n), stream=stream)
        # A place plus neighbours: in compiled code that is a contiguous run of pixels.
        rows = top[:, None, None] + np.arange(height)[:, None]
        columns = left[:, None, None] + np.arange(width)
        # Indices on both sides of the channels put the channels last.
        crops = padded[np.arange(n)[:, None, None], :, rows, columns]
        return moveaxis(crops, -1, 1)

    def __repr__(self) -> str:
        return f"RandomCrop(padding={self.padding}, fill={self.fill})"


class HorizontalFlip(TensorTransform):
    """Mirror each image left to right with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ArgumentError(f"HorizontalFlip: p must be in [0, 1], got {p!r}")
        self.p = p

    def changed(self, x: Tensor, stream: Stream | None) -> Tensor:
        """Return the images, some of them mirrored."""
        n, *_ = _images("HorizontalFlip", x)
        mirrored = uniform((n, 1, 1, 1), stream=stream) < self.p
        return where(mirrored, x[..., ::-1], x)

    def __repr__(self) -> str:
        return f"HorizontalFlip(p={self.p})"


class Cutout(TensorTransform):
    """Paint a square of `size` pixels a side, centred anywhere in each image, with `fill`.

    The square is cut off at the border, as in DeVries and Taylor, "Improved Regularization of
    Convolutional Neural Networks with Cutout", 2017 (arXiv:1708.04552).
    """

    def __init__(self, size: int, fill: float = 0) -> None:
        self.size, self.fill = whole_number("Cutout", "size", size), fill

    def changed(self, x: Tensor, stream: Stream | None) -> Tensor:
        """Return the images with a square hidden in each."""
        n, _, height, width = _images("Cutout", x)
        rows = self._covered(integers(0, height, (n, 1), stream=stream), height)
        columns = self._covered(integers(0, width, (n, 1), stream=stream), width)
        hidden = rows[:, None, :, None] & columns[:, None, None, :]
        return where(hidden, _paint("Cutout", self.fill, x), x)

    def _covered(self, centre: Tensor, length: int) -> Tensor:
        first = centre - self.size // 2
        position = np.arange(length)
        return (first <= position) & (position < first + self.size)

    def __repr__(self) -> str:
        return f"Cutout(size={self.size}, fill={self.fill})"


def _images(name: str, x: Tensor) -> tuple[int, ...]:
    if x.ndim != 4:
        raise ShapeError(f"{name}: needs images (n, channels, height, width), got x {x.shape}")
    return x.shape


def _paint(name: str, fill: float, x: Tensor) -> Any:
    """Return `fill` as a Python number that the images' type can hold."""
    exact = np.asarray(fill)
    if x.dtype.kind in "iu" and (
        exact != exact // 1 or not np.can_cast(np.min_scalar_type(int(fill)), x.dtype)
    ):
        raise ArgumentError(f"{name}: fill {fill!r} is no value of {x.dtype} images")
    return exact.astype(x.dtype).item()
