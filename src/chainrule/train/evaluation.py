"""What a model is worth on a split: one record of all that is measured, fit for people and for JSON.

Labels and targets are told apart by their type; how scores are made is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.train.metrics import (
    ClassScore,
    accuracy,
    class_scores,
    confusion_matrix,
    top_k_accuracy,
)
from chainrule.train.tally import is_labels


@dataclass(frozen=True)
class Evaluation:
    """The numbers of one split.

    For labels: `accuracy`, `top5` (from six classes on) and `confusion` (row = true class). For the
    targets of a regression: `rmse`, the root mean squared error, and `r2`, the share of the
    variance that is explained.
    """

    samples: int
    loss: float
    accuracy: float | None = None
    top5: float | None = None
    rmse: float | None = None
    r2: float | None = None
    confusion: Array | None = field(default=None, repr=False)
    classes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def score(self) -> tuple[float, float]:
        """What to compare by, higher is better: the accuracy (or minus the error), then minus the loss."""
        return (self.accuracy if self.accuracy is not None else -(self.rmse or 0.0), -self.loss)

    def per_class(self) -> list[ClassScore]:
        """Return precision, recall and F1 of each class; empty for a regression."""
        return [] if self.confusion is None else class_scores(self.confusion, self.classes)

    def means(self) -> dict[str, float]:
        """Return the numbers that exist, by name."""
        named = {name: getattr(self, name) for name in ("loss", "accuracy", "top5", "rmse", "r2")}
        return {name: value for name, value in named.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data; a number that does not exist is None, as JSON has no nan."""
        plain: dict[str, Any] = {"samples": self.samples, **self.means()}
        if self.confusion is not None:
            plain["confusion"] = self.confusion.tolist()
            plain["classes"] = [_without_nan(asdict(each)) for each in self.per_class()]
        return plain


def measure(scores: Array, y: Array, loss: float, classes: Sequence[str] = ()) -> Evaluation:
    """Return the evaluation of `scores` (n, classes) against labels (n,), or of predictions against targets.

    >>> measure(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]), loss=1.5).accuracy
    0.5
    """
    if not is_labels(y):
        error = np.square(scores - y, dtype=np.float64).sum()
        spread = np.square(y - y.mean(axis=0), dtype=np.float64).sum()
        r2 = float(1 - error / spread) if spread else None
        return Evaluation(len(y), loss, rmse=float(np.sqrt(error / y.size)), r2=r2)
    width = scores.shape[1]
    return Evaluation(
        len(y),
        loss,
        accuracy(scores, y),
        top_k_accuracy(scores, y, 5) if width > 5 else None,
        confusion=confusion_matrix(scores, y, width),
        classes=_named(classes, width),
    )


def _named(classes: Sequence[str], width: int) -> tuple[str, ...]:
    """Return a name for each score: the data may name fewer classes than the model tells apart."""
    return (*classes, *map(str, range(len(classes), width))) if classes else ()


def _without_nan(numbers: dict[str, Any]) -> dict[str, Any]:
    missing = {name for name, value in numbers.items() if isinstance(value, float) and np.isnan(value)}
    return {name: None if name in missing else value for name, value in numbers.items()}
