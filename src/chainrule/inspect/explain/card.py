"""A gate's card: its facts, taken from the gate as it stands, in three looks.

Text for a terminal, a page for a notebook, plain data for JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.core.spec import Array
from chainrule.inspect.explain import page, record, text
from chainrule.inspect.explain.facts import Branch, Edge, Facts
from chainrule.inspect.explain.formulas.use import Use
from chainrule.inspect.explain.residual import measured
from chainrule.inspect.explain.style import Style
from chainrule.inspect.explain.subject import Subject

_WRITTEN = 6  # numbers of a constant


class Card(Facts):
    """Everything that is known of one gate."""

    def text(self, digits: int | None = None) -> str:
        """Return the card for a terminal; `digits` after the point, else four significant ones."""
        return text.of_card(self, Style(digits))

    def record(self) -> dict[str, Any]:
        """Return the card as plain data for JSON: what is not yet computed is None."""
        return record.of_card(self)

    def _repr_html_(self) -> str:
        return page.of_card(self, Style())

    def __repr__(self) -> str:
        return self.text()

    __str__ = __repr__


def card_of(gate: Subject, users: Sequence[tuple[Subject, int]] | None = None) -> Card:
    """Return the card of a gate as it stands; `users` are the edges that leave it, its own if None."""
    leaving = gate.users if users is None else users
    upstream = gate.upstream
    edges = tuple(_edges(gate, upstream))
    branches = [Branch(user.name, _argument(user, i), user.downstream(i)) for user, i in leaving]
    return Card(
        gate.name,
        gate.op,
        "box" if gate.inside else "leaf" if gate.is_leaf else gate.tensor.op.family,
        gate.tracked,
        _kept(gate),
        upstream,
        edges,
        tuple(branches) if gate.tracked else (),
        None if gate.is_leaf else _use(gate, tuple(edge.value for edge in edges)),
    )


def _edges(gate: Subject, upstream: Array | None) -> Iterator[Edge]:
    count = range(len(gate.inputs))
    locals_ = [gate.local(i) for i in count]
    sent = [gate.downstream(i) if gate.inputs[i].tracked else None for i in count]
    residuals = measured(gate, upstream, locals_, sent)
    for i, (local, downstream, residual) in enumerate(zip(locals_, sent, residuals, strict=True)):
        source = gate.inputs[i]
        argument, name, value = _argument(gate, i), _name(source), _kept(source)
        yield Edge(argument, name, source.tracked, value, local, downstream, residual)


def _kept(gate: Subject) -> Array:
    """Return the value; that of a leaf is copied, because an optimiser changes it in place."""
    return gate.value.copy() if gate.is_leaf else gate.value


def _name(gate: Subject) -> str:
    """Return what a gate is called; small constants are their numbers."""
    small = gate.op == "constant" and gate.value.size <= _WRITTEN
    return Style().array(gate.value) if small else gate.name


def _written(gate: Subject) -> str:
    """Return a gate's name for a formula, where the module '0' must not look like the number 0."""
    number = gate.op != "constant" and gate.name.replace(".", "").isdigit()
    return f"'{gate.name}'" if number else _name(gate)


def _argument(gate: Subject, i: int) -> str:
    """Return what the gate calls its input i."""
    if gate.inside:
        return _name(gate.inputs[i])
    return gate.tensor.op.input_name(gate.places[i])


def _use(gate: Subject, arrays: tuple[Array, ...]) -> Use:
    return Use(
        None if gate.inside else gate.tensor.op,
        {} if gate.inside else gate.tensor.params,
        tuple(_argument(gate, i) for i in range(len(gate.inputs))),
        tuple(_written(source) for source in gate.inputs),
        arrays,
        _written(gate),
        gate.value,
        tuple(_use(each, tuple(source.value for source in each.inputs)) for each in gate.inside),
    )
