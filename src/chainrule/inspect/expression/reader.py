"""Reading an expression: tokens, then a tree, by precedence.

Sums bind least, then products, signs, powers, and atoms: numbers, names, brackets, lists, calls.
What is not understood is an error that points at its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from chainrule.errors import nearest
from chainrule.inspect.expression.functions import functions, meant
from chainrule.inspect.expression.node import Node, refuse

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|[-+*/@(),=\[\]])|(?P<other>\S))"
)
_SUMS, _PRODUCTS = {"+": "add", "-": "subtract"}, {"*": "multiply", "/": "divide", "@": "matmul"}
_DEEPEST = 100
_WORDS = {"None": None, "True": True, "False": False}
_HINTS = {"^": "powers are written **", "<": "comparisons have no gradient: try maximum, relu or clip"}


@dataclass(frozen=True)
class Token:
    """A piece of the text: what kind it is, its letters, and the column where it starts, from 0."""

    kind: str
    text: str
    column: int


class Reader:
    """Reads by precedence: sums, products, signs, powers, atoms."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [*_tokens(text), Token("end", "", len(text.rstrip()))]
        self.depth = 0

    def read(self) -> Node:
        """Return the whole expression; ExpressionError where something is left over."""
        found = self._sum()
        if self._next.kind != "end":
            left = self._next
            hint = (
                "a product is written with *" if left.kind in ("name", "number") or left.text == "(" else ""
            )
            self._refuse(left, f"{left.text!r} is not expected here", hint)
        return found

    @property
    def _next(self) -> Token:
        return self.tokens[0]

    def _take(self, sign: str = "") -> Token:
        token = self._next
        if sign and token.text != sign:
            told = "the expression ends" if token.kind == "end" else f"found {token.text!r}"
            self._refuse(token, f"{sign!r} is missing, {told}")
        return self.tokens.pop(0) if token.kind != "end" else token

    def _refuse(self, token: Token, what: str, hint: str = "") -> NoReturn:
        refuse(self.text, token.column, what, hint)

    def _sum(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            self._refuse(self._next, f"more than {_DEEPEST} brackets inside each other")
        found = self._joined(_SUMS, self._product)
        self.depth -= 1
        return found

    def _product(self) -> Node:
        return self._joined(_PRODUCTS, self._signed)

    def _joined(self, signs: Mapping[str, str], part: Callable[[], Node]) -> Node:
        found = part()
        while self._next.text in signs:
            sign = self._take()
            found = Node(signs[sign.text], sign.column, (found, part()))
        return found

    def _signed(self) -> Node:
        signs: list[Token] = []
        while self._next.text in ("+", "-"):
            signs.append(self._take())
        found = self._power()
        for sign in reversed(signs):
            if sign.text == "-":
                plain = found.what == "number"
                found = (
                    Node("number", sign.column, value=-found.value)
                    if plain
                    else Node("negative", sign.column, (found,))
                )
        return found

    def _power(self) -> Node:
        base = self._atom()
        if self._next.text != "**":
            return base
        sign = self._take()
        self.depth += 1
        if self.depth > _DEEPEST:
            self._refuse(sign, f"more than {_DEEPEST} powers inside each other")
        exponent = self._signed()
        self.depth -= 1
        return Node("power", sign.column, (base, exponent))

    def _atom(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Node("number", token.column, value=float(token.text))
        if token.kind == "name":
            return (
                self._call(token) if self._next.text == "(" else Node("name", token.column, value=token.text)
            )
        if token.text == "(":
            found = self._sum()
            self._take(")")
            return found
        if token.text == "[":
            return Node("list", token.column, tuple(self._items("]")))
        if token.kind == "end":
            self._refuse(token, "the expression ends too early")
        if token.text == "*":
            self._refuse(token, "'*' is not expected here", "powers are written **")
        self._refuse(token, f"{token.text!r} is not expected here", _HINTS.get(token.text, ""))

    def _items(self, end: str) -> Iterator[Node]:
        while self._next.text != end:
            yield self._sum()
            if self._next.text != end:
                self._take(",")
        self._take(end)

    def _call(self, name: Token) -> Node:
        self._take("(")
        args: list[Node] = []
        settings: list[tuple[str, Any]] = []
        while self._next.text != ")":
            if self._next.kind == "name" and self.tokens[1].text == "=":
                settings.append((self._take().text, self._setting()))
            else:
                args.append(self._sum())
            if self._next.text != ")":
                self._take(",")
        self._take(")")
        function = meant(name.text, len(args))
        if function not in functions():
            self._refuse(name, f"there is no function {name.text!r}", nearest(name.text, functions()))
        return Node(function, name.column, tuple(args), settings=tuple(settings))

    def _setting(self) -> Any:
        """Read the value of `axis=-1`, `axis=(0, 1)` or `keepdims=True`."""
        self._take("=")
        token = self._next
        if token.text in ("(", "["):
            self._take()
            items = tuple(self._items(")" if token.text == "(" else "]"))
            return tuple(self._whole(item) for item in items)
        if token.kind == "name" and token.text in _WORDS:
            return _WORDS[self._take().text]
        return self._whole(self._signed())

    def _whole(self, node: Node) -> float | int:
        if node.what != "number":
            refuse(self.text, node.column, "a setting must be a plain number, or None, True or False")
        return int(node.value) if float(node.value).is_integer() else float(node.value)


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while match := _TOKEN.match(text, place):
        kind = match.lastgroup or ""
        token = Token(kind, match[kind], match.start(kind))
        if kind == "other":
            refuse(text, token.column, f"{token.text!r} has no meaning here", _HINTS.get(token.text, ""))
        yield token
        place = match.end()
