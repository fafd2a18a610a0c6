"""Small native functions over arrays, for the tests of numbers in native code."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.compiler.cpu.code import POINTER, Code
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.maths.register import Register
from chainrule.compiler.cpu.scalars import Typed, dtype_of, evaluate
from chainrule.compiler.cpu.target import Target, _target
from chainrule.scalar.expr import Expr

INDEX = ir.IntType(64)
TARGETS = ("", "avx2", "sse")
Array = np.ndarray[Any, Any]


@cache
def target_named(name: str) -> Target:
    return _target(name)


def compiled(pointers: int, write: Callable[..., None], target: Target) -> Callable[..., None]:
    """Return a function of arrays and a count, whose body `write(code, *arguments)` writes."""
    module = ir.Module()
    module.triple = target.triple
    kind = ir.FunctionType(ir.VoidType(), [POINTER] * pointers + [INDEX])
    function = ir.Function(module, kind, "kernel")
    code = Code(function, target)
    write(code, *function.args)
    code.finish()
    library = Library(str(module), target)
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * pointers, ctypes.c_int64)(library.address("kernel"))

    def call(*arrays: Array, count: int) -> None:
        native(*(array.ctypes.data for array in arrays), count)

    call.library = library  # pyright: ignore
    return call


def read(code: Code, pointer: ir.Value, place: ir.Value, dtype: np.dtype[Any], lanes: int) -> ir.Value:
    value = code.load(pointer, place, dtype, lanes)
    if dtype != np.bool_:
        return value
    return code.builder.icmp_unsigned("!=", value, ir.Constant(value.type, None))


def write(code: Code, value: ir.Value, pointer: ir.Value, place: ir.Value, dtype: np.dtype[Any]) -> None:
    if dtype == np.bool_:
        kind = value.type
        wide = ir.VectorType(ir.IntType(8), kind.count) if isinstance(kind, ir.VectorType) else ir.IntType(8)
        value = code.builder.zext(value, wide)
    code.store(value, pointer, place, dtype)


def weak(value: float) -> Typed:
    kinds = {bool: ir.IntType(1), int: INDEX, float: ir.DoubleType()}
    return Typed(ir.Constant(kinds[type(value)], value), np.dtype(type(value)), True)


def run(root: Expr, values: Mapping[str, Any], lanes: int = 8, target: str = "") -> Array:
    """Return an expression of arrays of one length and of Python numbers, computed natively."""
    arrays = {name: np.ascontiguousarray(v) for name, v in values.items() if isinstance(v, np.ndarray)}
    fixed = {name: weak(v) for name, v in values.items() if name not in arrays}
    kinds = {name: (v.dtype, False) for name, v in arrays.items()}
    dtype, _ = dtype_of(root, kinds | {name: (v.dtype, True) for name, v in fixed.items()})
    count = len(next(iter(arrays.values())))

    def body(code: Code, *args: ir.Value) -> None:
        *pointers, out, length = args
        whole = code.builder.mul(code.builder.sdiv(length, INDEX(lanes)), INDEX(lanes))
        for start, stop, step in ((INDEX(0), whole, lanes), (whole, length, 1)):
            with code.loop(start, stop, step) as place:
                given = {
                    name: Typed(read(code, pointer, place, array.dtype, step), array.dtype, False)
                    for (name, array), pointer in zip(arrays.items(), pointers, strict=True)
                }
                made = evaluate(code, root, given | fixed, step)
                assert made.dtype == dtype
                write(code, code.splat(made.value, step), out, place, dtype)

    out = np.empty(count, dtype)
    compiled(len(arrays) + 1, body, target_named(target))(*arrays.values(), out, count=count)
    return out


@cache
def native(function: Callable[..., Register], dtype: str, arity: int, lanes: int, target: str) -> Any:
    """Return a function of the maths package as one of arrays whose length the lanes divide."""
    kind = np.dtype(dtype)

    def body(code: Code, *args: ir.Value) -> None:
        *pointers, out, length = args
        with code.loop(0, length, lanes) as place:
            given = [Register(code, code.load(pointer, place, kind, lanes)) for pointer in pointers]
            code.store(function(*given).value, out, place, kind)

    return compiled(arity + 1, body, target_named(target))


def apply(function: Callable[..., Register], *arrays: Array, lanes: int = 0, target: str = "") -> Array:
    """Return f of every element; as many lanes as the target has unless they are given."""
    dtype = arrays[0].dtype
    lanes = lanes or target_named(target).lanes(dtype)
    count = -(-len(arrays[0]) // lanes) * lanes
    padded = [np.concatenate([a, np.ones(count - len(a), dtype)]) for a in arrays]
    out = np.empty(count, dtype)
    native(function, dtype.name, len(arrays), lanes, target)(*padded, out, count=count)
    return out[: len(arrays[0])]
