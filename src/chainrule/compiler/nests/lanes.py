"""Lanes: which loop of a nest fills the vector registers, by a rough count of vector operations.

Loops run in the order of their variables, and what a loop does not change is computed before it. So a
loop in the lanes may be an outer one: rows of ten numbers are best taken sixteen at a time, each with
its own sum in its lane. What the operations are in the end is the business of the processor's code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.compiler.nests.index import Index, Variable
from chainrule.compiler.nests.term import Term
from chainrule.compiler.nests.work import work

_WIDTH = 16  # of a vector; what is best for one width is seldom bad for another
_GATHER = 12.0  # what elements that are no neighbours cost to read or write
_NEIGHBOURS = (-1, 0, 1)  # steps from lane to lane that are one read
_ACROSS = 8.0  # what it costs to fold the lanes of one vector


def in_lanes(
    variables: Sequence[Variable], able: Sequence[Variable], stores: Sequence[Any], found: Sequence[Term]
) -> Variable | None:
    """Return the variable of `able` that costs least in the lanes; None leaves the lanes to the folds.

    `variables` are those of the loops, outermost first, and `found` all terms of the stores.
    """
    if not able:
        return None
    costs = {each: _Cost(variables, each).of(stores, found) for each in (*reversed(able), None)}
    return min(costs, key=lambda each: costs[each])


class _Cost:
    """The cost of a nest with one variable, or none, in the lanes."""

    def __init__(self, variables: Sequence[Variable], chosen: Variable | None) -> None:
        self.chosen, self.depth = chosen, {each: place for place, each in enumerate(variables)}
        self.turns = [1]  # of all loops down to each depth
        for each in variables:
            self.turns.append(self.turns[-1] * (-(-each.extent // _WIDTH) if each is chosen else each.extent))

    def of(self, stores: Sequence[Any], found: Sequence[Term]) -> float:
        """Return the operations of the whole nest."""
        total = sum(self.turns[-1] * self._access(store.place) for store in stores)
        return total + sum(self._term(each) for each in found)

    def _term(self, term: Term) -> float:
        if term.kind in ("number", "setting"):
            return 0.0
        folded = [each for each in term.free if each not in self.depth]
        folded += term.data[1] if term.kind in ("fold", "first") else ()
        level = max((self.depth[each] + 1 for each in term.free if each in self.depth), default=0)
        wide = self.chosen in term.free
        touched = {"load": _NEIGHBOURS, "kept": (0, 1)}.get(term.kind)
        cost = _operations(term) if touched is None else self._access(term.data[1], touched)
        items = math.prod(each.extent for each in folded)
        if folded and not wide and (self.chosen is None or level <= self.depth[self.chosen]):
            items /= max((min(each.extent, _WIDTH) for each in folded if _even(term, each)), default=1.0)
            items += _ACROSS if term.kind == "fold" else 0.0
        return self.turns[level] * items * cost

    def _access(self, place: Index, steps: Sequence[int] = (0, 1)) -> float:
        return 1.0 if self.chosen is None or place.step(self.chosen) in steps else _GATHER


def _operations(term: Term) -> float:
    return work(term.data[0]) if term.kind == "apply" else 1.0


def _even(term: Term, of: Variable) -> bool:
    return term.kind != "load" or term.data[1].step(of) in (0, 1)
