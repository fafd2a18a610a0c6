"""The parts that update rules have in common, each an elementwise op.

Hyper-parameters are float parameters of the ops: they enter the expression as variables, so that a
schedule changes numbers, never code.
"""

from __future__ import annotations

from chainrule.core.families import elementwise
from chainrule.scalar import Expr


@elementwise
def decayed(g: Expr, p: Expr, *, weight_decay: float = 0.0) -> Expr:
    """The gradient with that of weight_decay/2 p^2 added: a pull of the parameter towards 0."""
    return g + weight_decay * p


@elementwise
def shrunk(p: Expr, *, lr: float = 0.0, weight_decay: float = 0.0) -> Expr:
    """The parameter itself, smaller by the part lr * weight_decay, apart from any gradient."""
    return p * (1.0 - lr * weight_decay)


@elementwise
def running_mean(mean: Expr, x: Expr, *, decay: float = 0.9) -> Expr:
    """Exponential mean: keep the part `decay` of what it was, take in the rest of `x`."""
    return decay * mean + (1.0 - decay) * x


@elementwise
def running_square(mean: Expr, x: Expr, *, decay: float = 0.9) -> Expr:
    """Exponential mean of squares."""
    return decay * mean + (1.0 - decay) * (x * x)


@elementwise
def counted(step: Expr) -> Expr:
    """The number of updates, one more."""
    return step + 1.0
