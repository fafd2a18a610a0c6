"""How far one number is from where it should be: the scalar expressions that losses reduce.

Each is elementwise, with its partials claimed where the derived ones would lose precision (a
saturated sigmoid, a probability of 0) or their second derivative at 0.
"""

from __future__ import annotations

from chainrule import scalar
from chainrule.core.families import elementwise
from chainrule.scalar import Expr


@elementwise
def huber_error(input: Expr, target: Expr, *, delta: float = 1.0) -> Expr:
    """Half the squared error up to `delta`, delta times the absolute error (less delta/2) beyond it."""
    gap = input - target
    beyond = delta * (scalar.absolute(gap) - 0.5 * delta)
    return scalar.select(scalar.absolute(gap) <= delta, 0.5 * gap * gap, beyond)


def _cut(logarithm: Expr) -> Expr:
    """Cut a logarithm off at -100, so that a probability of 0 costs much, but not infinitely much."""
    return scalar.select(logarithm > -100.0, logarithm, -100.0)


def _binary_partials(p: Expr, t: Expr, y: Expr) -> tuple[Expr, Expr]:
    by_p = (p - t) / scalar.maximum(p * (1.0 - p), 1e-12)
    return by_p, _cut(scalar.log1p(-p)) - _cut(scalar.log(p))


@elementwise(
    partial=_binary_partials,
    domain=[(0.05, 0.95), (0.0, 1.0)],
)
def binary_surprise(p: Expr, t: Expr) -> Expr:
    """-(t log p + (1 - t) log(1 - p)), each logarithm cut off at -100 as in PyTorch."""
    return -(t * _cut(scalar.log(p)) + (1.0 - t) * _cut(scalar.log1p(-p)))


def _softplus_of_minus(x: Expr) -> Expr:
    """log(1 + exp(-x)), without overflow."""
    return scalar.log1p(scalar.exp(-scalar.absolute(x))) + scalar.maximum(-x, 0.0)


def _logit_partials(x: Expr, t: Expr, positive: Expr, y: Expr) -> tuple[Expr, Expr, Expr]:
    softplus = _softplus_of_minus(x)
    by_x = (1.0 - t) - (1.0 + (positive - 1.0) * t) * (0.5 - 0.5 * scalar.tanh(0.5 * x))
    return by_x, (positive - 1.0) * softplus - x, t * softplus


@elementwise(
    partial=_logit_partials,
    domain=[(-3.0, 3.0), (0.0, 1.0), (0.5, 2.0)],
    edges=(-90.0, 90.0),
)
def logit_surprise(x: Expr, t: Expr, positive: Expr) -> Expr:
    """-(positive t log p + (1 - t) log(1 - p)) of p = sigmoid(x), without overflow."""
    return (1.0 - t) * x + (1.0 + (positive - 1.0) * t) * _softplus_of_minus(x)


def _share_partials(q: Expr, log_p: Expr, y: Expr) -> tuple[Expr, Expr]:
    return -log_p, -q


@elementwise(partial=_share_partials, domain=[(0.05, 1.0), (-3.0, 0.0)])
def share_of_surprise(q: Expr, log_p: Expr) -> Expr:
    """-q log p; 0 where q is 0, even if p is 0 too."""
    return scalar.select(scalar.equal(q, 0.0), 0.0, -(q * log_p))


@elementwise(domain=[(-3.0, 0.0), (0.05, 1.0)])
def divergence(log_p: Expr, q: Expr) -> Expr:
    """q (log q - log p); 0 where q is 0, even if p is 0 too."""
    return scalar.select(scalar.equal(q, 0.0), 0.0, q * (scalar.log(q) - log_p))
