"""Functions of pixels as native code: planes go in and come out, in pieces of a few fixed lengths.

A plane is one number for each pixel of a chunk of images, in a row; so one program serves images of
every size and batches of every length. Planes stay where they are and are filled anew for each
chunk. What a plane holds and what is computed, this module does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.spec import Array

LENGTHS = (2**12, 2**15, 2**17)  # pixels of a piece: of one small image, of a few, of a chunk


def plane_length(pixels: int) -> int:
    """Return how long planes for so many pixels are to be: a whole piece at least."""
    return next((length for length in LENGTHS if pixels <= length), pixels)


def into_planes(chunk: Array, planes: Array) -> int:
    """Put images (n, channels, height, width) into `planes` (channels, at least so many pixels).

    Returns how many pixels a channel has.
    """
    count, channels, height, width = chunk.shape
    pixels = count * height * width
    planes[:, :pixels].reshape(channels, count, height, width)[...] = chunk.swapaxes(0, 1)
    return pixels


class Pixelwise:
    """A compiled function of `planes`, arrays of one `plane_length`, that returns a tuple of planes."""

    def __init__(self, function: Callable[..., tuple[Any, ...]], planes: Sequence[Array]) -> None:
        self._function, self._length = function, len(planes[0])
        self._piece = piece = min(self._length, LENGTHS[-1])
        # The last piece may overlap the one before. Cut once: arrays seen before are passed on quickly.
        starts = (min(start, self._length - piece) for start in range(0, self._length, piece))
        self._pieces = [(start, [plane[start : start + piece] for plane in planes]) for start in starts]
        self._found: list[Array] = []

    def __call__(self, pixels: int) -> list[Array]:
        """Return the function's planes for the first `pixels`; the next call may write over them."""
        for start, planes in self._pieces[: -(-pixels // self._piece)]:
            made = [np.asarray(each) for each in self._function(*planes)]
            if len(self._pieces) == 1:
                return [each[:pixels] for each in made]
            self._found = self._found or [np.empty(self._length, each.dtype) for each in made]
            for whole, part in zip(self._found, made, strict=True):
                whole[start : start + self._piece] = part
        return [each[:pixels] for each in self._found]
