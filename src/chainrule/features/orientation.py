"""Which bin of directions a gradient falls into, exactly as scikit-image decides it.

The rule (`exact_bins`) is degrees in float64 against edges in float32. `orientation_bins` needs no
angle: a direction lies beyond an edge where its height times the edge's cotangent reaches its width.
Edges come in mirrored pairs, so those of the first half are enough for a direction mirrored into it.
Gradients too close to an edge to be sure are told apart, for the rule to decide. Bin `orientations`
is for what falls into none (an angle that rounds to the full range).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.spec import Array

# In radians: the rounding of edges (8e-7) and of float32 (3e-7) moves no direction as far.
_CLOSE = 2e-6
_COTANGENTS = {45.0: 1.0, 90.0: 0.0, 135.0: -1.0}


class Edge(NamedTuple):
    """An edge of bins: its cotangent, and whether directions are on it, and on its mirror image, exactly."""

    cotangent: float
    exact: bool


def orientation_bins(right: Any, down: Any, orientations: int, signed: bool) -> tuple[Any, Any]:
    """Return the bin of each gradient, 0 to `orientations` - 1, and where it is not sure.

    Directions are counted from rightward towards downward, over 180 degrees, or over 360 where
    `signed`. `right`, `down`: floats, arrays or tensors. A gradient of 0 has any bin.
    """
    degrees, half = edge_degrees(orientations, signed), orientations // 2
    height, long = np.abs(down), np.abs(right)
    size = np.where(long > height, long, height)
    width, mirrored = (right, down < 0) if signed else (long, right * down < 0)
    level = height == 0
    passed = (size < 0).astype(np.int32)  # none, so far
    if signed and orientations % 2 == 0:  # then 180 degrees are an edge, which has no cotangent
        back = level & (width < 0)
        exact = bool(degrees[half] == 180)
        passed, level = (back.astype(np.int32), level) if exact else (passed, level & ~back)
    gap = np.where(level, size, height)
    edges = [_edge(degrees, place) for place in range(1, half + 1) if degrees[place] < 180]
    for edge in edges:
        reach = height * edge.cotangent
        beyond, distance = reach >= width, np.abs(reach - width)
        if edge.exact:
            on = reach == width
            beyond, distance = beyond & ~(on & mirrored), np.where(on, size, distance)
        passed = passed + beyond.astype(np.int32)
        gap = np.where(distance < gap, distance, gap)
    close = _CLOSE * max((math.hypot(1, edge.cotangent) for edge in edges), default=1)
    return np.where(mirrored, orientations - 1 - passed, passed), gap < size * close


def exact_bins(right: Array, down: Array, orientations: int, signed: bool) -> Array:
    """Return what `orientation_bins` must: degrees, and bins closed below and open above."""
    whole = 360 if signed else 180
    degrees = np.rad2deg(np.arctan2(down.astype(np.float64), right.astype(np.float64))) % whole
    return np.searchsorted(edge_degrees(orientations, signed), degrees, side="right") - 1


@lru_cache(maxsize=64)
def edge_degrees(orientations: int, signed: bool) -> Array:
    """Return where the bins begin and the last one ends, as float32 rounds it."""
    step = np.float32((360 if signed else 180) / orientations)
    found = (step * np.arange(orientations + 1, dtype=np.float32)).astype(np.float64)
    found.flags.writeable = False
    return found


def _edge(degrees: Array, place: int) -> Edge:
    found, mirrored, whole = float(degrees[place]), degrees[-1 - place], round(degrees[-1])
    exact = found in _COTANGENTS and found + mirrored == whole
    return Edge(_COTANGENTS[found] if exact else 1 / math.tan(math.radians(found)), exact)
