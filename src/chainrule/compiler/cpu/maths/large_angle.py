"""Large angles: the remainder of a number of any size by pi / 2 (Payne and Hanek's method).

A float is m * 2**e with a whole m. Of m * 2**e * 2 / pi only the part below 4 matters, so of the bits
of 2 / pi only a window of 192: those before would add multiples of 4, those behind less than 2**-136.
The work is done by one function of a module, number by number, and only where a large number comes.
"""

from __future__ import annotations

import math
from itertools import pairwise

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.maths.register import Register
from chainrule.compiler.cpu.target import Target

# floor(2 / pi * 2**1216); in the table 64 zeros stand before it, for windows that begin before the point.
_TWO_OVER_PI = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921c"
    "fe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980f"
    "ef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d08"
    "56033046fc7b6bab",
    16,
)
_WORDS = 20
_WINDOW = 192
_WIDE = ir.IntType(_WINDOW)
_DOUBLE = ir.DoubleType()


def reduced_where_large(
    x: Register, large: Register, rest: Register, n: Register
) -> tuple[Register, Register]:
    """Return rest and n, but the right ones of x = n * pi / 2 + rest in lanes that are large."""
    code, builder = x.code, x.code.builder
    lanes = x.value.type.count if isinstance(x.value.type, ir.VectorType) else 1
    rest_place, n_place = code.variable(rest.value), code.variable(n.value)
    with code.only_if(_any(large, lanes)):
        doubles, whole = (kind if lanes == 1 else ir.VectorType(kind, lanes) for kind in (_DOUBLE, INDEX))
        angles, rests, quarters = (code.entry.alloca(kind) for kind in (doubles, doubles, whole))
        builder.store(x.value if x.double else builder.fpext(x.value, doubles), angles)
        builder.call(_function(code), [angles, rests, quarters, constant(lanes)])
        found, counted = builder.load(rests, doubles), builder.load(quarters, whole)
        if not x.double:
            found, counted = builder.fptrunc(found, rest.value.type), builder.trunc(counted, n.value.type)
        code.set(rest_place, builder.select(large.value, found, rest.value))
        code.set(n_place, builder.select(large.value, counted, n.value))
    return Register(code, code.get(rest_place)), Register(code, code.get(n_place))


def _any(truth: Register, lanes: int) -> ir.Value:
    if lanes == 1:
        return truth.value
    whole = ir.IntType(lanes)
    return truth.code.builder.icmp_unsigned("!=", truth.code.builder.bitcast(truth.value, whole), whole(0))


def _function(code: Code) -> ir.Function:
    """Return the module's `void f(ptr angles, ptr rests, ptr quarters, i64 count)`."""
    name = "large_angle"
    found = code.module.globals.get(name)
    if found is None:
        kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, POINTER, INDEX])
        found = ir.Function(code.module, kind, name, internal=True, inline=False)
        _write(found, code.target)
    return found


def _write(function: ir.Function, target: Target) -> None:
    code = Code(function, target)
    angles, rests, quarters, count = function.args
    table = _table(code.module)
    with code.loop(0, count) as place:
        angle = code.load(angles, place, "float64")
        rest, quarter = _divided(code, table, Register(code, angle))
        code.store(rest, rests, place, "float64")
        code.store(quarter, quarters, place, "int64")
    code.finish()


def _table(module: ir.Module) -> ir.Table:
    kind = ir.ArrayType(INDEX, _WORDS)
    words = [_TWO_OVER_PI >> (64 * (_WORDS - 1 - each)) & (2**64 - 1) for each in range(_WORDS)]
    return ir.Table(module, "two_over_pi", ir.Constant(kind, words))


def _divided(code: Code, table: ir.Value, angle: Register) -> tuple[ir.Value, ir.Value]:
    """Return the rest of one angle, at least 2**-10, and how often pi / 2 was taken away (modulo 4)."""
    builder, bits = code.builder, angle.bits()
    mantissa = (bits & (2**52 - 1)) | 2**52
    first = bits.shift_down(52) - (1075 - 62)  # the window's first bit in the table
    window = _window(code, table, (first < 0).choose(0, first))
    product = builder.mul(window, builder.zext(mantissa.value, _WIDE))
    half = ir.Constant(_WIDE, 1 << (_WINDOW - 3))
    places = ir.Constant(_WIDE, _WINDOW - 2)
    quarter = builder.lshr(builder.add(product, half), places)
    rest = _as_double(code, builder.sub(product, builder.shl(quarter, places)))
    nothing = angle - angle  # NaN where the angle is infinite
    return (rest * (math.pi / 2) + nothing).value, builder.trunc(quarter, INDEX)


def _window(code: Code, table: ir.Value, first: Register) -> ir.Value:
    """Return the table's bits from `first` on, as one wide integer."""
    builder = code.builder
    word, skipped = first.shift_down(6), (first & 63).value
    words = [code.load(table, (word + each).value, "int64") for each in range(4)]
    window = ir.Constant(_WIDE, 0)
    for one, two in pairwise(words):
        moved = builder.zext(code.call("llvm.fshl", [one, two, skipped]), _WIDE)
        window = builder.or_(builder.shl(window, ir.Constant(_WIDE, 64)), moved)
    return window


def _as_double(code: Code, wide: ir.Value) -> Register:
    """Return a wide integer, taken as a number in [-1/2, 1/2) with two bits before the point."""
    builder, zero = code.builder, ir.Constant(_WIDE, 0)
    negative = builder.icmp_signed("<", wide, zero)
    size = builder.select(negative, builder.sub(zero, wide), wide)
    zeros = code.call("llvm.ctlz", [size, ir.Constant(ir.BIT, 0)])
    upper = builder.lshr(builder.shl(size, zeros), ir.Constant(_WIDE, _WINDOW - 64))
    number = Register(code, builder.uitofp(builder.trunc(upper, INDEX), _DOUBLE))
    power = Register(code, builder.sub(constant(1023 - 62), builder.trunc(zeros, INDEX)))
    made = number * (power << 52).as_float()
    return Register(code, builder.select(negative, (-made).value, made.value))
