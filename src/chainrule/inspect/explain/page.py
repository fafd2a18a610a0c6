"""Cards in a notebook: the lines of the text, values and gradients in two colours.

Blue and orange of Okabe and Ito, which colour-blind readers can tell apart; every text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from chainrule.inspect.explain import text
from chainrule.inspect.explain.facts import Facts
from chainrule.inspect.explain.style import Style

_VALUE, _GRADIENT = "#0072b2", "#d55e00"
_COLOURS = {
    "value": _VALUE,
    "numbers": _VALUE,
    "branch": _GRADIENT,
    "upstream": _GRADIENT,
    "downstream": _GRADIENT,
}
_MONO = "font-family:monospace;white-space:pre-wrap;text-align:left"


def of_card(facts: Facts, style: Style) -> str:
    """Return one card as a fragment of HTML."""
    title, *lines = text.of_card(facts, style).splitlines()
    rows = "\n".join(_coloured(line) for line in lines)
    return f"<div><b>{escape(title)}</b><div style='{_MONO}'>{rows}</div></div>"


def of_graph(cards: Sequence[Facts], style: Style) -> str:
    """Return all cards, closed but for their titles; a click opens one."""
    return f"<div>{''.join(_closed(card, style) for card in cards if card.op != 'constant')}</div>"


def _closed(card: Facts, style: Style) -> str:
    value = f"<span style='color:{_VALUE}'>{escape(style.brief(card.value))}</span>"
    gradient = escape(style.brief(card.upstream)) if card.tracked else ""
    title = f"{escape(text.title(card))} {value} <span style='color:{_GRADIENT}'>{gradient}</span>"
    return f"<details><summary>{title}</summary>{of_card(card, style)}</details>"


def _coloured(line: str) -> str:
    label = line.split(maxsplit=1)[0] if line.strip() else ""
    colour = _COLOURS.get(label)
    return f"<span style='color:{colour}'>{escape(line)}</span>" if colour else escape(line)
