"""Features of 32 x 32 colour images, in time per image: batches against scikit-image's one by one.

Both sides use one thread. Bar for `hog`: 40 times scikit-image's rate on 8-bit images. Numbers must
agree to 1e-5 before anything is timed; without scikit-image only our own times are shown.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.timing import Options, Row, in_process
from chainrule.features import color_histogram, hog

OURS, THEIRS = 10_000, 100
NAMES = "hog color_histogram"


def rows(options: Options) -> Iterator[Row]:
    """Yield a row a feature and type of pixel."""
    if not options.wants("features", NAMES):
        return
    images = np.random.default_rng(0).integers(0, 256, (OURS, 3, 32, 32)).astype(np.uint8)
    for dtype in ("uint8", "float32"):
        pixels = images if dtype == "uint8" else (images / 255).astype(dtype)
        peers = {}
        if importlib.util.find_spec("skimage"):
            one_by_one = _skimage(pixels[:THEIRS])
            np.testing.assert_allclose(hog(pixels[:THEIRS]), one_by_one(), atol=1e-5)
            peers = {"scikit-image": one_by_one}
        yield _per_image(f"hog, 32x32 colour, {dtype}", lambda x=pixels: hog(x), peers, options)
    by_region = {"space": "hsv", "grid": (4, 4)}
    yield _per_image("color_histogram rgb", lambda: color_histogram(images), {}, options)
    yield _per_image("color_histogram hsv 4x4", lambda: color_histogram(images, **by_region), {}, options)


def _skimage(pixels: np.ndarray) -> Callable[[], np.ndarray]:
    from skimage.feature import hog as reference

    last = np.ascontiguousarray(np.moveaxis(pixels, 1, -1))
    return lambda: np.stack([reference(image, cells_per_block=(2, 2), channel_axis=-1) for image in last])


def _per_image(name: str, ours: Callable[[], object], peers: dict, options: Options) -> Row:
    row = in_process("features", name, {"chainrule": ours, **peers}, options)
    images = {"chainrule": OURS}
    return replace(row, figures={who: s.divided(images.get(who, THEIRS)) for who, s in row.figures.items()})
