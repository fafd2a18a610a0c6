"""Keeping: a value that is summed right after it was stored is summed while it is stored.

The gradient of a convolution's bias sums up all that the gradient before it has just written to
memory. Here the store of the sum takes the other nest in: its folds compute the value, keep it
where it belongs, and go on with it. Which nest comes next to which is the agenda's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import Index, Variable, loop
from chainrule.compiler.nests.nest import WRITTEN_OUT, Store
from chainrule.compiler.nests.term import Term

_ENOUGH = 4  # places of a sum beside those in the lanes, at least: they are what threads share


def folded(store: Store) -> list[Buffer]:
    """Return the buffers that folds of a store read wholly, item by item."""
    return list(dict.fromkeys(each.data[0] for fold in _folds(store.term) for each in _loads(fold)))


def keeping(store: Store, variables: Sequence[Variable], made: Store) -> Store | None:
    """Return a store over `variables` whose folds make and keep what another store made before.

    None where some item of the other would not be computed once, or not by itself.
    """
    outer = {each for each in variables if each.extent > 1}
    if made.bound is not None or made.adds or not _is_even(made):
        return None
    found: dict[Term, Term] = {}
    for fold in _folds(store.term):
        for each in _loads(fold):
            if each.data[0] is made.buffer and each not in found:
                inner = {variable for variable in fold.data[1] if variable.extent > 1}
                places = _renamed(made.place, each.data[1], outer | inner)
                shared = [of.extent for of in outer if each.data[1].step(of) != 1]
                if places is None or math.prod(shared) < _ENOUGH:
                    return None
                found[each] = terms.kept(made.buffer, each.data[1], made.term.put(places))
    term = terms.replaced(store.term, found)
    return replace(store, term=term) if found and made.buffer not in term.reads else None


def forwarded(term: Term, stores: Sequence[Store]) -> Term:
    """Return a term that reads what the folds of some stores keep from where it is computed."""
    kept = [each for each in terms.walk([store.term for store in stores]) if each.kind == "kept"]
    return terms.replaced(term, {terms.load(*each.data): each for each in kept}) if kept else term


def _folds(term: Term) -> list[Term]:
    long = [each for each in terms.walk([term]) if each.kind == "fold"]
    return [each for each in long if math.prod(of.extent for of in each.data[1]) > WRITTEN_OUT]


def _loads(fold: Term) -> list[Term]:
    """Return the loads of a fold that are made for each of its items, whatever else there is."""
    found, waiting = list[Term](), [fold.args[0]]
    while waiting:
        each = waiting.pop()
        if each.kind == "load":
            found.append(each)
        elif each.kind in ("apply", "cast"):
            waiting += each.args
    return found


def _is_even(made: Store) -> bool:
    """Tell whether a store has no folds, and reads neighbours, or one number, for neighbours."""
    found = terms.walk([made.term])
    across = [atom for atom, factor in made.place.terms if factor == 1 and atom.kind == "variable"]
    steps = [each.data[1].step(of) for of in across for each in found if each.kind == "load"]
    folds = any(each.kind in ("fold", "first", "kept") for each in found)
    return len(across) == 1 and not folds and all(step in (0, 1) for step in steps)


def _renamed(place: Index, seen: Index, allowed: set[Variable]) -> dict[Variable, Index] | None:
    """Return what the variables of a place are called where it is read; None unless all of these are used."""
    steps = {(factor, atom.extent): atom for atom, factor in seen.terms if atom.kind == "variable"}
    made = {atom: steps.get((factor, atom.extent)) for atom, factor in place.terms if atom.kind == "variable"}
    whole = len(place.terms) == len(seen.terms) == len(made) and place.constant == seen.constant
    if not whole or None in made.values() or set(made.values()) != allowed:
        return None
    return {atom: loop(to) for atom, to in made.items() if to is not None}
