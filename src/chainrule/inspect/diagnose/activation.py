"""Activations, known by their slope: which ops they are, and which of their units are off.

No list of names: an elementwise op of one input is an activation if its slope is bounded and changes.
A unit is off where the slope has all but vanished beside the steepest; it is dead when it is off for
every sample. An op that flattens out on both sides saturates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.core.families import Elementwise
from chainrule.core.mode import no_grad
from chainrule.core.op import apply
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.core.transform import vjp

_REACH = np.linspace(-50.0, 50.0, 2001)
_STEEPEST = 2.0  # exp, square and the like are no activations: their slope has no bound
_OFF, _FLAT = 1e-3, 0.1


@dataclass(frozen=True)
class Character:
    """What an activation is like: its steepest slope, and on how many sides it flattens out."""

    steepest: float
    flat_sides: int


def character(node: Tensor) -> Character | None:
    """Return what kind of activation made `node`; None if it is none."""
    if not isinstance(node.op, Elementwise) or node.op.arity != 1 or not node.inputs:
        return None
    return _character(node.op, tuple(sorted(node.params.items())))


@lru_cache(maxsize=256)
def _character(op: Elementwise, params: tuple[tuple[str, Any], ...]) -> Character | None:
    slope = np.abs(_slope(op, _REACH, dict(params)))
    steepest = float(slope.max())
    if not np.isfinite(slope).all() or steepest > _STEEPEST or np.ptp(slope) < 1e-9:
        return None
    flat = sum(bool((slope[part] < _OFF * steepest).all()) for part in (slice(0, 800), slice(-800, None)))
    return Character(steepest, flat) if steepest else None


def _slope(op: Elementwise, x: Array, params: dict[str, Any]) -> Array:
    def run(t: Tensor) -> Tensor:
        return apply(op, (t,), params)

    with np.errstate(all="ignore"):
        value, pull = vjp(run, Tensor(x))
        return pull(np.ones_like(value.data))[0].data


def steepness(node: Tensor, kind: Character) -> Array:
    """Return the slope at each number of an activation, as a share of its steepest."""
    with no_grad():
        return np.abs(_slope(node.op, node.inputs[0].data, node.params)) / kind.steepest


def off_units(share: Array) -> Array:
    """Mark the units (axis 1, or the last of two) that are off for every sample and place."""
    others = tuple(axis for axis in range(share.ndim) if axis != 1)
    return np.asarray((share < _OFF).all(axis=others))


def saturated(share: Array, kind: Character) -> float:
    """Return the share of numbers on the flat parts of an activation that has two of them."""
    return float((share < _FLAT).mean()) if kind.flat_sides == 2 and share.size else 0.0
