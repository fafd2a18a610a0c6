"""Views of a batch of 128 colour images of 32 x 32, compiled, against NumPy by hand; one thread.

Both draw the same numbers from streams of their own, and their pixels must be the same before anything
is timed. The views stay bytes; "and normalised" makes float32 of them, as a network takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import chainrule as cr
from benchmarks.timing import OURS, Options, Row, in_process
from chainrule.core.stream import Stream
from chainrule.data import Cutout, HorizontalFlip, Normalizer, RandomCrop

Images = np.ndarray
ROWS = {
    "flip": ("flip",),
    "crop 4": ("crop",),
    "cutout 8": ("cutout",),
    "flip, crop 4": ("flip", "crop"),
    "flip, crop 4, cutout 8": ("flip", "crop", "cutout"),
    "flip, crop 4, and normalised": ("flip", "crop", "normalised"),
}


def rows(options: Options) -> Iterator[Row]:
    """Yield a row a chain of views."""
    images = np.random.default_rng(0).integers(0, 256, (128, 3, 32, 32)).astype(np.uint8)
    scale = Normalizer().fit(images)
    ours = {"flip": HorizontalFlip(), "crop": RandomCrop(4), "cutout": Cutout(8), "normalised": scale}
    for name, chain in ROWS.items():
        if not options.wants("augmentation", name):
            continue
        native = cr.compile(_chained([ours[each] for each in chain], Stream(1)))
        by_hand = _chained([_BY_HAND.get(each, _normalised(scale)) for each in chain], Stream(1))
        np.testing.assert_array_equal(native(images).data, by_hand(images))
        runs = {OURS: lambda native=native: native(images), "numpy": lambda f=by_hand: f(images)}
        before = cr.get_num_threads()
        cr.set_num_threads(1)
        yield in_process("augmentation", name, runs, options)
        cr.set_num_threads(before)


def _chained(steps: list, stream: Stream) -> Callable:
    def views(x):
        for step in steps:
            x = step(x, stream)
        return x

    return views


# ---- by hand -------------------------------------------------------------------------------------
def _flip(x: Images, stream: Stream) -> Images:
    return np.where(stream.uniform((len(x), 1, 1, 1)) < 0.5, x[..., ::-1], x)


def _crop(x: Images, stream: Stream) -> Images:
    n, _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (4, 4), (4, 4)))
    top, left = stream.integers(0, 9, (2, n))
    rows = top[:, None, None] + np.arange(height)[:, None]
    columns = left[:, None, None] + np.arange(width)
    crops = padded[np.arange(n)[:, None, None], :, rows, columns]
    return np.ascontiguousarray(np.moveaxis(crops, -1, 1))


def _cutout(x: Images, stream: Stream) -> Images:
    hidden = []
    for length in x.shape[2:]:
        first = stream.integers(0, length, (len(x), 1)) - 4
        hidden.append((first <= np.arange(length)) & (np.arange(length) < first + 8))
    return np.where(hidden[0][:, None, :, None] & hidden[1][:, None, None, :], np.uint8(0), x)


def _normalised(scale: Normalizer) -> Callable[[Images, Stream], Images]:
    mean, std = (np.float32(each).reshape(1, -1, 1, 1) for each in (scale.mean, scale.std))
    return lambda x, stream: (x.astype(np.float32) - mean) / std


_BY_HAND = {"flip": _flip, "crop": _crop, "cutout": _cutout}
