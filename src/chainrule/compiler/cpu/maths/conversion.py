"""Conversion: a number of one dtype as a number of another, as NumPy's `astype` gives it.

Truth values are one bit in registers. A float that does not fit a signed integer becomes what the
x86 instructions make of it, as in NumPy; what one that does not fit an unsigned integer becomes,
NumPy leaves open, and so does this.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, type_of
from chainrule.errors import DTypeError

DType = np.dtype[Any]
Value: TypeAlias = Any  # an `ir.Value`; LLVM's builder is not typed
BIT = ir.BIT


def register_type(dtype: DType, lanes: int = 1) -> ir.Type:
    """Return the type of a number of a dtype in registers."""
    if dtype.itemsize > 8 or dtype.name == "float16":
        raise DTypeError(f"native code: no registers for {dtype}", hint="use float32 or float64")
    kind = BIT if dtype == np.bool_ else type_of(dtype)
    return kind if lanes == 1 else ir.VectorType(kind, lanes)


def known(number: float, dtype: DType) -> ir.Constant:
    """Return a known number of a dtype; one that is too large for float32 becomes infinite."""
    with np.errstate(over="ignore"):
        item = dtype.type(number).item() if dtype.kind == "f" else number
    return ir.Constant(register_type(dtype), item)


def converted(code: Code, value: Value, old: DType, new: DType) -> Value:
    """Return the value, a number or a vector of dtype `old`, as dtype `new`."""
    if old == new:
        return value
    lanes = value.type.count if isinstance(value.type, ir.VectorType) else 1
    kind, builder = register_type(new, lanes), code.builder
    if new == np.bool_:
        return is_true(code, value, old)
    if old.kind == "f" and new.kind == "f":
        return (builder.fpext if new.itemsize > old.itemsize else builder.fptrunc)(value, kind)
    if old.kind == "f":
        return _whole(code, value, new, lanes)
    if new.kind == "f":
        return (builder.sitofp if old.kind == "i" else builder.uitofp)(value, kind)
    if old != np.bool_ and new.itemsize <= old.itemsize:
        return value if new.itemsize == old.itemsize else builder.trunc(value, kind)
    return (builder.sext if old.kind == "i" else builder.zext)(value, kind)


def is_true(code: Code, value: Value, dtype: DType) -> Value:
    """Return where a number is not zero; NaN is not."""
    if dtype == np.bool_:
        return value
    zero = ir.Constant(value.type, None)
    if dtype.kind == "f":
        return code.builder.fcmp_unordered("!=", value, zero)
    return code.builder.icmp_unsigned("!=", value, zero)


def _whole(code: Code, value: Value, new: DType, lanes: int) -> Value:
    """Cut the fraction off; narrow integers take the lower bits of a wider one."""
    builder = code.builder
    through = np.dtype(np.int64 if new.itemsize == 8 or new == np.uint32 else np.int32)
    if new == np.uint64:
        return _unsigned(code, value, lanes)
    made = builder.fptosi(value, register_type(through, lanes))
    return made if new.itemsize == through.itemsize else builder.trunc(made, register_type(new, lanes))


def _unsigned(code: Code, value: Value, lanes: int) -> Value:
    """Convert to uint64: the half above 2**63 is moved down and its upper bit set again."""
    builder, kind = code.builder, register_type(np.dtype(np.uint64), lanes)
    half = code.splat(ir.Constant(value.type.element if lanes > 1 else value.type, 2.0**63), lanes)
    upper = code.splat(ir.Constant(ir.IntType(64), -(2**63)), lanes)
    low = builder.fptosi(value, kind)
    high = builder.xor(builder.fptosi(builder.fsub(value, half), kind), upper)
    return builder.select(builder.fcmp_ordered("<", value, half), low, high)
