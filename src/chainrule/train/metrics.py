"""How good predictions are: accuracy, top-k, confusion matrix, and what follows for each class.

Plain NumPy on scores, predictions and labels. The confusion matrix, rows by the true class and
columns by the predicted one, is the one thing that is counted; precision, recall and F1 are read
from it. Whose scores they are is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, ShapeError


def accuracy(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the share of right predictions; `scores` (n, classes), or predicted labels (n,).

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    predicted, labels = _predicted(scores), np.asarray(labels)
    _check_lengths("accuracy", predicted, labels)
    return float((predicted == labels).mean())


def top_k_accuracy(scores: npt.ArrayLike, labels: npt.ArrayLike, k: int = 5) -> float:
    """Return how often the label is among the `k` highest scores (n, classes); ties by the lower class."""
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2:
        raise ShapeError(f"top_k_accuracy: scores must be (n, classes), got {scores.shape}")
    if not 1 <= k <= scores.shape[1]:
        raise ArgumentError(f"top_k_accuracy: k must be from 1 to {scores.shape[1]}, got {k}")
    _check_lengths("top_k_accuracy", scores, labels)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def confusion_matrix(scores: npt.ArrayLike, labels: npt.ArrayLike, classes: int) -> Array:
    """Return counts (classes, classes), int64: row = the true class, column = the predicted one.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    predicted, labels = _predicted(scores), np.asarray(labels)
    _check_lengths("confusion_matrix", predicted, labels)
    for name, values in (("predictions", predicted), ("labels", labels)):
        if values.size and not (0 <= values.min() and values.max() < classes):
            raise ArgumentError(
                f"confusion_matrix: {name} must be from 0 to {classes - 1},"
                f" got {values.min()} to {values.max()}"
            )
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """One class's precision, recall, F1 and number of samples; nan where 0 / 0 would stand."""

    name: str
    precision: float
    recall: float
    f1: float
    samples: int


def class_scores(confusion: Array, names: Sequence[str] = ()) -> list[ClassScore]:
    """Return the scores of each class from the counts of `confusion_matrix`.

    Precision: how many of those called so are so. Recall: how many of those that are so were found.
    F1: their harmonic mean, 2 TP / (2 TP + FP + FN).
    """
    hits, called, real = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    names = names or [str(label) for label in range(len(confusion))]
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = (hits / called, hits / real, 2 * hits / (called + real))
    return [
        ClassScore(name, float(p), float(r), float(f), int(n))
        for name, p, r, f, n in zip(names, *columns, real, strict=True)
    ]


def _predicted(scores: npt.ArrayLike) -> Array:
    scores = np.asarray(scores)
    return scores.argmax(axis=1) if scores.ndim == 2 else scores


def _check_lengths(name: str, predicted: Array, labels: Array) -> None:
    if labels.ndim != 1 or len(predicted) != len(labels):
        raise ShapeError(
            f"{name}: needs one label for each prediction, got {labels.shape} for {predicted.shape[:1]}"
        )
