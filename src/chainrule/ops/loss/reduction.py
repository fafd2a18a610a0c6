"""What all losses share: how they are reduced, and how a target or a weight is fitted to the input.

Shapes that do not agree are an error here, because broadcasting them would be a silent mistake.
"""

from __future__ import annotations

from chainrule.core.spec import spec_of
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DTypeError, ShapeError, nearest
from chainrule.ops.arithmetic import astype, divide, multiply
from chainrule.ops.reduce import mean, sum

_REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str, name: str) -> None:
    """Raise ArgumentError unless `reduction` is "mean", "sum" or "none"."""
    if reduction not in _REDUCTIONS:
        hint = nearest(str(reduction), _REDUCTIONS)
        raise ArgumentError(f"{name}: reduction must be mean, sum or none, got {reduction!r}", hint=hint)


def reduced(losses: Tensor, reduction: str, name: str, count: Tensor | float | None = None) -> Tensor:
    """Reduce losses as asked; `count` is what a mean divides by, if not their number."""
    check_reduction(reduction, name)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    return mean(losses) if count is None else divide(sum(losses), count)


def like(input: Tensor, other: Tensor) -> Tensor:
    """Return `other` in the input's dtype."""
    return other if other.dtype == input.dtype else astype(other, dtype=input.dtype)


def check_float(input: Tensor, name: str) -> None:
    """Raise unless the input holds floats."""
    if input.dtype.kind != "f":
        raise DTypeError(f"{name}: input is {input.dtype}, needs floats", hint="input.astype('float32')")


def paired(input: Tensor, target: Tensor, name: str) -> Tensor:
    """Return the target in the input's dtype, or raise unless the shapes are equal."""
    check_float(input, name)
    if input.shape == target.shape:
        return like(input, target)
    hint = f"target.reshape({input.shape})" if input.size == target.size else ""
    message = f"{name}: input has shape {input.shape} but target {target.shape}: they must be equal"
    got = f"input {spec_of(input._data)}    target {spec_of(target._data)}"
    raise ShapeError(message, got=got, hint=hint)


def weighed_losses(losses: Tensor, weight: Tensor | None, name: str) -> Tensor:
    """Return losses times weights that broadcast to them."""
    if weight is None:
        return losses
    weighed = multiply(losses, like(losses, weight))
    if weighed.shape != losses.shape:
        raise ShapeError(f"{name}: weight {weight.shape} does not broadcast to the input {losses.shape}")
    return weighed
