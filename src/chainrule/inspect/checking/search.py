"""Search: the worst number of an input too large to move number by number.

All numbers are moved at once in a random direction; where the rule foretells another change than
there is, the half of them that disagrees is moved again, until one number is left.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.inspect.checking.differences import FACTORS, Moved, Tolerance


def worst_unmoved(moved: Moved, rule: Array, rest: Array, tolerance: Tolerance) -> Array:
    """Mark the number among `rest` at which a disagreement was found; nothing if all agree."""
    direction = Stream(13).normal(rule.shape, dtype=np.float64)
    places = np.flatnonzero(rest)
    none = np.zeros(rule.shape, bool)
    if not _gap(moved, rule, direction, places, tolerance):
        return none
    while len(places) > 1:
        half = len(places) // 2
        gaps = [_gap(moved, rule, direction, part, tolerance) for part in (places[:half], places[half:])]
        if not max(gaps):
            return none  # what disagreed was spread too thin: rounding, or kinks on the way
        places = places[:half] if gaps[0] >= gaps[1] else places[half:]
    none.flat[places] = True
    return none


def _gap(moved: Moved, rule: Array, direction: Array, places: Array, tolerance: Tolerance) -> float:
    """Return by how much rule and difference disagree along a direction, 0 if by no more than allowed."""
    mask = np.zeros(rule.size)
    mask[places] = 1.0
    v = direction * mask.reshape(rule.shape)
    foretold, size = float((rule * v).sum()), float(np.abs(rule * v).sum())
    gaps: list[float] = []
    for factor in FACTORS:
        h = moved.step * factor
        above, below = moved.value(moved.x + h * v), moved.value(moved.x - h * v)
        with np.errstate(all="ignore"):
            change = np.where(above == below, 0.0, moved.upstream * (above - below)) / (2 * h)
        gap = abs(foretold - float(change.sum()))
        noise = 8 * moved.eps * float(np.abs(moved.upstream * above).sum()) / h
        allowed = tolerance.atol + tolerance.rtol * max(size, float(np.abs(change).sum())) + noise
        gaps.append(gap if gap > allowed else 0.0)
    return min(gaps)
