"""The scalar language: building, simplifying, deriving and printing expressions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule import scalar
from chainrule.errors import TraceError
from chainrule.scalar import numpy as target
from chainrule.scalar.derive import times

X, Y = scalar.variable("x"), scalar.variable("y")


def evaluate(expr, **values):
    return target.function("f", list(values), expr)(*values.values())


def test_equal_expressions_are_the_same_object():
    assert (X + Y) * (X + Y) is (X + Y) * (X + Y)
    assert X + 1 is not X + 1.0  # an integer and a float promote differently
    assert X + True is not X + 1


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (X + 0, "x"), (0.0 + X, "x"), (X - 0, "x"), (X * 1, "x"), (1.0 * X, "x"), (X / 1, "x"), (X**1, "x"),
        (X * -1, "-x"), (X * 0, "x * 0"),
        (X - (Y - 1), "x - (y - 1)"), ((X - Y) - 1, "x - y - 1"), (X / (Y * 2), "x / (y * 2)"),
        ((X + 1) ** 2, "(x + 1) ** 2"), (-X**2, "-x ** 2"), ((-X) ** 2, "(-x) ** 2"),
        (scalar.select(X > 0, X, 0.5 * X), "(x if x > 0 else 0.5 * x)"), (abs(X), "|x|"),
        (scalar.cast(X, "float32") + 1, "x + 1"), (2.0 * scalar.constant(3.0), "6"),
    ],
)  # fmt: skip
def test_simplifying_and_printing(expr, text):
    assert scalar.text(expr) == text


def test_tex():
    assert scalar.tex(1.0 / (1.0 + scalar.exp(-X))) == "\\frac{1}{1 + e^{-x}}"
    assert scalar.tex(scalar.sqrt(X) * (X + Y)) == "\\sqrt{x} \\, \\left(x + y\\right)"


def test_a_python_if_on_an_expression_says_what_to_write():
    with pytest.raises(TraceError, match="has no answer yet") as caught:
        _ = X if X > 0 else Y
    assert "scalar.select" in caught.value.hint


@pytest.mark.parametrize("name", sorted(set(scalar.FUNCTIONS) - {"cast", "select"}))
def test_partials_agree_with_differences(name):
    function = scalar.FUNCTIONS[name]
    names = ["x", "y"][: function.arity]
    if name in ("bitwise_and", "bitwise_or", "bitwise_xor", "invert"):
        return  # of integers only
    expr = scalar.expr.apply(name, *map(scalar.variable, names))
    point = {"x": 0.73, "y": 0.38}
    values = {each: np.float64(point[each]) for each in names}
    for each, partial in zip(names, scalar.partials(expr, list(map(scalar.variable, names))), strict=True):
        above, below = (
            float(evaluate(expr, **{**values, each: values[each] + step})) for step in (1e-6, -1e-6)
        )
        assert math.isclose(float(evaluate(partial, **values)), (above - below) / 2e-6, abs_tol=1e-8)


def test_derivatives_read_the_saved_output_back():
    (partial,) = scalar.partials(scalar.tanh(X), [X], scalar.variable("output"))
    assert scalar.text(partial) == "1 - output * output"


def test_a_branch_not_taken_never_gives_nan():
    safe = scalar.select(X > 0, scalar.sqrt(X), 0.0)
    (partial,) = scalar.partials(safe, [X])
    np.testing.assert_array_equal(evaluate(partial, x=np.array([-1.0, 0.0, 4.0])), [0, 0, 0.25])
    gradient = times(scalar.variable("g"), scalar.partials(scalar.maximum(X, 0.0), [X])[0])
    assert evaluate(gradient, g=np.array([np.inf]), x=np.array([-1.0])) == 0


def test_shared_parts_are_computed_once():
    shared = scalar.exp(X)
    text = target.source("f", ["x"], shared * shared + shared)
    assert text.count("exp(") == 1


def test_a_deep_expression_needs_no_recursion():
    total = X
    for _ in range(20_000):
        total = total + Y
    assert evaluate(total, x=np.float64(1), y=np.float64(2)) == 40_001
    assert len(scalar.text(scalar.partials(total, [Y])[0])) > 0


def test_erf_against_the_c_library():
    x = np.concatenate([np.linspace(-7, 7, 20_001), [0.0, 1e-300, -1e-20, 1.0, np.inf, -np.inf, np.nan]])
    exact = np.array([math.erf(each) for each in x])
    ours = evaluate(scalar.erf(X), x=x)
    np.testing.assert_array_max_ulp(ours[:-1], exact[:-1], maxulp=4)
    assert np.isnan(ours[-1])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_erf_of_the_smallest_and_the_largest_integer(dtype: str):
    ends = np.array([np.iinfo(dtype).min, 0, 1, np.iinfo(dtype).max], dtype)
    exact = [math.erf(int(each)) for each in ends]
    np.testing.assert_array_max_ulp(evaluate(scalar.erf(X), x=ends), np.array(exact), maxulp=4)
