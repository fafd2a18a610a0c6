"""The parts of an expression, and the error that points at one of them.

Nothing is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from chainrule.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Node:
    """A part of an expression: a number, a name, a list, or a function of other parts.

    `what` is "number", "name", "list", or the name of the function; `value` is the number or the name;
    `column` counts from 0.
    """

    what: str
    column: int
    args: tuple[Node, ...] = ()
    value: Any = None
    settings: tuple[tuple[str, Any], ...] = ()

    def parts(self) -> list[Node]:
        """Return this and all below, arguments before their users, from left to right."""
        found: list[Node] = []
        pending: list[Node] = [self]
        while pending:
            node = pending.pop()
            found.append(node)
            pending.extend(node.args)
        return found[::-1]


class ExpressionError(ArgumentError):
    """An expression that cannot be read or computed; the message points at the column."""


def refuse(text: str, column: int, what: str, hint: str = "") -> NoReturn:
    """Raise ExpressionError with the text and a mark below the column (counted from 0)."""
    headline = f"expression, column {column + 1}: {what}"
    raise ExpressionError(headline, got=pointed(text, column), hint=hint, at="")


def pointed(text: str, column: int) -> str:
    """Return the text with a mark below a column, as it stands in the layout of an error."""
    return f"{text}\n{' ' * (13 + column)}^"
