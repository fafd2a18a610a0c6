"""Clipping: gradients kept below a norm or a value, in place, between `backward` and `step`.

They are written in ops, so that they belong to a compiled step; the gradients keep their arrays.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import numpy as np

from chainrule.core.mode import no_grad
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import abs, add, at_least, at_most, divide, maximum, multiply, power, square
from chainrule.ops.elementary import sqrt
from chainrule.ops.reduce import max, sum
from chainrule.optim.groups import NOT_NEGATIVE

Tensors = Iterable[Tensor] | Tensor


@no_grad()
def clip_grad_norm_(parameters: Tensors, max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Scale all gradients by one factor so that their common norm is at most `max_norm`.

    Returns the norm before. `norm_type` is a positive number, or inf for the largest absolute value.
    The factor is max_norm / (norm + 1e-6), as in PyTorch, where that is below 1.
    """
    NOT_NEGATIVE.check("clip_grad_norm_", "max_norm", max_norm)
    if not norm_type > 0:
        raise ArgumentError(f"clip_grad_norm_: norm_type must be positive or inf, got {norm_type!r}")
    gradients = _gradients(parameters)
    if not gradients:
        return Tensor(np.zeros((), np.float32))
    norm = _norm(gradients, float(norm_type))
    factor = at_most(divide(max_norm, add(norm, 1e-6)), 1.0)
    for g in gradients:
        g.assign(multiply(g, factor))
    return norm


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float) -> None:
    """Bring every number of every gradient into [-clip_value, clip_value]."""
    bound = NOT_NEGATIVE.check("clip_grad_value_", "clip_value", clip_value)
    for g in _gradients(parameters):
        g.assign(at_most(at_least(g, -bound), bound))


def _gradients(parameters: Tensors) -> list[Tensor]:
    several = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in several if p.grad is not None]


def _norm(gradients: list[Tensor], p: float) -> Tensor:
    if p == math.inf:
        return functools.reduce(maximum, [max(abs(g)) for g in gradients])
    if p == 2:
        return sqrt(functools.reduce(add, [sum(square(g)) for g in gradients]))
    return power(functools.reduce(add, [sum(power(abs(g), p)) for g in gradients]), 1 / p)
