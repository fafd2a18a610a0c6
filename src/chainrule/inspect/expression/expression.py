"""An expression that has been read, and its value as a tensor with a graph behind it.

The tree is computed by the library's own ops in float64; a wrong value is an error that points at its
column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.core.registry import named
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, ChainruleError, nearest
from chainrule.inspect.expression.node import ExpressionError, Node, pointed, refuse
from chainrule.inspect.expression.reader import Reader


class Expression:
    """An expression; `names` are the names in it, from left to right.

    >>> expression = Expression("(x + y) * z")
    >>> expression.names
    ['x', 'y', 'z']
    >>> expression.compute({"x": -2.0, "y": 5.0, "z": -4.0}).item()
    -12.0
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts = Reader(text).read().parts()
        self._first = {node.value: node for node in reversed(self.parts) if node.what == "name"}
        self.names = sorted(self._first, key=lambda name: self._first[name].column)

    def compute(self, values: Mapping[str, Any]) -> Tensor:
        """Return the tensor for the given values of the names, each of them a leaf with a gradient.

        Raises ExpressionError where a value is missing or does not fit.
        """
        for name in values:
            if name not in self._first:
                hint = nearest(name, self.names)
                raise ArgumentError(f"expression: there is no {name!r} in it", got=self.text, hint=hint)
        leaves = {name: self._leaf(name, values) for name in self.names}
        found: dict[Node, Any] = {}
        for node in self.parts:
            found[node] = leaves[node.value] if node.what == "name" else self._value(node, found)
        result = found[self.parts[-1]]
        return result if isinstance(result, Tensor) else Tensor(np.asarray(result, np.float64))

    def _leaf(self, name: str, values: Mapping[str, Any]) -> Tensor:
        if name not in values:
            refuse(self.text, self._first[name].column, f"{name!r} has no value", f"add {name}=2")
        return Tensor(np.array(values[name], np.float64), requires_grad=True, name=name)

    def _value(self, node: Node, found: Mapping[Node, Any]) -> Any:
        if node.what == "number":
            return np.array(node.value, np.float64)  # an array, so that a division by 0 is no exception
        if node.what == "list":
            return matrix(self.text, node)
        try:
            with np.errstate(all="ignore"):  # what becomes infinite is shown as such
                return _called(named(node.what), [found[each] for each in node.args], dict(node.settings))
        except ChainruleError as error:
            got = pointed(self.text, node.column)
            raise ExpressionError(error.headline, got=got, hint=error.hint, at="") from error


def _called(function: Callable[..., Any], args: list[Any], settings: dict[str, Any]) -> Any:
    """Return the result; that of constants alone is a constant again."""
    made = function(*args, **settings)
    return made if any(isinstance(each, Tensor) for each in args) else made.data


def read_value(text: str) -> float | Array:
    """Return the number or nested list that `text` holds: '-1.5', '[[1, 2], [3, 4]]'."""
    root = Reader(text).read()
    if root.what == "number":
        return root.value
    if root.what == "list":
        return matrix(text, root)
    refuse(text, root.column, "a value must be a number or a list of numbers", "as in w=[[1,2],[3,4]]")


def matrix(text: str, node: Node) -> Array:
    """Return nested lists of numbers as an array; ExpressionError where they are anything else."""

    def plain(each: Node) -> Any:
        if each.what == "list":
            return [plain(item) for item in each.args]
        if each.what != "number":
            refuse(text, each.column, "a list holds plain numbers only", "give the matrix a name")
        return each.value

    try:
        return np.array(plain(node), np.float64)
    except ValueError as error:
        if isinstance(error, ExpressionError):
            raise
        refuse(text, node.column, "the rows of the matrix differ in length")
