"""Labels: the number of the right class of each sample, checked, and as marks along the classes.

Scores are (classes,), (n, classes) or (n, classes, d1, ...); labels have that shape without the
classes. Losses over classes are written with these marks, so that labels are compared, never used
as addresses. What a loss does with the marks is not known here.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.mode import mode
from chainrule.core.sample import Wrong, wrong
from chainrule.core.spec import spec_of
from chainrule.core.tensor import Tensor
from chainrule.errors import ChainruleError, DTypeError, IndexRangeError, ShapeError
from chainrule.ops.compare import equal, greater_equal, less, logical_and, logical_or, not_equal
from chainrule.ops.loss.reduction import like
from chainrule.ops.shape import expand_dims


def class_axis(scores: Tensor, name: str) -> int:
    """Return the axis of the classes: 1, or 0 for the scores of a single sample."""
    if not scores.ndim:
        raise ShapeError(f"{name}: input is a single number, needs an axis of classes")
    return min(1, scores.ndim - 1)


def marks(scores: Tensor, labels: Tensor, axis: int) -> Tensor:
    """Return bools in the shape of `scores`: true at the class that the label names."""
    classes = np.arange(scores.shape[axis]).reshape((-1,) + (1,) * (scores.ndim - 1 - axis))
    return equal(expand_dims(labels, axis), classes)


def check_labels(scores: Tensor, labels: Tensor, axis: int, name: str, ignored: int | None = None) -> None:
    """Raise unless `labels` are integers, one for each row of scores, each the number of a class."""
    wanted = scores.shape[:axis] + scores.shape[axis + 1 :]
    classes = scores.shape[axis]
    if labels.shape == scores.shape != wanted and labels.dtype.kind in "iub":
        shown = f"{labels.dtype} labels of the shape of the scores, {labels.shape}, look one-hot"
        raise _error(DTypeError, f"{name}: {shown}", scores, labels, f"labels.argmax(axis={axis})")
    if labels.shape != wanted:
        hint = "labels.reshape(-1)" if labels.size == int(np.prod(wanted)) and len(wanted) == 1 else ""
        message = f"{name}: labels have shape {labels.shape}, needs {wanted} for scores {scores.shape}"
        raise _error(ShapeError, message, scores, labels, hint)
    if labels.dtype.kind not in "iu":
        message = f"{name}: labels are {labels.dtype}, needs integers, the numbers of the classes"
        raise _error(DTypeError, message, scores, labels, "labels.astype('int64')")
    _check_range(scores, labels, classes, name, ignored)


def _check_range(scores: Tensor, labels: Tensor, classes: int, name: str, ignored: int | None) -> None:
    if mode.trace is not None:  # the labels of later runs are looked at when they are there
        wrong = logical_or(less(labels, 0), greater_equal(labels, classes))
        wrong = wrong if ignored is None else logical_and(wrong, not_equal(labels, ignored))
        text = f"{name}: a label is no class: there are {classes}, 0 to {classes - 1}"
        mode.trace.refuse(wrong, text)
    values = labels._data
    low, high = (int(values.min()), int(values.max())) if values.size else (0, -1)
    if low >= 0 and high < classes:
        return
    beyond = (values < 0) | (values >= classes)
    if ignored is not None:
        beyond &= values != ignored
    if beyond.any():
        hint = "classes are counted from 0: labels - 1" if high == classes and low == 1 else ""
        if classes == 1:
            hint = "needs one score a class; one score for yes or no: F.binary_cross_entropy_with_logits"
        message = f"{name}: label {values[beyond][0]} is no class: there are {classes}, 0 to {classes - 1}"
        raise _error(IndexRangeError, message, scores, labels, hint)


def _error(
    kind: type[ChainruleError], message: str, scores: Tensor, labels: Tensor, hint: str
) -> ChainruleError:
    return kind(message, got=f"scores {spec_of(scores._data)}    labels {spec_of(labels._data)}", hint=hint)


def class_weights(input: Tensor, weight: Tensor, axis: int, name: str) -> Tensor:
    """Return the weights of the classes, along `axis` of the input."""
    classes = input.shape[axis]
    if weight.shape != (classes,):
        raise ShapeError(f"{name}: weight has shape {weight.shape}, needs ({classes},), one a class")
    return like(input, weight).reshape((-1,) + (1,) * (input.ndim - 1 - axis))


def wrong_labels(name: str) -> list[Wrong]:
    """Return the calls with wrong labels, which every loss over classes refuses alike."""
    zeros, one_hot = np.zeros(2, np.int64), np.eye(2, 3, dtype=np.int64)
    messages = [
        ("label 3 is no class: there are 3, 0 to 2", np.array([1, 3])),
        ("label -1 is no class: there are 3, 0 to 2", np.array([-1, 0])),
        ("labels have shape (3,), needs (2,) for scores (2, 3)", np.zeros(3, np.int64)),
        ("int64 labels of the shape of the scores, (2, 3), look one-hot", one_hot),
        ("labels are float64, needs integers, the numbers of the classes", np.zeros(2)),
    ]
    found = [wrong(f"{name}: {message}", (2, 3), labels) for message, labels in messages]
    unknown = f"{name}: reduction must be mean, sum or none, got 'avg'"
    return [*found, wrong(unknown, (2, 3), zeros, reduction="avg")]
