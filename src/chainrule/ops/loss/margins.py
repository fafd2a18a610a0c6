"""Margin losses: how much closer than a margin the wrong classes come to the right one.

They look at scores, not probabilities; the right class is told by `labels`.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.families import composite
from chainrule.core.sample import Integers, Real, sample, wrong
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.activation import relu
from chainrule.ops.arithmetic import add, multiply, square, subtract
from chainrule.ops.compare import where
from chainrule.ops.loss.labels import check_labels, class_axis, class_weights, marks, wrong_labels
from chainrule.ops.loss.reduction import check_float, reduced
from chainrule.ops.reduce import mean, sum

_BATCH = Integers((4,), 0, 3)


def _shortfalls(input: Tensor, target: Tensor, margin: float, name: str) -> tuple[Tensor, Tensor]:
    """Return by how much each wrong class comes closer than `margin` to the right one, and the marks."""
    check_float(input, name)
    axis = class_axis(input, name)
    check_labels(input, target, axis, name)
    right = marks(input, target, axis)
    of_right = sum(where(right, input, 0.0), axis=axis, keepdims=True)
    return where(right, 0.0, relu(add(subtract(input, of_right), margin))), right


@composite(
    samples=[
        sample((4, 3), _BATCH),
        sample((4, 3), _BATCH, margin=0.2),
        sample((3,), Integers((), 0, 3)),
        sample((1, 1), np.array([0])),
    ],
    wrong=wrong_labels("hinge_loss"),
)
def hinge_loss(scores: Tensor, labels: Tensor, *, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """Multi-class SVM loss: the sum over the wrong classes j of max(0, s_j - s_right + margin).

    The mean is over the batch. Source: Weston and Watkins 1999.

    >>> hinge_loss([[3.0, 2.5, 0.0]], [0]).item()
    0.5
    """
    missing, _ = _shortfalls(scores, labels, margin, "hinge_loss")
    return reduced(sum(missing, axis=class_axis(scores, "hinge_loss")), reduction, "hinge_loss")


@composite(
    samples=[
        sample((4, 3), _BATCH),
        sample((4, 3), _BATCH, Real((3,), 0.5, 2.0), margin=0.5, reduction="sum"),
        sample((4, 3), _BATCH, p=2, reduction="none"),
        sample((3,), Integers((), 0, 3), p=2),
    ],
    wrong=[
        *wrong_labels("multi_margin_loss"),
        wrong("multi_margin_loss: p must be 1 or 2, got 3", (2, 3), np.zeros(2, int), p=3),
    ],
)
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    p: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """Hinge loss to the power `p` (1 or 2), divided by the number of classes.

    `weight`, one number a class, multiplies the losses of the samples of that class.
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise ArgumentError(f"{name}: p must be 1 or 2, got {p}")
    missing, right = _shortfalls(input, target, margin, name)
    axis = class_axis(input, name)
    losses = mean(square(missing) if p == 2 else missing, axis=axis)
    if weight is not None:
        weights = class_weights(input, weight, axis, name)
        losses = multiply(losses, sum(where(right, weights, 0.0), axis=axis))
    return reduced(losses, reduction, name)
