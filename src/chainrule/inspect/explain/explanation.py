"""All the cards of a graph: a table, a page, and a walk through it one gate at a time.

It is a sequence of cards, in topological order; what is on a card is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chainrule.errors import UnknownNameError, nearest
from chainrule.inspect.explain import page, record, text
from chainrule.inspect.explain.card import Card, card_of
from chainrule.inspect.explain.style import Style
from chainrule.inspect.explain.subject import Subject

Users = Callable[[Any], Sequence[tuple[Subject, int]]]


class Explanation(Sequence[Card]):
    """The cards of a graph in topological order; also by the gate's name."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self.cards = list(cards)

    def __getitem__(self, key: Any) -> Any:
        """Return a card by the name or number of its gate."""
        if not isinstance(key, str):
            return self.cards[key]
        found = next((card for card in self.cards if card.name == key and card.op != "constant"), None)
        if found is None:
            hint = nearest(key, [card.name for card in self.cards])
            raise UnknownNameError(f"explain: there is no gate {key!r}", hint=hint)
        return found

    def __len__(self) -> int:
        return len(self.cards)

    def __iter__(self) -> Iterator[Card]:
        return iter(self.cards)

    @property
    def residual(self) -> float | None:
        """The largest |upstream x local - downstream| of all edges; None before a backward sweep."""
        found = [card.residual for card in self.cards if card.residual is not None]
        return max(found) if found else None

    def text(self, digits: int | None = None) -> str:
        """Return the table of all gates, each value above its gradient."""
        return text.of_graph(self.cards, Style(digits))

    def record(self) -> dict[str, Any]:
        """Return all cards as plain data for JSON."""
        return {"gates": [card.record() for card in self.cards], "residual": record.plain(self.residual)}

    def json(self, indent: int | None = None) -> str:
        """Return all cards as JSON."""
        return json.dumps(self.record(), indent=indent, allow_nan=False)

    def _repr_html_(self) -> str:
        return page.of_graph(self.cards, Style())

    def __repr__(self) -> str:
        return self.text()

    __str__ = __repr__


def explain(gates: Sequence[Subject], users: Users) -> Explanation:
    """Return the cards of `gates` as they stand; `users(gate)` are the edges that leave one."""
    return Explanation([card_of(gate, users(gate)) for gate in gates])
