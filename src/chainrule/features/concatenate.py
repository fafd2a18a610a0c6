"""Several features side by side, each brought to mean 0 and deviation 1 by the training split.

Mean and deviation are learnt in one walk over the images, a batch at a time, and images may come
as an array (a memory map too) or as batches from anywhere; so a million images need no more
memory than one batch and the features that are kept. This module knows no feature by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.whole import whole_number
from chainrule.errors import ArgumentError, DataError, ShapeError
from chainrule.features.moments import Moments
from chainrule.features.transformer import Transformer

Feature = Callable[[Array], Array] | Transformer


class Concatenate(Transformer):
    """The given features next to each other, standardised by what `fit` has seen.

    `features`: transformers (`HOG()`, `ColorHistogram()`, any of scikit-learn's) or functions of a
    batch of images (`hog`, `color_histogram`, your own), each giving (n, ...) numbers.
    `standardize`: subtract the mean and divide by the standard deviation that each feature has over
    the images given to `fit`; one that does not vary is only shifted. `batch_size`: how many images
    are worked on at a time.

    >>> from chainrule.features import HOG, ColorHistogram
    >>> images = np.random.default_rng(0).integers(0, 256, (50, 3, 32, 32), np.uint8)
    >>> both = Concatenate([HOG(), ColorHistogram(bins=4)]).fit(images[:40])
    >>> both.transform(images[40:]).shape
    (10, 336)
    """

    def __init__(self, features: Sequence[Feature], standardize: bool = True, batch_size: int = 1024) -> None:
        self.features = features
        self.standardize = standardize
        self.batch_size = batch_size

    def fit(self, images: Any, y: Any = None) -> Concatenate:
        """Learn mean and deviation of every feature from the training images and return self.

        `images`: one array, or batches as `stream` takes them, walked through once; features that
        learn by themselves are then fitted on the first batch.
        """
        moments = Moments()
        for batch in self._batches(images):
            if moments.count == 0:
                self._fit_parts(images if hasattr(images, "shape") else batch)
            parts = self._compute(batch)
            moments.add(np.concatenate(parts, axis=1))
            self.sizes_ = [part.shape[1] for part in parts]
        if moments.count == 0:
            raise DataError("Concatenate.fit: there are no images")
        self.n_features_out_ = sum(self.sizes_)
        self.mean_, self.scale_ = moments.mean, moments.scale()
        return self

    def transform(self, images: Any) -> Array:
        """Return the features of `images` (one array, or batches), (n, features)."""
        if not hasattr(images, "shape"):
            return np.concatenate([self._finish(batch) for batch in self._batches(images)] or [self._none()])
        found = self._none()
        for start, batch in zip(range(0, len(images), self.batch_size), self._batches(images), strict=True):
            part = self._finish(batch)
            if start == 0:
                found = np.empty((len(images), part.shape[1]), part.dtype)
            found[start : start + len(part)] = part
        return found

    def stream(self, images: Any) -> Iterator[Array]:
        """Yield the features of one batch after the other, (batch, features).

        `images`: an array, which is cut into batches, or an iterable of batches; a batch may be a
        pair (images, labels), as `chainrule.data.Batches` gives.
        """
        self._check_fitted("stream")
        return (self._finish(batch) for batch in self._batches(images))

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return a name for each feature, `part__feature`."""
        self._check_fitted("get_feature_names_out")
        named = []
        for (part, feature), size in zip(self._parts().items(), self.sizes_, strict=True):
            own = getattr(feature, "get_feature_names_out", lambda size=size: range(size))()
            named += [f"{part}__{name}" for name in own]
        return np.array(named, object)

    def _parts(self) -> dict[str, Any]:
        """Return the features by name; of equal names the second is called `name-2`."""
        if isinstance(self.features, str) or not isinstance(self.features, Sequence) or not self.features:
            raise ArgumentError(
                f"Concatenate: features must be a list of at least one, got {self.features!r}",
                hint="Concatenate([HOG(), ColorHistogram()])",
            )
        named: dict[str, Any] = {}
        for feature in self.features:
            if isinstance(feature, type) or not (hasattr(feature, "transform") or callable(feature)):
                raise ArgumentError(
                    f"Concatenate: a feature must be a transformer or a function of images, got {feature!r}",
                    hint="Concatenate([HOG(), ColorHistogram()])",
                )
            base = _name(feature)
            count = sum(name.partition("-")[0] == base for name in named)
            named[f"{base}-{count + 1}" if count else base] = feature
        return named

    def _fit_parts(self, images: Array) -> None:
        for feature in self._parts().values():
            if hasattr(feature, "fit"):
                feature.fit(images)

    def _compute(self, batch: Array) -> list[Array]:
        """Return each feature of a batch, (n, features of its own)."""
        found = []
        for name, feature in self._parts().items():
            values = np.asarray(feature.transform(batch) if hasattr(feature, "transform") else feature(batch))
            if values.ndim == 0 or len(values) != len(batch):
                raise ShapeError(
                    f"Concatenate: {name} gave {values.shape} for {len(batch)} images",
                    hint="a single image is a batch of one: image[None]",
                )
            found.append(values.reshape(len(batch), -1))
        return found

    def _finish(self, batch: Array) -> Array:
        self._check_fitted("transform")
        found = np.concatenate(self._compute(batch), axis=1)
        if found.shape[1] != self.n_features_out_:
            raise ShapeError(
                f"Concatenate: {found.shape[1]} features, but {self.n_features_out_} when fitted",
                hint="are the images of another size or number of channels?",
            )
        if self.standardize:
            found = found.astype(np.result_type(found, np.float32), copy=False)
            found -= self.mean_.astype(found.dtype)
            found /= self.scale_.astype(found.dtype)
        return found

    def _batches(self, images: Any) -> Iterator[Array]:
        """Yield arrays of images: slices of one array, or what an iterable of batches gives."""
        size = whole_number("Concatenate", "batch_size", self.batch_size)
        images = np.asarray(images) if isinstance(images, list | tuple) else images
        if hasattr(images, "shape"):
            return (images[start : start + size] for start in range(0, len(images), size))
        if not isinstance(images, Iterable):
            raise DataError(f"Concatenate: images must be an array or batches, got {type(images).__name__}")
        return (batch[0] if isinstance(batch, tuple) else batch for batch in images)

    def _check_fitted(self, operation: str) -> None:
        if not hasattr(self, "mean_"):
            raise DataError(f"Concatenate.{operation}: not fitted yet", hint="features.fit(splits.train.x)")

    def _none(self) -> Array:
        self._check_fitted("transform")
        return np.empty((0, self.n_features_out_), np.float32)


def _name(feature: Any) -> str:
    """Return the name of a function or the class of a transformer, in small letters."""
    function = getattr(feature, "func", feature)  # a functools.partial is called as what it wraps
    return getattr(function, "__name__", type(feature).__name__).strip("<>").lower()
