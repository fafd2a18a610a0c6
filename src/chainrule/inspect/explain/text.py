"""Cards as plain text: one gate in full, or all gates as a table, value above gradient.

How a number is written is `style`'s business. The page in a notebook colours these very lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainrule.inspect.explain.facts import Edge, Facts
from chainrule.inspect.explain.style import Style, at
from chainrule.inspect.explain.worked import product
from chainrule.inspect.local import Local

_DENSE = 36


def of_card(facts: Facts, style: Style) -> str:
    """Return everything on the card, a line each."""
    return "\n".join([title(facts), *forward(facts, style), *backward(facts, style)])


def title(facts: Facts) -> str:
    """Return the name of the gate and what it is."""
    kind = facts.op if facts.use is None else f"{facts.op} ({facts.family})"
    return f"{facts.name}: {kind}, {facts.value.shape} {facts.value.dtype}"


def forward(facts: Facts, style: Style) -> Iterator[str]:
    """Yield the formula, in symbols and numbers, and the value."""
    if facts.formula is not None:
        yield _line("formula", facts.formula.symbols)
        numbers = facts.formula.numbers(style, facts.place)
        if numbers:
            yield _line("numbers", numbers)
    yield _line("value", style.array(facts.value))


def backward(facts: Facts, style: Style) -> Iterator[str]:
    """Yield upstream, and for each input the local and the downstream gradient."""
    yield from _upstream(facts, style)
    for i, edge in enumerate(facts.edges):
        yield from _edge(facts, i, edge, style)


def _upstream(facts: Facts, style: Style) -> Iterator[str]:
    if not facts.tracked:
        yield _line("upstream", "none: no gradient is asked for")
        return
    if len(facts.branches) > 1:
        for branch in facts.branches:
            yield _line("branch", f"{style.array(branch.gradient)} from {branch.user} ({branch.argument})")
    total = f" (the sum over {len(facts.branches)} branches)" if len(facts.branches) > 1 else ""
    yield _line("upstream", style.array(facts.upstream) + (total if facts.upstream is not None else ""))


def _edge(facts: Facts, i: int, edge: Edge, style: Style) -> Iterator[str]:
    yield f"  by {edge.argument} = {edge.source}: {style.array(edge.value)}"
    if edge.local is None:
        yield _line("local", "none: these are no real numbers", 4)
        return
    yield from _local(facts, i, edge, style)
    if not edge.tracked:
        yield _line("downstream", "none: no gradient is asked for here", 4)
        return
    yield _line("downstream", style.array(edge.downstream), 4)
    if facts.formula is not None and edge.downstream is not None:
        yield _line("", f"{facts.formula.back(i)}", 4)
        yield _line("", product(facts, edge, style), 4)
        yield _line("residual", f"{edge.residual:.2g}", 4)


def _local(facts: Facts, i: int, edge: Edge, style: Style) -> Iterator[str]:
    formula, local = facts.formula, edge.local
    slope = "" if formula is None else formula.slope(i)
    filled = "" if formula is None else formula.slope_numbers(i, style, facts.place)
    if slope:
        yield _line("local", slope, 4)
    if isinstance(local, Local):
        rows, columns = local.x.size, facts.value.size
        small = rows * columns <= _DENSE
        shown = style.array(local.dense(), _DENSE) if small else f"{local.output} by {local.input} operator"
        yield _line("" if slope else "local", shown, 4)
    elif local is not None:
        if style.fits(local, facts.value):
            yield _line("", " = ".join(dict.fromkeys([filled, style.array(local)])), 4)
        else:
            yield _line("", style.array(local), 4)
            number = style.number(local[facts.place]) if local.size else ""
            if filled != number:
                yield _line("", f"{at(facts.place)}: {filled} = {number}", 4)


def _line(label: str, told: str, indent: int = 2) -> str:
    return f"{' ' * indent}{label:<10} {told}".rstrip()


# ---- all gates at once ---------------------------------------------------------------------------
def of_graph(cards: Sequence[Facts], style: Style) -> str:
    """Return the table: for each gate its value above its gradient, its formula, and its products."""
    shown = [card for card in cards if card.op != "constant"]
    names = max((len(card.name) for card in shown), default=0)
    numbers = max((len(each) for card in shown for each in _pair(card, style)), default=0)
    lines: list[str] = []
    for card in shown:
        value, gradient = _pair(card, style)
        notes = list(_notes(card, style))
        lines.append(f"{card.name:<{names}}  {value:>{numbers}}  {notes[0]}".rstrip())
        rest = notes[1:] or [""]
        lines.append(f"{'':<{names}}  {gradient:>{numbers}}  {rest[0]}".rstrip())
        lines += [f"{'':<{names}}  {'':>{numbers}}  {note}" for note in rest[1:]]
    return "\n".join(lines)


def _pair(card: Facts, style: Style) -> tuple[str, str]:
    """Return the value and the gradient, small enough for a column."""
    value = style.brief(card.value)
    if not card.tracked:
        return value, "-"
    return value, style.brief(card.upstream)


def _notes(card: Facts, style: Style) -> Iterator[str]:
    if card.formula is None:
        yield card.op
        yield from _sum(card, style)
        return
    numbers = card.formula.numbers(style, card.place)
    yield card.formula.symbols + (f" = {numbers}" if numbers and card.value.ndim == 0 else "")
    yield from _sum(card, style)
    for edge in card.edges:
        if edge.tracked and edge.downstream is not None and edge.downstream.size:
            yield f"to {edge.source}: {product(card, edge, style)}"


def _sum(card: Facts, style: Style) -> Iterator[str]:
    """Where a value branches: which edge brought which part of its gradient."""
    if len(card.branches) > 1 and card.upstream is not None:
        parts = [(each.gradient, each.user) for each in card.branches]
        if card.upstream.ndim == 0:
            yield " + ".join(f"{style.array(part)} from {user}" for part, user in parts)
        else:
            yield f"the sum of what came from {', '.join(user for _, user in parts)}"
