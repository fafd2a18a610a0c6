"""power: x**y = exp(y * log x), with a logarithm of twice the length.

An error in log x counts |y log x| times, up to 700, so log x is the sum of two floats. x = m * 2**e,
m = 1 + f between sqrt(1/2) and sqrt(2), s = f / (2 + f), and log m = 2 s + s**3 (2/3 + s * s * P(s * s)).
Only P, whose share is small, is computed in plain arithmetic: a minimax fit of relative error
2**-36.8 of the logarithm in float32, 2**-73.5 in float64.
"""

from __future__ import annotations

import math

from chainrule.compiler.cpu.maths import exponent, real
from chainrule.compiler.cpu.maths.exponential import LN2, exp
from chainrule.compiler.cpu.maths.register import Register, exact_product, ordered_sum, polynomial

# By whether it is float64.
_SERIES = {
    False: (0.23419900238513947, 0.2854708433151245, 0.40000152587890625),
    True: (
        0.11981634484584258, 0.11675795524231346, 0.13336263752814792, 0.1538455844792106,
        0.1818181884372047, 0.22222222217791693, 0.28571428571443835, 0.3999999999999998,
    ),
}  # fmt: skip
_TWO_THIRDS = {False: (0.6666666865348816, -1.9868215e-08), True: (2.0 / 3.0, 3.700743415417188e-17)}
_ENOUGH = {False: (2.0**40, 110.0), True: (2.0**64, 800.0)}  # beyond, powers are 0, 1 or infinite


def power(x: Register, y: Register) -> Register:
    """Return x**y; NaN for a negative x and a y that is not whole."""
    most, far = _ENOUGH[x.double]
    size = abs(x)
    high, low = _logarithm(size)
    factor = real.minimum(real.maximum(y, y.constant(-most)), y.constant(most))
    product, lost = exact_product(factor, high)
    lost = factor.fma(low, lost)
    made = exp(product, (abs(product) < far).choose(lost, 0.0))
    whole, half = (each.equals(each.call("llvm.rint")) for each in (y, y * 0.5))
    negative = x.bits() < 0
    made = (negative & whole & ~half).choose(-made, made)
    outside = (x < 0.0) & ~whole & (x > -math.inf)
    made = outside.choose(x.constant(math.nan), made)
    return (x.equals(1.0) | y.equals(0.0)).choose(x.constant(1.0), made)


def _logarithm(x: Register) -> tuple[Register, Register]:
    """Return log x, for x >= 0, as a float and the places behind it."""
    digits = exponent.digits(x)
    tiny = x < 2.0 ** (1 - exponent.bias(x))
    mantissa, whole = exponent.mantissa_and_exponent(tiny.choose(x * 2.0 ** (digits + 2), x))
    whole = whole - tiny.choose(x.constant(digits + 2.0), 0.0)
    s, s_low = _ratio(mantissa - 1.0)
    cube, cube_low = _rest(s, s_low)
    ln2_high, ln2_low = LN2[x.double]
    total, lost = ordered_sum(whole * ln2_high, s * 2.0)
    total, more = ordered_sum(total, cube)
    small = whole.fma(ln2_low, cube_low + s_low * 2.0 + lost + more)
    high, low = ordered_sum(total, small)
    edge = x.equals(0.0).choose(x.constant(-math.inf), x)
    return ((x > 0.0) & (x < math.inf)).choose(high, edge), low


def _ratio(f: Register) -> tuple[Register, Register]:
    """Return s = f / (2 + f) and the places behind it."""
    below = f + 2.0
    below_low = f - (below - 2.0)
    inverse = 1.0 / below
    s = f * inverse
    product, lost = exact_product(s, below)
    left = (f - product) - lost - s * below_low
    return s, left * inverse


def _rest(s: Register, s_low: Register) -> tuple[Register, Register]:
    """Return s**3 (2/3 + s * s * P(s * s)) and the places behind it."""
    square, square_low = exact_product(s, s)
    square_low = (s * 2.0).fma(s_low, square_low)
    two_thirds, lower = _TWO_THIRDS[s.double]
    factor, factor_low = ordered_sum(s.constant(two_thirds), square * polynomial(square, _SERIES[s.double]))
    product, lost = exact_product(square, factor)
    lost = lost + square * (factor_low + lower) + square_low * factor
    made, behind = exact_product(s, product)
    return made, behind + s * lost + s_low * product
