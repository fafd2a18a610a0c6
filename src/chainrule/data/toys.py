"""Two-dimensional toys: small point clouds that show what a network can and cannot separate.

Every function returns a balanced `Dataset` of points (n, 2) float32, about -1 to 1 each way, in
random order; `noise` is the standard deviation of a normal shift. The same seed gives the same
points everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.whole import whole_number
from chainrule.data.dataset import Dataset
from chainrule.errors import ArgumentError

# Far above the stream numbers of epochs, so that no shuffle repeats a draw.
_STREAM = 2**62 + 2


def spiral(samples: int = 300, noise: float = 0.05, seed: int = 0, classes: int = 3) -> Dataset:
    """Return arms that wind once round the centre, one for each class."""
    label, stream = _labels("spiral", samples, noise, seed, classes)
    radius = stream.uniform((samples,), 0.05, 1.0, np.float64)
    angle = 2 * np.pi * (label / classes + radius)
    return _cloud(radius * np.sin(angle), radius * np.cos(angle), label, noise, stream)


def circles(samples: int = 300, noise: float = 0.05, seed: int = 0, inner: float = 0.5) -> Dataset:
    """Return a ring of radius 1 (class 0) round a ring of radius `inner` (class 1)."""
    if not isinstance(inner, float) or not 0 < inner < 1:
        raise ArgumentError(f"circles: inner must be between 0 and 1, got {inner!r}")
    label, stream = _labels("circles", samples, noise, seed, 2)
    angle = stream.uniform((samples,), 0.0, 2 * np.pi, np.float64)
    radius = np.where(label == 0, 1.0, inner)
    return _cloud(radius * np.cos(angle), radius * np.sin(angle), label, noise, stream)


def moons(samples: int = 300, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Return two half rings that reach into each other."""
    label, stream = _labels("moons", samples, noise, seed, 2)
    angle = stream.uniform((samples,), 0.0, np.pi, np.float64)
    side = 1 - 2 * label
    return _cloud(
        side * (0.6 * np.cos(angle) - 0.3), side * (0.6 * np.sin(angle) - 0.15), label, noise, stream
    )


def xor(samples: int = 300, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Return four squares of which those on a diagonal belong together: class 1 where x y < 0."""
    label, stream = _labels("xor", samples, noise, seed, 2)
    x, y = stream.uniform((2, samples), 0.1, 1.0, np.float64)
    sign = np.where(stream.uniform((samples,)) < 0.5, -1.0, 1.0)
    return _cloud(sign * x, sign * y * (1 - 2 * label), label, noise, stream)


def blobs(samples: int = 300, noise: float = 0.15, seed: int = 0, classes: int = 3) -> Dataset:
    """Return one round cloud for each class, their centres evenly spaced on a circle."""
    label, stream = _labels("blobs", samples, noise, seed, classes)
    angle = 2 * np.pi * label / classes
    return _cloud(0.7 * np.sin(angle), 0.7 * np.cos(angle), label, noise, stream)


TOYS: dict[str, Callable[..., Dataset]] = {
    "spiral": spiral,
    "circles": circles,
    "moons": moons,
    "xor": xor,
    "blobs": blobs,
}


def _labels(name: str, samples: int, noise: float, seed: int, classes: int) -> tuple[Array, Stream]:
    classes = whole_number(name, "classes", classes, least=2)
    samples = whole_number(name, "samples", samples, least=classes)  # at least one of each class
    if not isinstance(noise, int | float) or not 0 <= noise < np.inf:
        raise ArgumentError(f"{name}: noise must be a number of at least 0, got {noise!r}")
    stream = Stream(seed, _STREAM)
    return stream.permutation(samples) % classes, stream


def _cloud(x: Array, y: Array, label: Array, noise: float, stream: Stream) -> Dataset:
    points = np.stack([x, y], axis=1)
    points += stream.normal(points.shape, 0.0, 1.0, np.float64) * noise
    return Dataset(points.astype(np.float32), label, tuple(str(kind) for kind in range(label.max() + 1)))
