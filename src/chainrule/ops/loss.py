"""Losses: how far an answer is from the right one, under PyTorch's names and with its arguments.

`input` comes first, `target` second. Losses of numbers against numbers apply one elementwise op and
reduce; losses over classes weigh the classes with a distribution made from the labels. A target is
taken in the input's dtype. `reduction` is "mean", "sum" or "none".
"""

from __future__ import annotations

from chainrule import scalar
from chainrule.core.families import composite, elementwise
from chainrule.core.sample import Integers, Real, sample, wrong
from chainrule.core.spec import spec_of
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DTypeError, ShapeError, nearest
from chainrule.ops.activation import log_softmax, relu, softmax
from chainrule.ops.arithmetic import abs, add, astype, divide, multiply, negative, power, square, subtract
from chainrule.ops.compare import not_equal, where
from chainrule.ops.labels import check_labels, class_axis, marks
from chainrule.ops.reduce import mean, sum
from chainrule.ops.shape import expand_dims
from chainrule.scalar import Expr

_REDUCTIONS = ("mean", "sum", "none")


def _reduced(losses: Tensor, reduction: str, name: str, count: Tensor | float | None = None) -> Tensor:
    """Reduce losses as asked; `count` is what a mean divides by, if not their number."""
    if reduction not in _REDUCTIONS:
        hint = nearest(str(reduction), _REDUCTIONS)
        raise ArgumentError(f"{name}: reduction must be mean, sum or none, got {reduction!r}", hint=hint)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    return mean(losses) if count is None else divide(sum(losses), count)


def _like(input: Tensor, other: Tensor) -> Tensor:
    """Return `other` in the input's dtype."""
    return other if other.dtype == input.dtype else astype(other, dtype=input.dtype)


def _check_float(input: Tensor, name: str) -> None:
    if input.dtype.kind != "f":
        raise DTypeError(f"{name}: input is {input.dtype}, needs floats", hint="input.astype('float32')")


def _paired(input: Tensor, target: Tensor, name: str) -> Tensor:
    """Return the target in the input's dtype, or raise unless the shapes are equal."""
    _check_float(input, name)
    if input.shape == target.shape:
        return _like(input, target)
    hint = f"target.reshape({input.shape})" if input.size == target.size else ""
    message = f"{name}: input has shape {input.shape} but target {target.shape}: they must be equal"
    got = f"input {spec_of(input.data)}    target {spec_of(target.data)}"
    raise ShapeError(message, got=got, hint=hint)


# ---- numbers against numbers ---------------------------------------------------------------------
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
    return _reduced(square(subtract(input, _paired(input, target, "mse_loss"))), reduction, "mse_loss")


@composite(samples=_PAIRS, wrong=[wrong("l1_loss: input has shape (2,) but target (3,): they must be equal", (2,), (3,))])
def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Mean absolute error: |input - target|. Shapes must be equal."""
    return _reduced(abs(subtract(input, _paired(input, target, "l1_loss"))), reduction, "l1_loss")


@elementwise(domain=[(-2.0, 2.0), (-2.0, 2.0)])
def huber_error(input: Expr, target: Expr, *, delta: float = 1.0) -> Expr:
    """Half the squared error up to `delta`, delta times the absolute error (less delta/2) beyond it."""
    gap = scalar.absolute(input - target)
    return scalar.select(gap <= delta, 0.5 * gap * gap, delta * (gap - 0.5 * delta))


@composite(
    samples=[*_PAIRS, sample((2, 3), (2, 3), delta=0.3)],
    wrong=[wrong("huber_loss: delta must be positive, got 0.0", (2,), (2,), delta=0.0)],
)
def huber_loss(input: Tensor, target: Tensor, *, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Squared error for small errors, absolute error for those above `delta`. Source: Huber 1964."""
    if not delta > 0:
        raise ArgumentError(f"huber_loss: delta must be positive, got {delta}")
    target = _paired(input, target, "huber_loss")
    return _reduced(huber_error(input, target, delta=delta), reduction, "huber_loss")


@composite(
    samples=[*_PAIRS, sample((2, 3), (2, 3), beta=0.3), sample((2, 3), (2, 3), beta=0.0)],
    wrong=[wrong("smooth_l1_loss: beta must not be negative, got -1.0", (2,), (2,), beta=-1.0)],
)
def smooth_l1_loss(input: Tensor, target: Tensor, *, beta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Absolute error, rounded off below `beta`: the Huber loss divided by beta (beta 0: l1_loss)."""
    if not beta >= 0:
        raise ArgumentError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    target = _paired(input, target, "smooth_l1_loss")
    if beta == 0:
        return _reduced(abs(subtract(input, target)), reduction, "smooth_l1_loss")
    return _reduced(divide(huber_error(input, target, delta=beta), beta), reduction, "smooth_l1_loss")


# ---- probabilities of two classes ----------------------------------------------------------------
def _log_at_least(x: Expr) -> Expr:
    """The logarithm, cut off at -100, so that a probability of 0 costs much but not infinitely much."""
    return scalar.select(x > 0.0, scalar.maximum(scalar.log(x), -100.0), -100.0)


@elementwise(
    partial=lambda p, t, y: (
        (p - t) / scalar.maximum(p * (1.0 - p), 1e-12),
        _log_at_least(1.0 - p) - _log_at_least(p),
    ),
    domain=[(0.05, 0.95), (0.0, 1.0)],
)
def binary_surprise(p: Expr, t: Expr) -> Expr:
    """-(t log p + (1 - t) log(1 - p)), each logarithm cut off at -100 as in PyTorch."""
    return -(t * _log_at_least(p) + (1.0 - t) * _log_at_least(1.0 - p))


def _excess(x: Expr) -> Expr:
    """log(1 + exp(-x)), without overflow."""
    return scalar.log1p(scalar.exp(-scalar.absolute(x))) + scalar.maximum(-x, 0.0)


@elementwise(
    partial=lambda x, t, pos, y: (
        (1.0 - t) - (1.0 + (pos - 1.0) * t) * (0.5 - 0.5 * scalar.tanh(0.5 * x)),
        (pos - 1.0) * _excess(x) - x,
        t * _excess(x),
    ),
    domain=[(-3.0, 3.0), (0.0, 1.0), (0.5, 2.0)],
    edges=(-90.0, 90.0),
)
def logit_surprise(x: Expr, t: Expr, pos: Expr) -> Expr:
    """-(pos t log p + (1 - t) log(1 - p)) of p = sigmoid(x), without overflow."""
    return (1.0 - t) * x + (1.0 + (pos - 1.0) * t) * _excess(x)


def _weighed(losses: Tensor, weight: Tensor | None, name: str) -> Tensor:
    """Return losses times weights that broadcast to them."""
    if weight is None:
        return losses
    weighed = multiply(losses, _like(losses, weight))
    if weighed.shape != losses.shape:
        raise ShapeError(f"{name}: weight {weight.shape} does not broadcast to the input {losses.shape}")
    return weighed


_UNIT = Real((2, 3), 0.05, 0.95)


@composite(
    samples=[
        sample(_UNIT, _UNIT),
        sample(_UNIT, _UNIT, Real((3,), 0.5, 2.0), reduction="sum"),
        sample(Real((4,), 0.05, 0.95), Real((4,), 0.0, 1.0), reduction="none"),
        sample(Real((0, 2), 0.0, 1.0), Real((0, 2), 0.0, 1.0), reduction="sum"),
    ],
    wrong=[
        wrong("binary_cross_entropy: input must be probabilities in [0, 1], got 1.5", Real((2,), 1.5, 1.5), (2,)),
        wrong(
            "binary_cross_entropy: input has shape (2, 1) but target (2,): they must be equal", _UNIT_COLUMN := Real((2, 1), 0.0, 1.0), (2,)
        ),
    ],
)
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Surprise at the truth, given probabilities of yes: -(t log p + (1 - t) log(1 - p)).

    Logarithms are cut off at -100. Raises ArgumentError for probabilities outside [0, 1]. Prefer
    `binary_cross_entropy_with_logits`, which is precise for all scores.
    """
    name = "binary_cross_entropy"
    target = _paired(input, target, name)
    outside = input.data[~((input.data >= 0) & (input.data <= 1))]
    if outside.size:
        raise ArgumentError(
            f"{name}: input must be probabilities in [0, 1], got {outside[0]:g}",
            hint="give scores to binary_cross_entropy_with_logits",
        )
    return _reduced(_weighed(binary_surprise(input, target), weight, name), reduction, name)


@composite(
    samples=[
        sample((2, 3), _UNIT),
        sample((2, 3), _UNIT, Real((2, 1), 0.5, 2.0), Real((3,), 0.5, 2.0)),
        sample(Real((4,), -90, 90), Real((4,), 0.0, 1.0), reduction="sum"),
        sample((0, 2), (0, 2), reduction="none"),
    ],
    wrong=[
        wrong(
            "binary_cross_entropy_with_logits: input has shape (3, 1) but target (3,): they must be equal",
            (3, 1),
            (3,),
        )
    ],
)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of scores: sigmoid and loss in one, so that no score is too large.

    `weight` broadcasts over the losses; `pos_weight` multiplies the part of the positive class.
    """
    name = "binary_cross_entropy_with_logits"
    target = _paired(input, target, name)
    losses = logit_surprise(input, target, 1.0 if pos_weight is None else _like(input, pos_weight))
    return _reduced(_weighed(losses, weight, name), reduction, name)
