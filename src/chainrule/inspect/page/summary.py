"""Cards of what has no gate of its own: a closed part, and a gate too large for a full card.

They are short tables in HTML, every text escaped; full cards are `explain`'s.
"""

from __future__ import annotations

from collections import Counter
from html import escape

import numpy as np

from chainrule.core.spec import Array
from chainrule.inspect.draw.face import counted, settings
from chainrule.inspect.draw.text import UNKNOWN, number, numbers, shape_text
from chainrule.inspect.draw.tree import Part
from chainrule.inspect.explain import card_of
from chainrule.inspect.gate import Gate

_OFTEN = 6
_COLOURS = {"value": "v", "input": "v", "gradient": "g", "downstream": "g"}
_LARGE, _MANY = 20_000, 2_000  # numbers in and out of a gate, and gates: beyond, cards are short


def card(gate: Gate, gates: int) -> str:
    """Return the card of one of so many gates: in full, if the local gradients cost little."""
    size = gate.value.size + sum(source.value.size for source in gate.sources)
    return card_of(gate)._repr_html_() if size <= _LARGE and gates <= _MANY else brief(gate)


def summary(part: Part) -> str:
    """Return the card of a part: what it is, what it holds, what comes out and what comes back."""
    gates = list(part.gates())
    counts = Counter(gate.op for gate in gates).most_common(_OFTEN)
    rows = [
        ("is", f"{part.kind} {part.name}"),
        ("each", part.each),
        ("holds", f"{len(gates)} gate{'s' if len(gates) != 1 else ''}"),
        ("mostly", ", ".join(f"{op} ({count})" for op, count in counts)),
        ("trains", counted(part.count) if part.count else ""),
        *(_values(gates[-1]) if gates else ()),
    ]
    return _table(part.type or part.name or "the whole graph", rows)


def brief(gate: Gate) -> str:
    """Return a gate's card without its local gradients, which would be large."""
    rows = [("settings", settings(gate)), *_values(gate)]
    sent = gate.sent()
    for i, source in enumerate(gate.sources):
        rows.append((f"input {i}", f"{source.name}  {told(source.value)}"))
        if source.tracked:
            rows.append(("downstream", told(None if sent is None else sent[i])))
    return _table(f"{gate.name} · {gate.op}", rows)


def told(array: Array | None) -> str:
    """Return a few numbers in full; of many the shape, and smallest, mean and largest."""
    if array is None:
        return UNKNOWN
    if array.size <= 6:
        return f"{shape_text(array.shape)}  {numbers(array)}".strip()
    with np.errstate(all="ignore"):
        three = (array.min(), array.mean(dtype=np.float64), array.max())
    low, mean, high = (number(each) for each in three)
    return f"{shape_text(array.shape)}  min {low}  mean {mean}  max {high}"


def _values(gate: Gate) -> list[tuple[str, str]]:
    found = [("value", told(gate.value))]
    return [*found, ("gradient", told(gate.upstream))] if gate.tracked else found


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    lines = (
        f'<tr><th>{escape(name)}</th><td class="{_COLOURS.get(name.split(maxsplit=1)[0], "")}">'
        f"{escape(text)}</td></tr>"
        for name, text in rows
        if text
    )
    return f"<b>{escape(title)}</b><table>{''.join(lines)}</table>"
