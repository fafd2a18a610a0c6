"""The text of LLVM's language: constants keep every bit, names never clash, LLVM reads all of it."""

from __future__ import annotations

import ctypes
import math

import numpy as np
import pytest

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.target import target

NUMBERS = [0.0, -0.0, 1.0, -1.5, 0.1, math.pi, math.inf, -math.inf, math.nan, 5e-324, 1e-45, 2.0**-126]
TAKES_POINTER = ir.FunctionType(ir.VoidType(), [POINTER])


def stored(constants: list[ir.Constant], dtype: str) -> np.ndarray:
    """Return what memory holds after native code has written the constants into it, one by one."""
    module = ir.Module(target().triple)
    code = Code(ir.Function(module, TAKES_POINTER, "f"), target())
    count = 1
    for place, each in enumerate(constants):
        count = each.type.count if isinstance(each.type, ir.VectorType) else 1
        code.store(each, code.function.args[0], place * count, dtype)
    code.finish()
    library = Library(str(module), target())
    found = np.full(len(constants) * count, 77).astype(dtype)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("f"))(found.ctypes.data)
    return found


@pytest.mark.parametrize(("kind", "dtype"), [(ir.FloatType(), "float32"), (ir.DoubleType(), "float64")])
def test_float_constants_keep_their_bits(kind: ir.Type, dtype: str) -> None:
    numbers = [*NUMBERS, float(np.finfo(dtype).max), float(np.nextafter(np.dtype(dtype).type(1), 2))]
    expected = np.array(numbers, np.float64).astype(dtype)
    words = f"u{expected.itemsize}"
    alone = stored([kind(number) for number in numbers], dtype)
    side_by_side = stored([ir.VectorType(kind, len(numbers))(numbers)], dtype)
    for found in (alone, side_by_side):
        whole = ~np.isnan(expected)
        np.testing.assert_array_equal(found.view(words)[whole], expected.view(words)[whole])
        assert np.isnan(found[~whole]).all()


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_whole_constants(bits: int) -> None:
    numbers = [0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))]
    assert stored([ir.IntType(bits)(number) for number in numbers], f"i{bits // 8}").tolist() == numbers
    assert stored([ir.IntType(bits)(None)], f"i{bits // 8}").tolist() == [0]


def test_truth_values_are_one_bit() -> None:
    bits = ir.VectorType(ir.BIT, 4)([True, False, True, True])
    module = ir.Module(target().triple)
    code = Code(ir.Function(module, TAKES_POINTER, "f"), target())
    changed = code.builder.not_(bits)
    code.store(code.builder.zext(changed, ir.VectorType(ir.IntType(8), 4)), code.function.args[0], 0, "int8")
    code.finish()
    found = np.full(4, 9, np.int8)
    library = Library(str(module), target())
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("f"))(found.ctypes.data)
    assert found.tolist() == [0, 1, 0, 0]


def test_blocks_and_values_of_one_name_stay_apart() -> None:
    module = ir.Module(target().triple)
    code = Code(ir.Function(module, TAKES_POINTER, "counts up"), target())
    total = code.variable(constant(0))
    for _ in range(2):
        with (
            code.loop(0, 3, name="i"),
            code.loop(0, 5, name="i") as inner,
            code.only_if(code.builder.icmp_signed(">", inner, constant(2))),
        ):
            code.set(total, code.builder.add(code.get(total), inner))
    code.store(code.get(total), code.function.args[0], 0, np.int64)
    code.finish()
    found = np.zeros(1, np.int64)
    library = Library(str(module), target())
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("counts up"))(found.ctypes.data)
    assert found.tolist() == [2 * 3 * (3 + 4)]


def test_a_function_is_declared_once_and_a_table_is_read() -> None:
    module = ir.Module(target().triple)
    table = ir.Table(module, "t", ir.ArrayType(INDEX, 3)([5, 6, 7]), 64)
    code = Code(ir.Function(module, TAKES_POINTER, "f"), target())
    first = code.call("llvm.smax", [constant(1), code.load(table, 2, np.int64)])
    declared = len(module.globals)
    code.store(code.call("llvm.smax", [first, constant(2)]), code.function.args[0], 0, np.int64)
    assert len(module.globals) == declared
    code.finish()
    assert "[i64 5, i64 6, i64 7], align 64" in str(module)
    found = np.zeros(1, np.int64)
    library = Library(str(module), target())
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("f"))(found.ctypes.data)
    assert found.tolist() == [7]


def test_what_makes_no_sense_is_refused_by_llvm() -> None:
    module = ir.Module(target().triple)
    code = Code(ir.Function(module, TAKES_POINTER, "f"), target())
    code.builder.add(code.function.args[0], constant(1))
    code.finish()
    with pytest.raises(RuntimeError, match="ptr"):
        Library(str(module), target())


def test_types_of_one_text_are_equal() -> None:
    assert ir.VectorType(ir.I32, 4) == ir.VectorType(ir.IntType(32), 4)
    assert ir.VectorType(ir.I32, 4) != ir.ArrayType(ir.I32, 4)
    assert ir.like(ir.VectorType(INDEX, 8), ir.BIT) == ir.VectorType(ir.BIT, 8)
    assert ir.like(INDEX, ir.BIT) == ir.BIT
