"""One number of a downstream gradient worked out: upstream x local, term by term.

It is the same sum for every op: over all outputs that the input's number reaches, upstream times
the local gradient. For a large op the terms are found by pushing a unit through its operator.
"""

from __future__ import annotations

import numpy as np

from chainrule.inspect.explain.facts import Edge, Facts, largest
from chainrule.inspect.explain.formulas.products import products
from chainrule.inspect.explain.formulas.use import Place
from chainrule.inspect.explain.style import Style, at
from chainrule.inspect.local import Local


def product(facts: Facts, edge: Edge, style: Style) -> str:
    """Return 'upstream x local = downstream' with numbers filled in; '' before there are any."""
    upstream, local, downstream = facts.upstream, edge.local, edge.downstream
    if upstream is None or local is None or downstream is None or not downstream.size:
        return ""
    if isinstance(local, Local):
        place = tuple(int(i) for i in np.unravel_index(largest(downstream), downstream.shape))
        unit = np.zeros(local.input, local.x.dtype)
        unit[place] = 1
        column = local @ unit
        reached = np.nonzero((column != 0).ravel())[0]
        terms = products(upstream.ravel()[reached], column.ravel()[reached], style, "x")
        return f"{_head(place)}{terms} = {style.number(downstream[place])}"
    if upstream.shape == downstream.shape and style.fits(upstream):
        return f"{style.array(upstream)} x {style.array(local)} = {style.array(downstream)}"
    if not upstream.size:
        return f"a sum over nothing = {style.array(downstream)}"
    return _element(facts, local, downstream, style)


def _element(facts: Facts, local: np.ndarray, downstream: np.ndarray, style: Style) -> str:
    """Work out one element of an elementwise gate; where the input was broadcast, all that meet in it."""
    upstream = facts.upstream
    assert upstream is not None
    place = tuple(int(i) for i in np.unravel_index(largest(downstream), downstream.shape))
    lead = upstream.ndim - downstream.ndim
    where = (slice(None),) * lead + tuple(
        slice(None) if size == 1 else spot for size, spot in zip(downstream.shape, place, strict=True)
    )
    terms = products(upstream[where].ravel(), local[where].ravel(), style, "x")
    return f"{_head(place)}{terms} = {style.number(downstream[place])}"


def _head(place: Place) -> str:
    return f"{at(place)}: " if place else ""
