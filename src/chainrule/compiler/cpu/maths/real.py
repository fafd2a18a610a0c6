"""Real numbers: what NumPy does to floats in an instruction or a few, bit for bit.

Multiplication and addition are never contracted here. Every function takes the code that is
written and the operands, plain or vectors alike; the approximated functions are its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.maths.register import Register

_EITHER_ZERO = ("nsz",)  # the sign of a zero may be any, as with NumPy: it would cost as much again


def maximum(a: Register, b: Register) -> Register:
    """Return the larger number; NaN where one is NaN."""
    return a.call("llvm.maximum", b, flags=_EITHER_ZERO)


def minimum(a: Register, b: Register) -> Register:
    """Return the smaller number; NaN where one is NaN."""
    return a.call("llvm.minimum", b, flags=_EITHER_ZERO)


def sign(x: Register) -> Register:
    """Return -1, 0 or 1; NaN of NaN."""
    otherwise = (x < 0.0).choose(-1.0, x + 0.0)
    return (x > 0.0).choose(1.0, otherwise)


def is_infinite(x: Register) -> Register:
    """Return where a number is infinite."""
    return abs(x).equals(math.inf)


def is_finite(x: Register) -> Register:
    """Return where there is a number, and it is finite."""
    return abs(x) < math.inf


def copysign(size: Register, like: Register) -> Register:
    """Return the first number with the sign of the second."""
    return size.call("llvm.copysign", like)


def quotient(a: Register, b: Register) -> Register:
    """Return the numbers of a vector divided by one number for all of them.

    A division takes several times as long as all of this, of which most depends on the divisor alone:
    a product with its reciprocal, and what is missing then (Markstein 1990). Divisors whose reciprocals are
    out of range are scaled; the signs are such that zeros keep theirs.
    """
    whole = _in_lanes(a, b)
    if not a.code.target.fused or _is_power_of_two(b):
        return a / whole
    size = abs(b)
    bound, scale = (2.0**1000, 2.0**200) if b.double else (2.0**100, 2.0**64)
    scales = (size < 1 / bound).choose(scale, (size > bound).choose(b.constant(1 / scale), 1.0))
    size = size * scales
    back, divisor = _in_lanes(a, -(1.0 / size)), _in_lanes(a, size)
    scaled = a * _in_lanes(a, copysign(scales, -b))
    first = scaled * back
    better = first.fma(divisor, scaled).fma(back, first)
    return better.is_nan().choose(first, better)


def _in_lanes(like: Register, number: Register) -> Register:
    return Register(like.code, like.code.splat(number.value, like.value.type.count))


def _is_power_of_two(number: Register) -> bool:
    known = number.value.constant if isinstance(number.value, ir.Constant) else None
    return isinstance(known, float) and math.frexp(known)[0] in (0.5, -0.5)


def _divided(a: Register, b: Register) -> tuple[Register, Register]:
    """Return the remainder with the divisor's sign, and the quotient before it is rounded down."""
    rest = a.code.builder.frem(a.value, b.value)
    rest = Register(a.code, rest)
    quotient = (a - rest) / b
    some = rest.compare("!=", 0.0)
    crosses = some & ((b < 0.0) ^ (rest < 0.0))
    lower = crosses.choose(quotient - 1.0, quotient)
    upper = crosses.choose(rest + b, rest)
    return some.choose(upper, copysign(a.constant(0.0), b)), lower


def remainder(a: Register, b: Register) -> Register:
    """Return a - floor(a / b) * b, exactly; NaN where b is zero."""
    rest, _ = _divided(a, b)
    return b.equals(0.0).choose(a.constant(math.nan), rest)


def floor_divide(a: Register, b: Register) -> Register:
    """Return the floor of the exact quotient; a / b where b is zero."""
    _, quotient = _divided(a, b)
    down = quotient.call("llvm.floor")
    down = (quotient - down > 0.5).choose(down + 1.0, down)
    plain = a / b
    whole = quotient.equals(0.0).choose(copysign(a.constant(0.0), plain), down)
    return b.equals(0.0).choose(plain, whole)


FUNCTIONS: dict[str, Callable[..., Register]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negative": lambda a: -a,
    "floor_divide": floor_divide,
    "remainder": remainder,
    "sqrt": lambda a: a.call("llvm.sqrt"),
    "absolute": lambda a: a.call("llvm.fabs"),
    "sign": sign,
    "floor": lambda a: a.call("llvm.floor"),
    "ceil": lambda a: a.call("llvm.ceil"),
    "rint": lambda a: a.call("llvm.rint"),
    "maximum": maximum,
    "minimum": minimum,
    "isnan": lambda a: a.is_nan(),
    "isinf": is_infinite,
    "isfinite": is_finite,
}
