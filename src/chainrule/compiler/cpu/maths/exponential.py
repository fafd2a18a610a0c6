"""exp, expm1 and tanh.

x = n * ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, the first short enough for n * part to be
exact. Then exp(r) = 1 + r + r * r * P(r), and a factor 2**n. P is a minimax fit (Remez exchange in
200 bits, error measured against expm1(r) / r): 2**-26.1 with 5 coefficients, 2**-55.2 with 10;
that of tanh (x + x**3 * P(x * x) below 0.55) 2**-29.7.
"""

from __future__ import annotations

import math

from chainrule.compiler.cpu.maths import exponent, real
from chainrule.compiler.cpu.maths.register import Register, polynomial

# By whether it is float64.
LN2 = {
    False: (0.6931457519531250, 1.4286068203094172e-06),
    True: (0.6931471803691238, 1.9082149292705877e-10),
}
_SERIES = {
    False: (
        0.0013940518256276846, 0.00836643110960722, 0.04166640341281891, 0.1666654497385025, 0.5,
    ),
    True: (
        2.5114462210477808e-08, 2.762632734061007e-07, 2.755722798701698e-06, 2.4801504443605013e-05,
        0.00019841269902994723, 0.001388888893238117, 0.008333333333314607, 0.041666666666573614,
        0.16666666666666685, 0.5000000000000006,
    ),
}  # fmt: skip
_TANH_SERIES = (
    -0.0062428489327430725, 0.02105071395635605, -0.0538475476205349, 0.13332544267177582,
    -0.33333316445350647,
)  # fmt: skip
_RANGE = {False: (-104.0, 89.0), True: (-746.0, 710.0)}  # beyond, exp is 0 or infinite


def _reduced(x: Register, tail: Register | None = None) -> tuple[Register, Register]:
    """Return exp(r) - 1 and the integer n of x + tail = n * ln 2 + r."""
    high, low = LN2[x.double]
    near, n = exponent.rounded_product(x, 1.0 / math.log(2.0))
    rest = near.fma(-low, near.fma(-high, x))
    rest = rest if tail is None else rest + tail
    return (rest * rest).fma(polynomial(rest, _SERIES[x.double]), rest), n


def exp(x: Register, tail: Register | None = None) -> Register:
    """Return e**x, or e**(x + tail) where a tail gives the places behind those of x."""
    least, most = _RANGE[x.double]
    rest, n = _reduced(real.minimum(real.maximum(x, x.constant(least)), x.constant(most)), tail)
    return exponent.times_power(rest + 1.0, n)


def exp_of_moderate(x: Register) -> Register:
    """Return e**x where that is a normal number."""
    rest, n = _reduced(x)
    return (rest + 1.0) * exponent.power_of_two(x, n)


def expm1(x: Register) -> Register:
    """Return e**x - 1, also precise near 0."""
    least, most = (-40.0 if x.double else -18.0), _RANGE[x.double][1]
    rest, n = _reduced(real.minimum(real.maximum(x, x.constant(least)), x.constant(most)))
    half = exponent.power_of_two(x, n - 1)  # 2**n itself may be too large
    made = half.fma(rest, half - 0.5) * 2.0
    return (abs(x) < 2.0 ** -(exponent.digits(x) + 2)).choose(x, made)


def tanh(x: Register) -> Register:
    """Return (1 - t) / (1 + t) with t = exp(-2 |x|); where t is small, 1 - 2 t / (1 + t).

    In float32, whose bound is closer, numbers below 0.55 have a series of their own instead.
    """
    size = abs(x)
    rest, n = _reduced(real.minimum(size, x.constant(20.0 if x.double else 10.0)) * -2.0)
    scale = exponent.power_of_two(x, n)
    t = scale.fma(rest, scale)
    if x.double:
        far = t < 0.2
        quotient = far.choose(t * 2.0, (-scale).fma(rest, 1.0 - scale)) / (t + 1.0)
        return real.copysign(far.choose(1.0 - quotient, quotient), x)
    square = size * size
    near = (size * square).fma(polynomial(square, _TANH_SERIES), size)
    return real.copysign((size < 0.55).choose(near, 1.0 - t * 2.0 / (t + 1.0)), x)
