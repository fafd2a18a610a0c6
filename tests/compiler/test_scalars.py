"""Expressions in native code, against the same expressions run by NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.compiler.number_kernels import TARGETS, kinds_of, run

from chainrule import scalar
from chainrule.compiler.cpu.scalars import dtype_of
from chainrule.errors import DTypeError
from chainrule.scalar import numpy as scalar_numpy
from chainrule.scalar.expr import Expr, apply, constant, variable

A, B, C = variable("a"), variable("b"), variable("c")
DTYPES = (
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
)  # fmt: skip
APPROXIMATED = {"exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf", "arctan2", "power"}
UNARY = [f.name for f in scalar.FUNCTIONS.values() if f.arity == 1 and f.name != "cast"]
BINARY = [f.name for f in scalar.FUNCTIONS.values() if f.arity == 2]
COMPARED = [lambda a, b, name=name: apply(name, a, b) for name in ("less", "equal", "greater_equal")]
FLOATS = [
    0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1.5, 3.0, -7.25, 1e-30, 1e30, np.inf, -np.inf, np.nan, 2.0**31, 1e10,
]  # fmt: skip


def values_of(dtype: str) -> np.ndarray[Any, Any]:
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.array([False, True])
    if kind.kind == "f":
        return np.array(FLOATS, kind)
    info = np.iinfo(kind)
    low = [info.min, info.min + 1, -7, -2, -1] if kind.kind == "i" else []
    return np.array([*low, 0, 1, 2, 3, 10, info.max - 1, info.max], kind)


def pairs(one: Any, two: Any) -> dict[str, Any]:
    left, right = np.meshgrid(one, two)
    return {"a": left.ravel(), "b": right.ravel()}


def reference(root: Expr, values: dict[str, Any]) -> Any:
    """Return what NumPy gives; None where it has no such operation, so that no program holds it."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(scalar_numpy.function("reference", list(values), root)(*values.values()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def agree(roots: Sequence[Expr], values: dict[str, Any], lanes: int = 8, target: str = "host") -> None:
    expected = {root: made for root in roots if (made := reference(root, values)) is not None}
    for root, made in expected.items():
        assert dtype_of(root, kinds_of(values))[0] == made.dtype, f"{root} of {kinds_of(values)}"
    native = [root for root, made in expected.items() if made.dtype != np.float16]
    for root, found in zip(native, run(native, values, lanes, target), strict=True):
        same(found, np.broadcast_to(expected[root], found.shape), root)


def same(found: Any, expected: Any, root: Expr) -> None:
    if expected.dtype.kind == "f" and any(name in repr(root) for name in APPROXIMATED):
        np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(expected.dtype).eps, err_msg=str(root))
    else:
        np.testing.assert_array_equal(found, expected, err_msg=str(root))


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_one_number(dtype: str) -> None:
    values = values_of(dtype)
    agree([apply(name, A) for name in UNARY if name != "erf"], {"a": values})
    # NumPy's expression of erf takes the absolute value, which the least integer does not have.
    agree([scalar.erf(A)], {"a": values[1:] if values.dtype.kind == "i" else values})


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_two_numbers(dtype: str) -> None:
    values = pairs(values_of(dtype), values_of(dtype))
    agree([apply(name, A, B) for name in BINARY if name != "power"], values)
    if values["b"].dtype.kind == "i":
        values["b"] = np.abs(values["b"] % 9)  # NumPy refuses negative exponents of integers
    agree([A**B], values)


@pytest.mark.parametrize("dtypes", list(itertools.combinations(DTYPES, 2)))
def test_two_dtypes_meet(dtypes: tuple[str, str]) -> None:
    values = pairs(*map(values_of, dtypes))
    agree([A + B, B - A, A < B, scalar.maximum(A, B), scalar.equal(B, A)], values)


@pytest.mark.parametrize("old", DTYPES)
def test_casts(old: str) -> None:
    values = values_of(old)
    agree([scalar.cast(A, new) for new in DTYPES if np.dtype(new).kind != "u"], {"a": values}, lanes=4)
    if values.dtype.kind == "f":  # what is out of the range of unsigned integers, NumPy leaves open
        values = values[np.isfinite(values) & (np.abs(values) < 2**31)]
    agree([scalar.cast(A, new) for new in DTYPES if np.dtype(new).kind == "u"], {"a": values}, lanes=4)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("number", [2, 2.5, True, 0])
def test_python_numbers_are_weak(dtype: str, number: float) -> None:
    # NumPy squares where the exponent is 2, and the square of a bool is int8.
    names = [name for name in BINARY if (name, dtype, number) != ("power", "bool", 2)]
    agree([apply(name, A, constant(number)) for name in names], {"a": values_of(dtype)})
    agree([apply(name, A, B) for name in names], {"a": values_of(dtype), "b": number})


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_python_numbers_out_of_range_compare_by_their_value(dtype: str) -> None:
    numbers = (-1, 300, -129, 2**31, 2**40)
    agree([compared(A, n) for n in numbers for compared in COMPARED], {"a": values_of(dtype)})


def test_python_numbers_among_themselves_stay_weak() -> None:
    for number in (3, True):
        agree([B / 2 * (A + 1.5), (B + B) * A], {"a": values_of("float32"), "b": number})
    assert dtype_of(B / 2, {"b": (np.dtype(np.int64), True)}) == (np.dtype(np.float64), True)
    assert dtype_of(scalar.exp(B), {"b": (np.dtype(np.float64), True)}) == (np.dtype(np.float64), False)


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_choices(dtype: str) -> None:
    roots = [scalar.select(A > 0, 1.0, 0.0), scalar.select(A, A, 0), scalar.select(A > 0, A, 0.5)]
    agree(roots, {"a": values_of(dtype)})


def test_known_exponents() -> None:
    exponents = (-1, -1.0, 0, 0.5, 2, 2.0, 3.0, 4, 7, 1.5)
    agree([A**exponent for exponent in exponents], {"a": np.array(FLOATS[:-5], np.float32)})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("lanes", [1, 2, 16, 32])
def test_any_lanes_on_any_target(lanes: int, target: str) -> None:
    root = scalar.select(scalar.maximum(A, 1) * 2 >= scalar.floor_divide(A, 3), scalar.remainder(A, 3), A)
    for dtype in ("float32", "float64", "int8", "int64", "uint64", "bool"):
        agree([root], {"a": np.tile(values_of(dtype), 5)}, lanes, target)


def test_a_product_and_a_sum_are_rounded_each() -> None:
    a = np.full(16, 1 + 2.0**-12, np.float32)
    agree([A * A + B], {"a": a, "b": -(a * a)}, lanes=16)


def test_plain_numbers_stay_plain_until_they_meet_a_vector() -> None:
    agree([A * (B + C), B * C + 1.0], {"a": values_of("float32"), "b": 2.0, "c": 1})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quotients_of_many_numbers_by_one_have_the_same_bits(dtype: str, target: str) -> None:
    draw, info = np.random.default_rng(3), np.finfo(dtype)
    limits = [info.max, info.tiny, info.smallest_subnormal, info.tiny * 3, info.max / 3, 1 / info.max]
    odd = np.array([*FLOATS, *limits, *(-each for each in limits)], dtype)
    with np.errstate(all="ignore"):
        wide = (draw.standard_normal(20_000) * 2.0 ** draw.integers(-160, 160, 20_000)).astype(dtype)
    near = 1 + draw.integers(0, 2**20, 20_000).astype(dtype) * info.eps
    values = np.concatenate([odd, wide, near, np.arange(1000, dtype=dtype)])
    for by in [*odd, *near[:20], *wide[:20], *np.arange(3, 50, dtype=dtype)]:
        root = A / scalar.cast(B, dtype)
        given = {"a": values, "b": float(by)}
        (found,), expected = run([root], given, 16, target), reference(root, given)
        tiny = (np.abs(expected) < info.tiny) | (np.abs(values) < info.tiny / info.eps)
        small = tiny & np.isfinite(expected)
        np.testing.assert_array_equal(found[~small], expected[~small], err_msg=str(root))
        assert (np.abs(found[small] - expected[small]) <= 1.5 * np.spacing(np.abs(expected[small]))).all()
        np.testing.assert_array_equal(np.signbit(found[expected == 0]), np.signbit(expected[expected == 0]))


def test_float16_is_refused() -> None:
    values = {"a": values_of("int8")}
    assert dtype_of(scalar.exp(A), kinds_of(values))[0] == np.float16
    with pytest.raises(DTypeError, match="float16"):
        run([scalar.exp(A)], values)
