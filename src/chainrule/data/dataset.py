"""A data set as two arrays: samples and what is known about each.

`Dataset` checks once, when it is made, all that the code after it relies on: lengths that match,
labels that name a class, numbers that are finite. `Splits` are the parts that one source gives.
Nothing here knows where the arrays came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from chainrule.core.spec import Array
from chainrule.errors import DataError, IndexRangeError

Indices = slice | Sequence[int] | Array


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples `x` (n, ...) and labels `y` (n,), with the name of each class.

    Images are uint8 (n, channels, height, width), tables float32 (n, features). Integer `y` are
    labels (kept as int64), named by `classes` or else by their own digits; float `y` are the
    targets of a regression (kept as float32), which has no classes.
    Raises DataError where the arrays contradict each other.

    >>> flowers = Dataset(np.zeros((4, 2), np.float32), [0, 1, 1, 0], ("rose", "tulip"))
    >>> flowers
    Dataset(4 samples of (2,) float32, 2 classes: rose, tulip)
    >>> len(flowers[1:3]), flowers.subset([0, 3]).y.tolist()
    (2, [0, 0])
    """

    x: Array
    y: Array
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        x, y = as_array("Dataset: x", self.x), as_array("Dataset: y", self.y)
        _check_samples(x, y)
        if y.dtype.kind in "iub":
            y, classes = _labels(y, tuple(str(name) for name in self.classes))
        else:
            y, classes = _targets(y, self.classes), ()
        for name, value in (("x", x), ("y", y), ("classes", classes)):
            object.__setattr__(self, name, value)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: `x.shape` without its first axis."""
        return self.x.shape[1:]

    def subset(self, indices: Indices) -> Dataset:
        """Return the samples at `indices` (positions, a mask or a slice), in that order."""
        chosen = indices if isinstance(indices, slice) else np.asarray(indices)
        try:
            return Dataset(self.x[chosen], self.y[chosen], self.classes)
        except IndexError as error:
            raise IndexRangeError(f"Dataset.subset: {error}", got=f"{len(self)} samples") from error

    def __len__(self) -> int:
        return len(self.x)

    @overload
    def __getitem__(self, index: int) -> tuple[Array, Any]: ...
    @overload
    def __getitem__(self, index: Indices) -> Dataset: ...
    def __getitem__(self, index: int | Indices) -> tuple[Array, Any] | Dataset:
        if not isinstance(index, int | np.integer):
            return self.subset(index)
        if not -len(self) <= index < len(self):
            raise IndexRangeError(f"Dataset: sample {index} is beyond its {len(self)} samples")
        return self.x[index], self.y[index]

    def __repr__(self) -> str:
        listed = ", ".join(self.classes[:10]) + (", ..." if len(self.classes) > 10 else "")
        kind = f"{len(self.classes)} classes: {listed}" if self.classes else "regression"
        samples = "sample" if len(self) == 1 else "samples"
        return f"Dataset({len(self)} {samples} of {self.sample_shape} {self.x.dtype}, {kind})"


def as_array(what: str, values: Any) -> Array:
    """Return `values` as an array; raises DataError, opened by `what`, where rows differ in length."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{what} has rows of different lengths or shapes", got=str(error)) from error


def flat_labels(y: Array) -> str:
    """Return the code that makes one label a sample of `y`: of a column, or of one-hot rows."""
    column = y.size == len(y) if y.ndim else False
    return "y.reshape(-1)" if column else "one-hot rows become labels by y.argmax(axis=1)"


class Skipped(NamedTuple):
    """A file that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, eq=False)
class Splits:
    """The parts of a data set: learn on `train`, choose on `validation`, report on `test`.

    A part is None where there is none and none was drawn. `skipped` lists the files left out,
    `notes` what was decided on the way and may surprise.
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    name: str
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, part in self.parts.items():
            if (part.sample_shape, part.classes) != (self.sample_shape, self.classes):
                raise DataError(
                    f"{self.name}: {name} does not fit train: samples or classes differ",
                    got=f"train {self.train!r}; {name} {part!r}",
                )

    @property
    def parts(self) -> dict[str, Dataset]:
        """The splits that exist, by name."""
        every = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in every.items() if part is not None}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the data should be told: the notes, and which files were left out."""
        return (*self.notes, *(f"left out: {each.path} ({each.reason})" for each in self.skipped))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty for a regression."""
        return self.train.classes

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.train.sample_shape


def _check_samples(x: Array, y: Array) -> None:
    if x.ndim < 2 or y.ndim < 1:
        raise DataError(
            "Dataset: x needs a first axis of samples and at least one axis of values, y one number a sample",
            got=f"x {x.shape}, y {y.shape}",
            hint="a single feature is x.reshape(-1, 1)",
        )
    if len(x) != len(y):
        raise DataError(
            f"Dataset: x has {len(x)} samples but y has {len(y)}", got=f"x {x.shape}, y {y.shape}"
        )
    if x.size == 0:
        raise DataError("Dataset: x is empty", got=f"x {x.shape}, y {y.shape}")
    for name, values in (("x", x), ("y", y)):
        if values.dtype.kind not in "iubf":
            words = name == "y" and values.dtype.kind in "US"
            hint = "classes, y = np.unique(y, return_inverse=True), then Dataset(x, y, tuple(classes))"
            wrong = f"Dataset: {name} must hold real numbers, not {'words' if words else values.dtype}"
            raise DataError(wrong, hint=hint if words else "")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            raise DataError(
                f"Dataset: {name} has values that are not finite, first in sample {int(np.argmin(finite))}",
                got=f"{int((~finite).sum())} of {len(values)} samples with nan or inf",
            )


def _labels(y: Array, classes: tuple[str, ...]) -> tuple[Array, tuple[str, ...]]:
    if y.ndim != 1:
        raise DataError(
            f"Dataset: labels must be one number a sample, got y {y.shape}",
            hint=flat_labels(y),
        )
    low, high = int(y.min()), int(y.max())
    classes = classes or tuple(str(label) for label in range(max(high, 0) + 1))
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        raise DataError(f"Dataset: two classes are called {twice!r}")
    if low < 0 or high >= len(classes):
        wrong = low if low < 0 else high
        raise DataError(
            f"Dataset: label {wrong} is outside 0..{len(classes) - 1}",
            got=f"{len(classes)} classes, labels from {low} to {high}",
        )
    if len(classes) < 2:
        raise DataError(
            "Dataset: there is only one class, so there is nothing to tell apart",
            got=f"classes {classes}",
        )
    return y.astype(np.int64), classes


def _targets(y: Array, classes: Sequence[str]) -> Array:
    if len(classes):
        raise DataError(
            f"Dataset: y is {y.dtype}, but the {len(classes)} classes ask for integer labels",
            hint="labels: y.astype(int); regression: leave classes out",
        )
    return y.astype(np.float32)
