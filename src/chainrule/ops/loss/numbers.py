"""Losses of numbers against numbers: each applies an elementwise op and reduces.

`input` and `target` must have one shape: (n, 1) against (n,) would broadcast to (n, n) in silence.
"""

from __future__ import annotations

from chainrule.core.families import composite
from chainrule.core.sample import Integers, sample, wrong
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import abs, divide, square, subtract
from chainrule.ops.loss.deviation import huber_error
from chainrule.ops.loss.reduction import paired, reduced

_PAIRS = [
    sample((2, 3), (2, 3)),
    sample((4,), (4,), reduction="sum"),
    sample((0, 3), (0, 3), reduction="none"),
    sample((), (), reduction="none"),
]


@composite(
    samples=_PAIRS,
    wrong=[
        wrong("mse_loss: input has shape (3, 1) but target (3,): they must be equal", (3, 1), (3,)),
        wrong(
            "mse_loss: reduction must be mean, sum or none, got 'average'", (3,), (3,), reduction="average"
        ),
        wrong("mse_loss: input is int64, needs floats", Integers((3,), 0, 2), (3,)),
    ],
)
def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Mean squared error: (input - target)^2. Shapes must be equal.

    >>> mse_loss([1.0, 2.0], [1.0, 4.0]).item()
    2.0
    """
    return reduced(square(subtract(input, paired(input, target, "mse_loss"))), reduction, "mse_loss")


@composite(
    samples=_PAIRS,
    wrong=[wrong("l1_loss: input has shape (2,) but target (3,): they must be equal", (2,), (3,))],
)
def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Mean absolute error: |input - target|. Shapes must be equal."""
    return reduced(abs(subtract(input, paired(input, target, "l1_loss"))), reduction, "l1_loss")


@composite(
    samples=[*_PAIRS, sample((2, 3), (2, 3), delta=0.3)],
    wrong=[wrong("huber_loss: delta must be positive, got 0.0", (2,), (2,), delta=0.0)],
)
def huber_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Squared error for small errors, absolute error for those above `delta`. Source: Huber 1964."""
    if not delta > 0:
        raise ArgumentError(f"huber_loss: delta must be positive, got {delta}")
    target = paired(input, target, "huber_loss")
    return reduced(huber_error(input, target, delta=delta), reduction, "huber_loss")


@composite(
    samples=[*_PAIRS, sample((2, 3), (2, 3), beta=0.3), sample((2, 3), (2, 3), beta=0.0)],
    wrong=[wrong("smooth_l1_loss: beta must not be negative, got -1.0", (2,), (2,), beta=-1.0)],
)
def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Absolute error, rounded off below `beta`: the Huber loss divided by beta (beta 0: l1_loss)."""
    if not beta >= 0:
        raise ArgumentError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    target = paired(input, target, "smooth_l1_loss")
    if beta == 0:
        return reduced(abs(subtract(input, target)), reduction, "smooth_l1_loss")
    return reduced(divide(huber_error(input, target, delta=beta), beta), reduction, "smooth_l1_loss")
