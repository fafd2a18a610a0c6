"""Small native functions over arrays, for the tests of numbers in native code."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from tests.compiler.guarded import targets

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.maths.register import Register
from chainrule.compiler.cpu.scalars import Typed, dtype_of, evaluate
from chainrule.compiler.cpu.target import Target
from chainrule.scalar.expr import Expr

TARGETS = targets()
Array = np.ndarray[Any, Any]
Kinds = dict[str, tuple[np.dtype[Any], bool]]


def compiled(pointers: int, write: Callable[..., None], target: Target) -> Callable[..., None]:
    """Return a function of arrays and a count, whose body `write(code, *arguments)` writes."""
    module = ir.Module(target.triple)
    kind = ir.FunctionType(ir.VoidType(), [POINTER] * pointers + [INDEX])
    function = ir.Function(module, kind, "kernel")
    code = Code(function, target)
    write(code, *function.args)
    code.finish()
    library = Library(str(module), target)
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * pointers, ctypes.c_int64)(library.address("kernel"))

    def call(*arrays: Array, count: int) -> None:
        assert library  # its code must live as long as this function
        native(*(array.ctypes.data for array in arrays), count)

    return call


def read(code: Code, pointer: ir.Value, place: ir.Value, dtype: np.dtype[Any], lanes: int) -> ir.Value:
    value = code.load(pointer, place, dtype, lanes)
    if dtype != np.bool_:
        return value
    return code.builder.icmp_unsigned("!=", value, ir.Constant(value.type, None))


def write(code: Code, value: ir.Value, pointer: ir.Value, place: ir.Value, dtype: np.dtype[Any]) -> None:
    if dtype == np.bool_:
        byte, kind = ir.IntType(8), value.type
        value = code.builder.zext(
            value, ir.VectorType(byte, kind.count) if isinstance(kind, ir.VectorType) else byte
        )
    code.store(value, pointer, place, dtype)


def weak(value: float) -> Typed:
    kinds = {bool: ir.BIT, int: INDEX, float: ir.DoubleType()}
    return Typed(ir.Constant(kinds[type(value)], value), np.dtype(type(value)), True)


def kinds_of(values: Mapping[str, Any]) -> Kinds:
    """Return the dtype of each array and Python number, and whether it is weak."""
    return {
        name: (v.dtype, False) if isinstance(v, np.ndarray) else (np.dtype(type(v)), True)
        for name, v in values.items()
    }


def run(
    roots: Sequence[Expr], values: Mapping[str, Any], lanes: int = 8, target: str = "host"
) -> list[Array]:
    """Return expressions of arrays of one length and of Python numbers, computed natively."""
    arrays = {name: v for name, v in values.items() if isinstance(v, np.ndarray)}
    fixed = {name: weak(v) for name, v in values.items() if name not in arrays}
    dtypes = [dtype_of(root, kinds_of(values))[0] for root in roots]
    count = len(next(iter(arrays.values())))
    length = -(-count // lanes) * lanes
    inputs = [np.resize(array, length) for array in arrays.values()]
    outputs = [np.empty(length, dtype) for dtype in dtypes]

    def body(code: Code, *args: ir.Value) -> None:
        pointers, outs = args[: len(inputs)], args[len(inputs) : -1]
        with code.loop(0, args[-1], lanes) as place:
            given = {
                name: Typed(read(code, pointer, place, array.dtype, lanes), array.dtype, False)
                for (name, array), pointer in zip(arrays.items(), pointers, strict=True)
            }
            for root, out, dtype in zip(roots, outs, dtypes, strict=True):
                made = evaluate(code, root, given | fixed, lanes)
                assert made.dtype == dtype
                write(code, code.splat(made.value, lanes), out, place, dtype)

    compiled(len(inputs) + len(outputs), body, TARGETS[target])(*inputs, *outputs, count=length)
    return [each[:count] for each in outputs]


@cache
def native(function: Callable[..., Register], dtype: str, arity: int, lanes: int, target: str) -> Any:
    """Return a function of the maths package as one of arrays whose length the lanes divide."""
    kind = np.dtype(dtype)

    def body(code: Code, *args: ir.Value) -> None:
        *pointers, out, length = args
        with code.loop(0, length, lanes) as place:
            given = [Register(code, code.load(pointer, place, kind, lanes)) for pointer in pointers]
            code.store(function(*given).value, out, place, kind)

    return compiled(arity + 1, body, TARGETS[target])


def apply(function: Callable[..., Register], *arrays: Array, lanes: int = 0, target: str = "host") -> Array:
    """Return f of every element; as many lanes as the target has unless they are given."""
    dtype = arrays[0].dtype
    lanes = lanes or TARGETS[target].lanes(dtype)
    count = -(-len(arrays[0]) // lanes) * lanes
    padded = [np.resize(a, count) for a in arrays]
    out = np.empty(count, dtype)
    native(function, dtype.name, len(arrays), lanes, target)(*padded, out, count=count)
    return out[: len(arrays[0])]
