"""The elementary functions: exponentials, logarithms, roots, circular and hyperbolic functions.

Each is one function of the scalar language, or a short expression of it; partials follow from there.
"""

from __future__ import annotations

import math

from chainrule import scalar
from chainrule.core.families import elementwise
from chainrule.scalar import Expr


@elementwise(edges=(-87.0, 88.0))
def exp(x: Expr) -> Expr:
    """e to the power of the number; its gradient is itself."""
    return scalar.exp(x)


@elementwise(edges=(-87.0, 1e-6, 88.0))
def expm1(x: Expr) -> Expr:
    """exp(x) - 1, precise for small numbers."""
    return scalar.expm1(x)


@elementwise(domain=(0.5, 3.0), edges=(1e-30, 1e30))
def log(x: Expr) -> Expr:
    """Natural logarithm."""
    return scalar.log(x)


@elementwise(domain=(-0.5, 3.0), edges=(1e-6, 1e30))
def log1p(x: Expr) -> Expr:
    """log(1 + x), precise for small numbers."""
    return scalar.log1p(x)


@elementwise(domain=(0.5, 3.0), edges=(1e30,))
def log2(x: Expr) -> Expr:
    """Logarithm to base 2."""
    return scalar.log(x) * (1 / math.log(2))


@elementwise(domain=(0.5, 3.0), edges=(1e30,))
def log10(x: Expr) -> Expr:
    """Logarithm to base 10."""
    return scalar.log(x) * (1 / math.log(10))


@elementwise(edges=(0.0, 90.0))
def logaddexp(a: Expr, b: Expr) -> Expr:
    """log(exp(a) + exp(b)), without overflow."""
    low, high = scalar.select(a < b, a, b), scalar.select(a < b, b, a)
    gap = low * 0.5 - high * 0.5  # in floats, where a difference of integers would wrap
    alike = scalar.logical_and(scalar.isinf(a), scalar.equal(a, b))
    return high + scalar.log1p(scalar.exp(2.0 * scalar.select(alike, 0.0, gap)))


@elementwise(domain=(0.5, 3.0), edges=(1e-30, 1e30))
def sqrt(x: Expr) -> Expr:
    """Square root; the gradient grows without bound towards 0."""
    return scalar.sqrt(x)


@elementwise(edges=(100.0,))
def sin(x: Expr) -> Expr:
    """Sine of an angle in radians."""
    return scalar.sin(x)


@elementwise(edges=(100.0,))
def cos(x: Expr) -> Expr:
    """Cosine of an angle in radians."""
    return scalar.cos(x)


@elementwise(domain=(-1.2, 1.2))
def tan(x: Expr) -> Expr:
    """Tangent of an angle in radians."""
    return scalar.sin(x) / scalar.cos(x)


@elementwise
def arctan(x: Expr) -> Expr:
    """Angle, in radians between -pi/2 and pi/2, whose tangent is the number."""
    return scalar.arctan2(x, 1.0)


@elementwise(domain=[(0.5, 2.0), (-2.0, 2.0)])
def arctan2(y: Expr, x: Expr) -> Expr:
    """Angle, in radians between -pi and pi, of the point (x, y)."""
    return scalar.arctan2(y, x)


@elementwise(edges=(-20.0, 20.0))
def tanh(x: Expr) -> Expr:
    """Hyperbolic tangent: squashes the line smoothly onto (-1, 1)."""
    return scalar.tanh(x)


@elementwise(edges=(-7.0, 1e-6, 7.0))
def erf(x: Expr) -> Expr:
    """Error function: twice the normal distribution's mass between 0 and x * sqrt(2)."""
    return scalar.erf(x)
