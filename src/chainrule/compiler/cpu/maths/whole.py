"""Whole numbers and truth values: NumPy's arithmetic on integers, which never traps.

Every function takes the code that is written, the dtype of the operands, and their values: plain
or vectors alike. Sums and products wrap; a division by zero gives 0. It knows no promotion.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.maths.conversion import DType, Value

Emit = Callable[..., Value]  # (code, dtype, *values) -> value

SIGNS = {
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip


def number(value: Value, known: int) -> ir.Constant:
    """Return a known integer of the type of `value`, in every lane."""
    kind = value.type
    return ir.Constant(kind, [known] * kind.count if isinstance(kind, ir.VectorType) else known)


def compare(code: Code, dtype: DType, sign: str, a: Value, b: Value) -> Value:
    """Compare two integers or truth values."""
    return (code.builder.icmp_signed if dtype.kind == "i" else code.builder.icmp_unsigned)(sign, a, b)


def compare_mixed(code: Code, sign: str, signed: Value, unsigned: Value) -> Value:
    """Compare an int64 with a uint64: a negative one is less than all of the others."""
    builder = code.builder
    negative = builder.icmp_signed("<", signed, number(signed, 0))
    plain = builder.icmp_unsigned(sign, signed, unsigned)
    answer = number(negative, int(sign in ("<", "<=", "!=")))
    return builder.select(negative, answer, plain)


def _binary(wide: str, truth: str | None = None) -> Emit:
    """Return an instruction for integers, and the one that does the same for truth values."""

    def emit(code: Code, dtype: DType, a: Value, b: Value) -> Value:
        return getattr(code.builder, truth if truth and dtype == np.bool_ else wide)(a, b)

    return emit


def _extreme(sign: str) -> Emit:
    def emit(code: Code, dtype: DType, a: Value, b: Value) -> Value:
        return code.builder.select(compare(code, dtype, sign, a, b), a, b)

    return emit


def _negative(code: Code, dtype: DType, a: Value) -> Value:
    return code.builder.sub(number(a, 0), a)


def _absolute(code: Code, dtype: DType, a: Value) -> Value:
    if dtype.kind != "i":
        return a
    return code.builder.select(compare(code, dtype, "<", a, number(a, 0)), _negative(code, dtype, a), a)


def _sign(code: Code, dtype: DType, a: Value) -> Value:
    builder = code.builder
    above = builder.zext(compare(code, dtype, ">", a, number(a, 0)), a.type)
    below = builder.zext(compare(code, dtype, "<", a, number(a, 0)), a.type)
    return builder.sub(above, below)


def _same(code: Code, dtype: DType, a: Value) -> Value:
    return a


def _always(answer: bool) -> Emit:
    """Return the answer of a question about floats that every integer has."""

    def emit(code: Code, dtype: DType, a: Value) -> Value:
        zero = number(a, 0)
        return code.builder.icmp_unsigned("==" if answer else "!=", zero, zero)

    return emit


def _divided(code: Code, dtype: DType, a: Value, b: Value) -> tuple[Value, Value, Value]:
    """Return quotient and remainder, rounded towards zero, and where the divisor is zero."""
    builder = code.builder
    zero = builder.icmp_unsigned("==", b, number(b, 0))
    if dtype.kind == "u":
        safe = builder.select(zero, number(b, 1), b)
        return builder.udiv(a, safe), builder.urem(a, safe), zero
    least = -(1 << (8 * dtype.itemsize - 1))
    leaves = builder.and_(
        builder.icmp_signed("==", a, number(a, least)), builder.icmp_signed("==", b, number(b, -1))
    )
    safe = builder.select(builder.or_(zero, leaves), number(b, 1), b)
    quotient = builder.sdiv(a, safe)
    return quotient, builder.sub(a, builder.mul(quotient, safe)), zero


def _crosses(code: Code, rest: Value, b: Value) -> Value:
    """Tell where a remainder is not zero and has the other sign than the divisor."""
    builder, none = code.builder, number(rest, 0)
    other = builder.icmp_signed("<", builder.xor(rest, b), none)
    return builder.and_(builder.icmp_signed("!=", rest, none), other)


def _floor_divide(code: Code, dtype: DType, a: Value, b: Value) -> Value:
    builder = code.builder
    quotient, rest, zero = _divided(code, dtype, a, b)
    if dtype.kind == "i":
        lower = builder.sub(quotient, number(quotient, 1))
        quotient = builder.select(_crosses(code, rest, b), lower, quotient)
    return builder.select(zero, number(a, 0), quotient)


def _remainder(code: Code, dtype: DType, a: Value, b: Value) -> Value:
    builder = code.builder
    _, rest, zero = _divided(code, dtype, a, b)
    if dtype.kind == "i":
        rest = builder.select(_crosses(code, rest, b), builder.add(rest, b), rest)
    return builder.select(zero, number(a, 0), rest)


def _power(code: Code, dtype: DType, a: Value, b: Value) -> Value:
    """Multiply the squares whose bits are set in the exponent (NumPy refuses negative ones)."""
    builder = code.builder
    result, square, left = (code.variable(each) for each in (number(a, 1), a, b))
    with code.loop(0, 8 * dtype.itemsize, name="bit"):
        exponent, factor, total = code.get(left), code.get(square), code.get(result)
        odd = builder.icmp_unsigned("!=", builder.and_(exponent, number(b, 1)), number(b, 0))
        code.set(result, builder.select(odd, builder.mul(total, factor), total))
        code.set(square, builder.mul(factor, factor))
        code.set(left, builder.lshr(exponent, number(b, 1)))
    return code.get(result)


FUNCTIONS: dict[str, Emit] = {
    "add": _binary("add", "or_"),
    "subtract": _binary("sub"),
    "multiply": _binary("mul", "and_"),
    "negative": _negative,
    "power": _power,
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "absolute": _absolute,
    "sign": _sign,
    "floor": _same,
    "ceil": _same,
    "rint": _same,
    "maximum": _extreme(">"),
    "minimum": _extreme("<"),
    "bitwise_and": _binary("and_"),
    "bitwise_or": _binary("or_"),
    "bitwise_xor": _binary("xor"),
    "invert": lambda code, dtype, a: code.builder.not_(a),
    "isnan": _always(False),
    "isinf": _always(False),
    "isfinite": _always(True),
}
