"""Cards as plain data for JSON: what is not yet computed is None, what is not finite a word.

Arrays up to `LIMIT` numbers are nested lists; of larger ones shape, dtype and range are told.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.inspect.explain.facts import Edge, Facts
from chainrule.inspect.explain.style import Style
from chainrule.inspect.local import Local

LIMIT = 256


def of_card(facts: Facts) -> dict[str, Any]:
    """Return the facts on a card under the names they have there."""
    formula = facts.formula
    return {
        "name": facts.name,
        "op": facts.op,
        "family": facts.family,
        "shape": list(facts.value.shape),
        "dtype": str(facts.value.dtype),
        "tracked": facts.tracked,
        "formula": None if formula is None else formula.symbols,
        "tex": None if formula is None else formula.tex or None,
        "numbers": None if formula is None else formula.numbers(Style(), facts.place) or None,
        "value": numbers(facts.value),
        "upstream": numbers(facts.upstream),
        "branches": [
            {"user": each.user, "argument": each.argument, "gradient": numbers(each.gradient)}
            for each in facts.branches
        ],
        "inputs": [_edge(facts, i, edge) for i, edge in enumerate(facts.edges)],
        "residual": plain(facts.residual),
    }


def _edge(facts: Facts, i: int, edge: Edge) -> dict[str, Any]:
    slope = "" if facts.formula is None else facts.formula.slope(i)
    return {
        "argument": edge.argument,
        "source": edge.source,
        "tracked": edge.tracked,
        "value": numbers(edge.value),
        "local_formula": slope or None,
        "local": _operator(edge.local) if isinstance(edge.local, Local) else numbers(edge.local),
        "downstream": numbers(edge.downstream),
        "residual": plain(edge.residual),
    }


def _operator(local: Local) -> Any:
    if math.prod(local.shape) <= LIMIT:
        return numbers(local.dense())
    return {"operator": True, "shape": list(local.shape)}


def numbers(array: Array | None) -> Any:
    """Return nested lists of plain numbers, a summary of a large array, or None."""
    if array is None:
        return None
    if array.size <= LIMIT:
        return plain(array.tolist())
    finite = array[np.isfinite(array)]
    ends = [float(finite.min()), float(finite.max())] if finite.size else None
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "range": ends,
        "not_finite": int(array.size - finite.size),
    }


def plain(value: Any) -> Any:
    """Return numbers as JSON can hold them: nan and inf as words."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
