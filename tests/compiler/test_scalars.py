"""Expressions in native code, against the same expressions run by NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from tests.compiler.number_kernels import TARGETS, run

from chainrule import scalar
from chainrule.compiler.cpu.scalars import dtype_of
from chainrule.errors import DTypeError
from chainrule.scalar import numpy as scalar_numpy
from chainrule.scalar.expr import Expr, apply, constant, variable

A, B, C = variable("a"), variable("b"), variable("c")
DTYPES = (
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
)
APPROXIMATED = {"exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf", "arctan2", "power"}
UNARY = sorted(f.name for f in scalar.FUNCTIONS.values() if f.arity == 1 and f.name != "cast")
BINARY = sorted(f.name for f in scalar.FUNCTIONS.values() if f.arity == 2)
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    1.5,
    3.0,
    -7.25,
    1e-30,
    1e30,
    np.inf,
    -np.inf,
    np.nan,
    2.0**31,
    1e10,
]


def values_of(dtype: str) -> np.ndarray[Any, Any]:
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.array([False, True])
    if kind.kind == "f":
        return np.array(FLOATS, kind)
    info = np.iinfo(kind)
    low = [info.min, info.min + 1, -7, -2, -1] if kind.kind == "i" else []
    return np.array([*low, 0, 1, 2, 3, 10, info.max - 1, info.max], kind)


def reference(root: Expr, values: dict[str, Any]) -> Any:
    with np.errstate(all="ignore"):
        return np.asarray(scalar_numpy.function("reference", list(values), root)(*values.values()))


def agree(root: Expr, values: dict[str, Any], lanes: int = 8, target: str = "") -> None:
    try:
        expected = reference(root, values)
    except (TypeError, ValueError, ZeroDivisionError):
        return  # NumPy has no such operation, so no program holds it
    kinds = {
        n: (v.dtype, False) if isinstance(v, np.ndarray) else (np.dtype(type(v)), True)
        for n, v in values.items()
    }
    dtype, _ = dtype_of(root, kinds)
    assert dtype == expected.dtype, f"{root} of {kinds}"
    if expected.dtype == np.float16 or any(np.float16 == dtype_of(n, kinds)[0] for n in scalar_nodes(root)):
        with pytest.raises(DTypeError, match="float16"):
            run(root, values, lanes, target)
        return
    found = run(root, values, lanes, target)
    same(found, np.broadcast_to(expected, found.shape), root)


def scalar_nodes(root: Expr) -> list[Expr]:
    return [] if root.function == "erf" else [root]


def same(found: Any, expected: Any, root: Expr) -> None:
    if expected.dtype.kind == "f" and any(name in repr(root) for name in APPROXIMATED):
        np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(expected.dtype).eps, err_msg=str(root))
    else:
        np.testing.assert_array_equal(found, expected, err_msg=str(root))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_number(name: str, dtype: str) -> None:
    agree(apply(name, A), {"a": values_of(dtype)})


@pytest.mark.parametrize("dtypes", list(itertools.product(DTYPES, DTYPES)))
def test_every_pair_of_dtypes_of_a_sum_and_a_comparison(dtypes: tuple[str, str]) -> None:
    pairs = list(itertools.product(*(values_of(each) for each in dtypes)))
    values = {n: np.array([p[i] for p in pairs], dtypes[i]) for i, n in enumerate("ab")}
    agree(apply("add", A, B), values)
    agree(apply("less", A, B), values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_numbers(name: str, dtype: str) -> None:
    left, right = np.meshgrid(values_of(dtype), values_of(dtype))
    values = {"a": left.ravel(), "b": right.ravel()}
    if name == "power" and values["b"].dtype.kind == "i":
        values["b"] = np.abs(values["b"] % 9)
    agree(apply(name, A, B), values)


@pytest.mark.parametrize("old", DTYPES)
@pytest.mark.parametrize("new", DTYPES)
def test_casts(old: str, new: str) -> None:
    values = values_of(old)
    if np.dtype(new).kind == "u" and values.dtype.kind == "f":
        values = values[np.isfinite(values) & (np.abs(values) < 2**31)]  # beyond, NumPy itself differs
    agree(scalar.cast(A, new), {"a": values}, lanes=4)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("number", [2, 2.5, True, 0])
def test_python_numbers_are_weak(name: str, dtype: str, number: float) -> None:
    if (name, dtype, number) != ("power", "bool", 2):  # NumPy calls square, which gives int8
        agree(apply(name, A, constant(number)), {"a": values_of(dtype)})
    agree(apply(name, A, B), {"a": values_of(dtype), "b": number})


def test_python_numbers_among_themselves_stay_weak() -> None:
    half = B / 2 * (A + 1.5)
    for values in ({"a": values_of("float32"), "b": 3}, {"a": values_of("float32"), "b": True}):
        agree(half, values)
    assert dtype_of(B / 2, {"b": (np.dtype(np.int64), True)}) == (np.dtype(np.float64), True)
    assert dtype_of(scalar.exp(B), {"b": (np.dtype(np.float64), True)}) == (np.dtype(np.float64), False)


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_choices(dtype: str) -> None:
    values = {"a": values_of(dtype)}
    agree(scalar.select(A > 0, 1.0, 0.0), values)
    agree(scalar.select(A, A, 0), values)
    agree(scalar.select(A > 0, A, 0.5), values)


@pytest.mark.parametrize("exponent", [-1, -1.0, 0, 0.5, 2, 2.0, 3.0, 4, 7, 1.5])
def test_known_exponents(exponent: float) -> None:
    agree(A**exponent, {"a": values_of("float32")[:-4]})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("lanes", [1, 2, 16, 32])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint64", "bool"])
def test_any_lanes_on_any_target(dtype: str, lanes: int, target: str) -> None:
    root = scalar.select(scalar.maximum(A, 1) * 2 >= scalar.floor_divide(A, 3), scalar.remainder(A, 3), A)
    agree(root, {"a": np.tile(values_of(dtype), 5)}, lanes, target)


def test_a_sum_of_a_product_is_rounded_twice() -> None:
    a = np.full(16, 1 + 2.0**-12, np.float32)
    agree(A * A + B, {"a": a, "b": -(a * a)}, lanes=16)


def test_plain_numbers_meet_vectors() -> None:
    agree(A * (B + C), {"a": values_of("float32"), "b": 2.0, "c": 1})
