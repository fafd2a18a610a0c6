"""What samples go through before the network: normalised as they are, or described by features.

Features of images are set down as text, `hog:4` or `color:8:4`, so that they fit into the settings
of a run; what the numbers leave out follows from the size of the images. Means and deviations come
from the training split only. Features are computed once for a whole split, not in every epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from chainrule.core.spec import Array, Shape
from chainrule.data import Dataset, Normalizer, Splits
from chainrule.errors import ArgumentError
from chainrule.features import HOG, ColorHistogram, Concatenate

FEATURES = ("hog", "color", "hue")


class Preparation(Protocol):
    """Turns samples (n, ...) into what the network takes."""

    def __call__(self, x: Array) -> Array:
        """Return the samples prepared, float32."""
        ...

    def state(self) -> dict[str, list[float]]:
        """Return what was learnt, as plain data."""
        ...


class Description:
    """Images as standardised features: `features` side by side, each of mean 0 and deviation 1.

    `features` are texts: `hog[:CELL[:ORIENTATIONS]]` (pixels along a side of a cell),
    `color[:BINS[:GRID]]` (hue, saturation and value counted by region; of grey images their one
    channel) and `hue[:BINS[:GRID]]`. Raises ArgumentError where they do not fit the images.

    >>> images = np.random.default_rng(0).integers(0, 256, (20, 3, 16, 16), np.uint8)
    >>> described = Description(("hog:4", "color:8:2"), (3, 16, 16))
    >>> described.fit_transform(images).shape
    (20, 420)
    """

    def __init__(self, features: Sequence[str], sample_shape: Shape) -> None:
        if len(sample_shape) != 3:
            raise ArgumentError(
                f"features: only images have them, the samples are {sample_shape}", hint="leave them out"
            )
        self.width = 0
        self.scale = Normalizer()
        blank = np.zeros((1, *sample_shape), np.uint8)
        parts = [_extractor(text, sample_shape) for text in features]
        self.extract = Concatenate(parts, standardize=False).fit(blank)
        self.width = int(self.extract.transform(blank).shape[1])

    def fit_transform(self, x: Array) -> Array:
        """Learn means and deviations of the features of the training images, and return them."""
        found = self.extract.transform(x)
        self.scale.fit(found)
        return self.scale(found)

    def __call__(self, x: Array) -> Array:
        """Return the features (n, width) of images (n, channels, height, width)."""
        return self.scale(self.extract.transform(x))

    def state(self) -> dict[str, list[float]]:
        """Return means and deviations as plain lists."""
        return self.scale.state()


def prepare(features: Sequence[str], splits: Splits, mirrored: bool = False) -> tuple[Preparation, Splits]:
    """Return the preparation fitted on the training split, and the splits to walk through.

    With features these are the prepared splits, and the network is given them as they are; with
    `mirrored` the training split holds each image's mirror image too. Without features they are
    `splits` themselves, to be prepared batch by batch.
    """
    if not features:
        return Normalizer().fit(splits.train.x), splits
    described = Description(features, splits.sample_shape)
    train = splits.train
    if mirrored:
        x = np.concatenate([train.x, train.x[..., ::-1]])
        train = Dataset(x, np.concatenate([train.y, train.y]), splits.classes)
    walked = {"train": Dataset(described.fit_transform(train.x), train.y, splits.classes)}
    for name, part in splits.parts.items():
        if name != "train":
            walked[name] = Dataset(described(part.x), part.y, splits.classes)
    return described, replace(splits, **walked)


def prepared(features: Sequence[str], sample_shape: Shape, state: Mapping[str, Any]) -> Preparation:
    """Return the preparation that `state()` describes; CheckpointError where it does not."""
    scale = Normalizer.from_state(state)
    if not features:
        return scale
    described = Description(features, sample_shape)
    described.scale = scale
    return described


def described_shape(features: Sequence[str], sample_shape: Shape) -> Shape:
    """Return the shape of a sample as the network takes it."""
    return (Description(features, sample_shape).width,) if features else sample_shape


def parsed_feature(text: str) -> tuple[str, list[int]]:
    """Return `("hog", [4])` for `hog:4`; ArgumentError for what is no feature."""
    name, *numbers = text.split(":")
    if name not in FEATURES:
        raise ArgumentError(f"features: there is none called {name!r}", hint="hog:4, color:8:4 or hue:16:2")
    if len(numbers) > 2 or not all(number.isdigit() and int(number) > 0 for number in numbers):
        raise ArgumentError(
            f"features: {text!r} should read like {name}:8, a name and up to two whole numbers"
        )
    return name, [int(number) for number in numbers]


def _extractor(text: str, sample_shape: Shape) -> HOG | ColorHistogram:
    name, numbers = parsed_feature(text)
    channels, *sides = sample_shape
    side = min(sides)
    if name == "hog":
        usual = (max(1, side // 8), 9)
        cell, orientations = (*numbers, *usual[len(numbers) :])
        if 2 * cell > side:
            raise ArgumentError(
                f"features: {text!r} needs two cells a side, the images are {sides[0]} x {sides[1]}",
                hint=f"hog:{max(1, side // 8)}",
            )
        return HOG(orientations=orientations, pixels_per_cell=(cell, cell))
    bins, grid = (*numbers, *(8, min(4, side))[len(numbers) :])
    if grid > side:
        raise ArgumentError(f"features: {text!r} has more regions than the images have pixels")
    space = "rgb" if channels == 1 else "hsv" if name == "color" else "hue"
    if channels == 1 and name == "hue":
        raise ArgumentError("features: grey images have no hue", hint="color")
    return ColorHistogram(bins=bins, space=space, grid=(grid, grid))
