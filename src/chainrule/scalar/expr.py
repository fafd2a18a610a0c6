"""Expressions over numbers: what an elementwise op does to ONE element.

An expression is an immutable tree of named functions, constants and variables. Equal expressions
are the same object, so shared parts are computed once and comparison is `is`. Operators build
expressions; a Python `if` on one raises, because its outcome is not known before there are numbers.
Nothing here knows arrays, dtypes or tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from chainrule.errors import TraceError

Number: TypeAlias = "Expr | float | int | bool"

CONSTANT, VARIABLE = "constant", "variable"

_interned: dict[tuple[object, ...], Expr] = {}

_FOLDED: dict[str, Callable[..., float]] = {
    "add": float.__add__,
    "subtract": float.__sub__,
    "multiply": float.__mul__,
    "negative": float.__neg__,
}


class Expr:
    """One node: a function applied to arguments, a constant, or a variable."""

    __slots__ = ("args", "function", "value")

    function: str
    args: tuple[Expr, ...]
    value: float | int | bool | str | None

    def __add__(self, other: Number) -> Expr:
        return apply("add", self, other)

    def __radd__(self, other: Number) -> Expr:
        return apply("add", other, self)

    def __sub__(self, other: Number) -> Expr:
        return apply("subtract", self, other)

    def __rsub__(self, other: Number) -> Expr:
        return apply("subtract", other, self)

    def __mul__(self, other: Number) -> Expr:
        return apply("multiply", self, other)

    def __rmul__(self, other: Number) -> Expr:
        return apply("multiply", other, self)

    def __truediv__(self, other: Number) -> Expr:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return apply("divide", other, self)

    def __pow__(self, other: Number) -> Expr:
        return apply("power", self, other)

    def __rpow__(self, other: Number) -> Expr:
        return apply("power", other, self)

    def __neg__(self) -> Expr:
        return apply("negative", self)

    def __abs__(self) -> Expr:
        return apply("absolute", self)

    def __lt__(self, other: Number) -> Expr:
        return apply("less", self, other)

    def __le__(self, other: Number) -> Expr:
        return apply("less_equal", self, other)

    def __gt__(self, other: Number) -> Expr:
        return apply("greater", self, other)

    def __ge__(self, other: Number) -> Expr:
        return apply("greater_equal", self, other)

    def __bool__(self) -> bool:
        raise TraceError(
            "elementwise body: a Python `if` (or and/or/not) on an expression has no answer yet",
            hint="write scalar.select(condition, value_if_true, value_if_false)",
        )

    def __repr__(self) -> str:
        if self.function in (CONSTANT, VARIABLE):
            return str(self.value)
        return f"{self.function}({', '.join(map(repr, self.args))})"


def _intern(function: str, args: tuple[Expr, ...], value: float | int | bool | str | None) -> Expr:
    key = (function, value.__class__, repr(value), *map(id, args))
    found = _interned.get(key)
    if found is None:
        found = Expr()
        found.function, found.args, found.value = function, args, value
        _interned[key] = found
    return found


def constant(value: float | int | bool) -> Expr:
    """Return the expression of a known number."""
    return _intern(CONSTANT, (), value)


def variable(name: str) -> Expr:
    """Return the expression of an input or a parameter."""
    return _intern(VARIABLE, (), name)


def expression(value: Number) -> Expr:
    """Return `value` itself when it is an expression, else the constant."""
    return value if isinstance(value, Expr) else constant(value)


def apply(function: str, *args: Number, value: str | None = None) -> Expr:
    """Return `function(*args)`, leaving out additions of 0 and multiplications by 1.

    `value` is a fixed attribute, such as the dtype of a cast.
    """
    operands = tuple(expression(arg) for arg in args)
    simpler = _simplified(function, operands)
    return _intern(function, operands, value) if simpler is None else simpler


def is_constant(expr: Expr, value: float) -> bool:
    """Tell whether `expr` is the known number `value` (never a bool)."""
    return expr.function == CONSTANT and not isinstance(expr.value, bool) and expr.value == value


def _simplified(function: str, operands: tuple[Expr, ...]) -> Expr | None:
    first, last = operands[0], operands[-1]
    if function in _FOLDED and all(isinstance(each.value, float) for each in operands):
        return constant(_FOLDED[function](*(each.value for each in operands)))
    if function == "add" and is_constant(first, 0):
        return last
    if function in ("add", "subtract") and is_constant(last, 0):
        return first
    if function == "multiply" and is_constant(first, 1):
        return last
    if function in ("multiply", "divide", "power") and is_constant(last, 1):
        return first
    if function == "multiply" and is_constant(first, -1):
        return _intern("negative", (last,), None)
    if function == "multiply" and is_constant(last, -1):
        return _intern("negative", (first,), None)
    if function == "negative" and first.function == "negative":
        return first.args[0]
    return None


def walk(*roots: Expr) -> list[Expr]:
    """Return every node below `roots` once, arguments before their users."""
    order: list[Expr] = []
    seen: set[int] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args))
    return order


def variables(expr: Expr) -> set[str]:
    """Return the names of the variables that `expr` reads."""
    return {str(node.value) for node in walk(expr) if node.function == VARIABLE}


def substitute(expr: Expr, replacements: dict[Expr, Expr]) -> Expr:
    """Return `expr` with whole subexpressions replaced."""
    done: dict[int, Expr] = {}
    pending = [expr]
    while pending:
        node = pending[-1]
        if id(node) in done:
            pending.pop()
        elif node in replacements or not node.args:
            done[id(node)] = replacements.get(node, node)
        else:
            missing = [arg for arg in node.args if id(arg) not in done]
            if missing:
                pending.extend(missing)
                continue
            args = tuple(done[id(arg)] for arg in node.args)
            done[id(node)] = apply(node.function, *args, value=str(node.value) if node.value else None)
    return done[id(expr)]
