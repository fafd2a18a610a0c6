"""log and log1p.

x = m * 2**e with m = 1 + f between sqrt(1/2) and sqrt(2); ln 2 in two parts. In float32
log(1 + f) = f + f * f * (f * P(f) - 1/2), P a minimax fit of relative error 2**-26.8. In float64, with
s = f / (2 + f), it is f - (h - s * (h + R(s * s))) where h = f * f / 2 and R fits the rest of
log((1 + s) / (1 - s)) = 2 s + s R to 2**-59.5.
"""

from __future__ import annotations

import math

from chainrule.compiler.cpu.maths import exponent, real
from chainrule.compiler.cpu.maths.exponential import LN2
from chainrule.compiler.cpu.maths.register import Register, polynomial

_SERIES = (
    -0.07634610682725906, 0.127620130777359, -0.13160334527492523, 0.14201706647872925,
    -0.1662333905696869, 0.20001228153705597, -0.250008225440979, 0.3333333134651184, -0.5,
)  # fmt: skip
_RATIO_SERIES = (
    0.14795474273076015, 0.1531410094638494, 0.18183562228703146, 0.22222198616425515,
    0.28571428741931476, 0.3999999999941694, 0.6666666666666734,
)  # fmt: skip


def _near_one(f: Register, small: Register) -> Register:
    """Return log(1 + f) + small, for a small that matters in the last places only."""
    if not f.double:
        return f + (f * f).fma(polynomial(f, _SERIES), small)
    half = f * f * 0.5
    s = f / (f + 2.0)
    z = s * s
    return f + (s.fma(half + z * polynomial(z, _RATIO_SERIES), small) - half)


def _edges(x: Register, zero: float, made: Register) -> Register:
    """Return what was made, but at the point where log is -infinite, below it, and at infinity."""
    made = (x > zero).choose(made, x.equals(zero).choose(x.constant(-math.inf), x.constant(math.nan)))
    return x.equals(math.inf).choose(x, made)


def log(x: Register) -> Register:
    """Return the natural logarithm."""
    digits = exponent.digits(x)
    tiny = x < 2.0 ** (1 - exponent.bias(x))  # too small for a mantissa of full length
    mantissa, power = exponent.mantissa_and_exponent(tiny.choose(x * 2.0 ** (digits + 2), x))
    power = power - tiny.choose(x.constant(digits + 2.0), 0.0)
    high, low = LN2[x.double]
    return _edges(x, 0.0, power.fma(high, _near_one(mantissa - 1.0, power * low)))


def log1p(x: Register) -> Register:
    """Return log(1 + x), also precise near 0: what 1 + x leaves out is added to first order."""
    total = x + 1.0
    back = total - 1.0
    lost = (x - back) + (1.0 - (total - back))
    mantissa, power = exponent.mantissa_and_exponent(total)
    high, low = LN2[x.double]
    near = power.equals(0.0)
    f = near.choose(x, mantissa - 1.0)
    small = near.choose(x.constant(0.0), power.fma(low, lost / total))
    made = power.fma(high, _near_one(f, small))
    return real.copysign(_edges(x, -1.0, made), x)
