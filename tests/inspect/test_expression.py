"""Expressions of the command line: read as they are written, refused at the column."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError
from chainrule.inspect.expression import Expression, functions, read_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2 ** 2", -4), ("2 ** -1 ** 2", 0.5), ("2 ** 3 ** 2", 512), ("8 / 4 / 2", 1), ("8 - 4 - 2", 2),
        ("2 - -3", 5), ("--3", 3), ("-(1 + 2) * 3", -9), ("1e-3 + .5", 0.501), ("max(1, 2, )", 2),
        ("[1, 2] @ [3, 4]", 11), ("sum([[1, 2], [3, 4]], axis=0, keepdims=True)", [[4, 6]]),
        ("mean([[1, 2], [3, 4]], axis=(0, 1))", 2.5), ("log(2)", np.log(2)), ("max([1, 5, 3])", 5),
        (" ( 1 )", 1), ("reshape([1, 2], shape=(2, 1))", [[1], [2]]),
    ],
)  # fmt: skip
def test_reads_as_it_is_written(text: str, value: object) -> None:
    found = Expression(text).compute({}).data
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, value, rtol=1e-15)


def test_agrees_with_the_library() -> None:
    x, w = np.array([[1.0, 2.0]]), np.array([[1.0, -1.0], [0.5, 2.0]])
    found = Expression("sum(tanh(x @ w) * sigmoid(w)) / 2").compute({"x": x, "w": w})
    np.testing.assert_allclose(found.data, (cr.tanh(x @ w) * (1 / (1 + np.exp(-w)))).sum().data / 2)
    assert found.requires_grad


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("2x", 2, "'x' is not expected"), ("1 +", 4, "ends too early"), ("(a", 3, "')' is missing"),
        ("a ^ 2", 3, "'^' has no meaning"), ("1 + foo(a)", 5, "no function 'foo'"), ("", 1, "ends too early"),
        ("a.b", 2, "'.' has no meaning"), ("__import__('os')", 12, '"\'" has no meaning'),
        ("exp(a, axis=b)", 13, "plain number"), ("(" * 200, 101, "more than 100"), ("a b", 3, "not expected"),
        ("2**" * 300 + "2", 299, "more than 100"), ("[1, [2]]", 1, "differ in length"), ("open(a)", 1, "'open'"),
        ("[1, a]", 5, "plain numbers only"), ("lambda: 1", 7, "':'"), ("a if a else a", 3, "'if'"), ("a)", 2, "')'"),
    ],
)  # fmt: skip
def test_errors_point_at_the_column(text: str, column: int, says: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Expression(text).compute(dict.fromkeys(Expression(text).names, 1.0))
    assert (
        caught.value.headline.startswith(f"expression, column {column}: ") and says in caught.value.headline
    )
    assert caught.value.got.splitlines()[-1] == " " * (12 + column) + "^"


def test_nothing_but_numbers_can_be_reached() -> None:
    assert not {"open", "eval", "getitem", "tensor", "bernoulli", "uniform", "backward"} & set(functions())
    with pytest.raises(ArgumentError, match="number or a list"):
        read_value("exp(1)")
    with pytest.raises(ArgumentError, match="column 4: 'b' has no value"):
        Expression("a +b").compute({"a": 1.0})


def test_long_expressions_are_no_deep_recursion() -> None:
    assert Expression("+".join(["a"] * 5000)).compute({"a": 1.0}).item() == 5000
    assert Expression("-" * 3001 + "a").compute({"a": 1.0}).item() == -1
