"""sin, cos and arctan2.

x = n * pi / 2 + r with |r| <= pi / 4: pi / 2 is taken away in parts that leave no rounding but the
last one's. Too large an x, where n * part is no longer exact, goes the long way (`large_angle.py`).
Then sin(r) = r + r**3 * S(r * r) and cos(r) = 1 - r * r / 2 + r**4 * C(r * r), minimax fits of relative
error 2**-27.9 and 2**-33 in float32, 2**-57.9 and 2**-63.9 in float64; n says which of them, and its
sign. arctan(t) = t + t**3 * A(t * t), 2**-28.5 on [0, 1] and 2**-59.2 on [0, sqrt(2) - 1].
"""

from __future__ import annotations

import math

from chainrule.compiler.cpu.maths import exponent, real
from chainrule.compiler.cpu.maths.large_angle import reduced_where_large
from chainrule.compiler.cpu.maths.register import Register, exact_sum, polynomial

# By whether it is float64, and whether multiply-add rounds once. Without that the parts are short:
# n has at most 13 (float64: 26) bits, so n * part is exact.
_HALF_PI = {
    (False, True): (1.570796251296997, 7.549789415861596e-08, 5.390302953474238e-15),
    (False, False): (1.5703125, 0.0004837512969970703, 7.549533620476723e-08, 2.5633440682570896e-12),
    (True, True): (1.5707963267948966, 6.123233995736765e-17, 1.082856673921914e-32),
    (True, False): (
        1.570796325802803, 9.920935739593517e-10, 5.721188709663575e-18, 1.6446256936324258e-26,
    ),
}  # fmt: skip
_LARGE = {(False, True): 1e5, (False, False): 1e4, (True, True): 1e9, (True, False): 1e8}
_SIN = {
    False: (-0.0001951809535967186, 0.008332188241183758, -0.16666655242443085),
    True: (
        1.589544366817058e-10, -2.505073455298838e-08, 2.7557313539435094e-06, -0.00019841269829360685,
        0.008333333333321842, -0.1666666666666663,
    ),
}  # fmt: skip
_COS = {
    False: (2.4432327336398885e-05, -0.0013887309469282627, 0.04166664555668831),
    True: (
        -1.1358683331675474e-11, 2.087570427091244e-09, -2.7557314210074265e-07, 2.480158728898368e-05,
        -0.0013888888888873325, 0.041666666666666595,
    ),
}  # fmt: skip
_ARCTAN = {
    False: (
        -0.0017821674700826406, 0.010866343043744564, -0.031093616038560867, 0.05787891149520874,
        -0.08399208635091782, 0.10950861126184464, -0.1426401436328888, 0.1999852955341339,
        -0.33333298563957214,
    ),
    True: (
        -0.01790003614549112, 0.0380578411540081, -0.05039038959429497, 0.05847831577122637,
        -0.06663096552548003, 0.07692059623390153, -0.09090897730456055, 0.11111110782821067,
        -0.1428571428019275, 0.1999999999995367, -0.333333333333332,
    ),
}  # fmt: skip
_LOWER_PI = {False: -8.742277657347586e-08, True: 1.2246467991473532e-16}  # pi - float(pi)


def sin(x: Register) -> Register:
    """Return the sine of an angle in radians."""
    rest, n = _reduced(abs(x))
    made = _quarter(rest, n)
    return (made.bits() ^ (x.bits() & x.constant(-0.0).bits())).as_float()


def cos(x: Register) -> Register:
    """Return the cosine of an angle in radians."""
    rest, n = _reduced(abs(x))
    return _quarter(rest, n + 1)


def _reduced(x: Register) -> tuple[Register, Register]:
    """Return r and the integer n (its lowest bits, at least) of x = n * pi / 2 + r, for x >= 0."""
    kind = x.double, x.code.target.fused
    quarters, n = exponent.rounded_product(x, 2.0 / math.pi)
    *first, middle, last = _HALF_PI[kind]
    rest = x
    for part in first:
        rest = quarters.fma(-part, rest)
    if x.code.target.fused:
        rest = quarters.fma(-last, quarters.fma(-middle, rest))
    else:
        rest, lost = exact_sum(rest, quarters * -middle)
        rest = rest + quarters.fma(-last, lost)
    return reduced_where_large(x, x > _LARGE[kind], rest, n)


def _quarter(r: Register, n: Register) -> Register:
    """Return sin(n * pi / 2 + r)."""
    square = r * r
    odd = (r * square).fma(polynomial(square, _SIN[r.double]), r)
    even = 1.0 - (square * 0.5 - square * square * polynomial(square, _COS[r.double]))
    made = (n & 1).equals(0).choose(odd, even)
    sign = (n & 2) << (62 if r.double else 30)
    return (made.bits() ^ sign).as_float()


def arctan2(y: Register, x: Register) -> Register:
    """Return the angle of the point (x, y), in radians between -pi and pi."""
    wide, high = abs(x), abs(y)
    steep = high > wide
    less, more = steep.choose(wide, high), steep.choose(high, wide)
    made = _arctan(less, more)
    made = steep.choose(_turned(made, 0.5), made)
    left = x.bits() < 0
    return real.copysign(left.choose(_turned(made, 1.0), made), y)


def _turned(angle: Register, turns: float) -> Register:
    """Return turns * pi - angle."""
    return turns * math.pi - (angle - turns * _LOWER_PI[angle.double])


def _arctan(less: Register, more: Register) -> Register:
    """Return arctan(less / more) for 0 <= less <= more; 0 / 0 counts as 0, and inf / inf as 1."""
    alike = less.equals(more)
    ratio = alike.choose(less.equals(0.0).choose(less, less.constant(1.0)), less / more)
    if not less.double:
        return _series(ratio)
    upper = ratio > math.sqrt(2.0) - 1.0
    made = _series(upper.choose((ratio - 1.0) / (ratio + 1.0), ratio))
    return upper.choose(made + _LOWER_PI[True] * 0.25 + math.pi * 0.25, made)


def _series(ratio: Register) -> Register:
    square = ratio * ratio
    return (ratio * square).fma(polynomial(square, _ARCTAN[ratio.double]), ratio)
