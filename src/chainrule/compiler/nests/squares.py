"""Squares: what lies side by side in one loop of a nest while another loop fills the lanes.

Lane by lane each number would be a read or a write of its own. Where both loops are the innermost,
the numbers can be taken in squares, as many steps of the one as there are lanes of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.compiler.nests.index import Index, Variable
from chainrule.compiler.nests.term import Term

SIDE = 16  # of the largest square there is; both loops are at least as long


@dataclass(frozen=True)
class Squares:
    """The loop `along` which they lie, and the loads and stores that go by squares."""

    along: Variable
    loads: tuple[Term, ...]
    stores: tuple[Any, ...]


def squares(nest: Any) -> Squares | None:
    """Return what a nest takes in squares; None where there is nothing."""
    vector, inner, found = nest.vector, nest.variables[-2:], nest.terms
    if vector not in inner or len(inner) < 2 or min(each.extent for each in inner) < SIDE:
        return None
    along = inner[1] if vector is inner[0] else inner[0]
    if not nest.serial.isdisjoint(inner) or any(each.kind in ("fold", "first") for each in found):
        return None

    def lies_along(place: Index, count: int) -> bool:
        apart = place.step(vector) not in (None, 0, 1, -1)
        known = place.free <= {*nest.variables} and not place.reads
        return apart and known and place.step(along) == 1 and place.low >= 0 and place.high < count

    loads = [each for each in found if each.kind == "load" and lies_along(each.data[1], each.data[0].count)]
    stores = [
        each
        for each in nest.stores
        if each.bound is None and not each.adds and lies_along(each.place, each.buffer.count)
    ]
    return Squares(along, tuple(loads), tuple(stores)) if loads or stores else None
