"""Cross-entropy: the surprise at the right class.

Labels become a distribution over the classes, weighted and smoothed, so that labels and
probabilities meet in one op, whose gradient is softmax minus distribution.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.families import composite
from chainrule.core.sample import Integers, Real, sample, wrong
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.activation import log_softmax, softmax
from chainrule.ops.arithmetic import add, astype, multiply, negative, subtract
from chainrule.ops.compare import not_equal
from chainrule.ops.loss.deviation import share_of_surprise
from chainrule.ops.loss.labels import check_labels, class_axis, class_weights, marks, wrong_labels
from chainrule.ops.loss.reduction import check_float, like, reduced
from chainrule.ops.reduce import sum
from chainrule.ops.shape import expand_dims


def _entropy_gradient(
    g: Tensor, node: Tensor, input: Tensor, target: Tensor | Array, *, axis: int
) -> tuple[Tensor, Tensor | None]:
    g, total = expand_dims(g, axis), sum(target, axis=axis, keepdims=True)
    by_input = multiply(g, subtract(multiply(softmax(input, axis=axis), total), target))
    if not (
        isinstance(target, Tensor) and target.requires_grad
    ):  # labels have no gradient, and this would cost as much again
        return by_input, None
    return by_input, negative(multiply(g, log_softmax(input, axis=axis)))


@composite(
    gradient=_entropy_gradient,
    samples=[
        sample((4, 3), Real((4, 3), 0.0, 1.0)),
        sample((2, 3, 2), Real((2, 3, 2), 0.0, 1.0), axis=1),
        sample(Real((2, 5), -90, 90), Real((2, 5), 0.0, 1.0)),
        sample((0, 3), (0, 3)),
    ],
)
def soft_cross_entropy(input: Tensor, target: Tensor, *, axis: int = -1) -> Tensor:
    """Cross-entropy of scores with a distribution, along `axis`: -sum(target * log_softmax(input)).

    The target may hold any weights; classes of weight 0 may have a score of -inf.
    """
    return sum(share_of_surprise(target, log_softmax(input, axis=axis)), axis=axis)


def _label_distribution(
    input: Tensor, target: Tensor, weight: Tensor | None, name: str, *, ignored: int, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return labels as a (weighted, smoothed) distribution over the classes, and the sum of weights."""
    axis = class_axis(input, name)
    check_labels(input, target, axis, name, ignored)
    known = astype(not_equal(target, ignored), dtype=input.dtype)
    share = astype(marks(input, target, axis), dtype=input.dtype)
    if 0 <= ignored < input.shape[axis] or smoothing:
        share = multiply(_smoothed(share, smoothing, axis), expand_dims(known, axis))
    if weight is None:
        return share, sum(known)
    weights = class_weights(input, weight, axis, name)
    of_samples = sum(multiply(astype(marks(input, target, axis), dtype=input.dtype), weights), axis=axis)
    return multiply(share, weights), sum(multiply(known, of_samples))


def _smoothed(share: Tensor, smoothing: float, axis: int) -> Tensor:
    """Spread the part `smoothing` of a distribution evenly over the classes."""
    if not smoothing:
        return share
    return add(multiply(share, 1.0 - smoothing), smoothing / share.shape[axis])


def _check_smoothing(smoothing: float, name: str) -> None:
    if not 0 <= smoothing <= 1:
        raise ArgumentError(f"{name}: label_smoothing must be in [0, 1], got {smoothing}")


_BATCH, _ZEROS = Integers((4,), 0, 3), np.zeros(2, np.int64)
_SCORES = [
    sample((4, 3), _BATCH),
    sample((4, 3), _BATCH, Real((3,), 0.5, 2.0)),
    sample((4, 3), np.array([0, 2, -100, 1]), reduction="none"),
    sample((4, 3), np.array([0, 2, 1, 1]), Real((3,), 0.5, 2.0), ignore_index=1),
    sample((3,), Integers((), 0, 3)),
    sample((2, 3, 2, 2), Integers((2, 2, 2), 0, 3), reduction="sum"),
    sample((0, 3), Integers((0,), 0, 3), reduction="sum"),
    sample((1, 1), np.array([0])),
]


@composite(
    samples=_SCORES,
    wrong=wrong_labels("nll_loss"),
)
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the right class, given log-probabilities (n, classes, ...)."""
    check_float(input, "nll_loss")
    share, count = _label_distribution(input, target, weight, "nll_loss", ignored=ignore_index)
    losses = sum(share_of_surprise(share, input), axis=class_axis(input, "nll_loss"))
    return reduced(losses, reduction, "nll_loss", count)


@composite(
    samples=[
        *_SCORES,
        sample((4, 3), _BATCH, Real((3,), 0.5, 2.0), label_smoothing=0.2),
        sample((4, 3), np.array([0, -100, 2, 1]), label_smoothing=1.0),
        sample((4, 3), Real((4, 3), 0.0, 1.0)),
        sample((2, 3, 2), Real((2, 3, 2), 0.0, 1.0), Real((3,), 0.5, 2.0), label_smoothing=0.1),
        sample(Real((4, 3), -90, 90), _BATCH),
    ],
    wrong=[
        *wrong_labels("cross_entropy"),
        wrong(
            "cross_entropy: label_smoothing must be in [0, 1], got 2.0",
            (2, 3),
            np.zeros(2, int),
            label_smoothing=2.0,
        ),
        wrong("cross_entropy: weight has shape (2,), needs (3,), one a class", (2, 3), _ZEROS, (2,)),
    ],
)
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Surprise at the right class, given scores: -log softmax(input) there.

    Scores are (classes,), (n, classes) or (n, classes, d1, ...). The target holds labels, in that
    shape without the classes, or probabilities in that very shape. `weight` is one number a class;
    the mean over labels is weighted, and leaves out those that equal `ignore_index`.
    Raises DTypeError, ShapeError or IndexRangeError for labels that name no class.

    >>> round(cross_entropy([[2.0, 0.0, 0.0]], [0]).item(), 4)
    0.2395
    """
    name = "cross_entropy"
    check_float(input, name)
    _check_smoothing(label_smoothing, name)
    axis = class_axis(input, name)
    if target.dtype.kind == "f" and target.shape == input.shape:
        share = _smoothed(like(input, target), label_smoothing, axis)
        share = share if weight is None else multiply(share, class_weights(input, weight, axis, name))
        return reduced(soft_cross_entropy(input, share, axis=axis), reduction, name)
    share, count = _label_distribution(
        input, target, weight, name, ignored=ignore_index, smoothing=label_smoothing
    )
    return reduced(soft_cross_entropy(input, share, axis=axis), reduction, name, count)
