"""The parts that update rules have in common, each an elementwise op.

Hyper-parameters are float parameters of the ops: they enter the expression as variables, so that a
schedule changes numbers, never code. What decays for want of gradients ends at 0: below the smallest
normal number it would lie for ever, rounded to itself, and processors take a hundred times longer there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from chainrule import scalar
from chainrule.core.families import elementwise
from chainrule.scalar import Expr


@cache
def smallest(dtype: npt.DTypeLike) -> float:
    """Return the smallest normal number of a float dtype; 0 of float16, whose numbers below it are used."""
    found = np.finfo(dtype)
    return float(found.tiny) if found.bits > 16 else 0.0


def flushed(x: Expr, tiny: float) -> Expr:
    """Return x, or 0 where it is nearer to 0 than `tiny`."""
    return scalar.select(scalar.absolute(x) < tiny, 0.0, x)


@elementwise
def decayed(g: Expr, p: Expr, *, weight_decay: float = 0.0) -> Expr:
    """The gradient with that of weight_decay/2 p^2 added: a pull of the parameter towards 0."""
    return g + weight_decay * p


@elementwise
def shrunk(p: Expr, *, lr: float = 0.0, weight_decay: float = 0.0) -> Expr:
    """The parameter itself, smaller by the part lr * weight_decay, apart from any gradient."""
    return p * (1.0 - lr * weight_decay)


@elementwise
def running_mean(mean: Expr, x: Expr, *, decay: float = 0.9, tiny: float = 0.0) -> Expr:
    """Exponential mean: keep the part `decay` of what it was, take in the rest of `x`; 0 below `tiny`."""
    return flushed(decay * mean + (1.0 - decay) * x, tiny)


@elementwise
def running_square(mean: Expr, x: Expr, *, decay: float = 0.9, tiny: float = 0.0) -> Expr:
    """Exponential mean of squares; 0 below `tiny`."""
    return flushed(decay * mean + (1.0 - decay) * (x * x), tiny)


@elementwise
def counted(step: Expr) -> Expr:
    """The number of updates, one more."""
    return step + 1.0
