"""A walk through a graph, one gate at a time: forward from the leaves, then backward from the output.

Every step runs one gate, so that a card shows what is known at that moment and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.inspect.explain import text
from chainrule.inspect.explain.card import Card, card_of
from chainrule.inspect.explain.style import Style
from chainrule.inspect.explain.subject import Subject


@dataclass(frozen=True)
class Step:
    """One step: the direction, its number of so many, and the card of the gate that has just run."""

    direction: str
    number: int
    count: int
    card: Card

    def text(self, digits: int | None = None) -> str:
        """Return what this step computed: the value going forward, the gradients going backward."""
        told = text.forward if self.direction == "forward" else text.backward
        head = f"{self.direction} {self.number} of {self.count}   {text.title(self.card)}"
        return "\n".join([head, *told(self.card, Style(digits))])


def walk(gates: Sequence[Subject], gradient: Any = None) -> Iterator[Step]:
    """Run the gates one by one and yield a step after each; `gradient` is the output's upstream."""
    computed = [gate for gate in gates if not gate.is_leaf]
    flowing = [gate for gate in reversed(computed) if gate.tracked]
    for leaf in gates:
        if leaf.is_leaf:
            leaf.forward()
    for number, gate in enumerate(computed, 1):
        with np.errstate(all="ignore"):  # what is not finite is on the card
            gate.forward()
        yield Step("forward", number, len(computed), card_of(gate))
    for number, gate in enumerate(flowing, 1):
        gate.backward(gradient if gate is computed[-1] else None)
        yield Step("backward", number, len(flowing), card_of(gate))
    for gate in gates:
        if gate.is_leaf and gate.tracked:
            gate.backward()
