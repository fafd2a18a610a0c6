"""Random arguments of `hog`, and the comparison of ours with scikit-image's for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.features import hog

NORMS = ("L1", "L1-sqrt", "L2", "L2-Hys")


def argument_sets(count: int, seed: int, largest_cell: int = 12) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    for number in range(count):
        yield {
            "orientations": int(rng.integers(1, 19)),
            "pixels_per_cell": tuple(rng.integers(1, largest_cell + 1, 2).tolist()),
            "cells_per_block": tuple(rng.integers(1, 4, 2).tolist()),
            "block_norm": NORMS[number % 4],
            "transform_sqrt": bool(rng.integers(2)),
            "feature_vector": bool(rng.integers(2)),
        }


def differences(images: np.ndarray, arguments: dict[str, Any]) -> tuple[float, float]:
    """The largest difference of features, and of pictures (of full brightness 1), over a batch NCHW."""
    from skimage.feature import hog as reference

    # It cannot draw cells of one column where a bin stands upright (its strokes leave the image).
    drawable = arguments["pixels_per_cell"][1] > 1 or arguments["orientations"] % 2 == 0
    features, pictures = hog(images, visualize=True, **arguments)
    found = [0.0, 0.0]
    for image, feature, picture in zip(images, features, pictures, strict=True):
        colour = len(image) > 1
        wanted = reference(
            np.moveaxis(image, 0, -1) if colour else image[0],
            channel_axis=-1 if colour else None,
            visualize=drawable,
            **arguments,
        )
        wanted, drawn = wanted if drawable else (wanted, picture)
        assert feature.shape == wanted.shape and picture.shape == drawn.shape, arguments
        found[0] = max(found[0], float(np.abs(feature - wanted).max()))
        found[1] = max(found[1], float(np.abs(picture - drawn).max() / max(drawn.max(), 1e-9)))
    return found[0], found[1]
