"""Differences: how an op's value answers when its input is moved a little, from both sides.

The op is run on arrays in float64 and its rule is never asked. Each number gets the central quotient
and, where a kink lies within the step, the interval between the two one-sided ones: any gradient in
it is a subgradient, any outside it is wrong whatever the convention.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from chainrule.core.families import Elementwise
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.inspect.checking.kinks import crossings
from chainrule.inspect.checking.probe import Probe

# A step's two one-sided quotients differ by curvature too, but by less than this.
_BENT = 1e-3
FACTORS = (1.0, 0.1, 0.01)  # of a step: where a quotient disagrees, a smaller one may leave a kink out


@dataclass
class Quotients:
    """For each number of an input: difference quotients of <upstream, value>, by one step size.

    `low` and `high` are the one-sided quotients in order where `crossed` marks a kink within the
    step, and the central one elsewhere. `size` is the sum of the magnitudes that met in the
    quotient, `noise` what rounding does to it. Only where `covered` are there any.
    """

    central: Array
    low: Array
    high: Array
    size: Array
    noise: Array
    crossed: Array
    covered: Array

    def replaced(self, other: Quotients, where: Array) -> Quotients:
        """Return these quotients with those of `other` in the marked places."""
        return Quotients(
            *(np.where(where, getattr(other, each.name), getattr(self, each.name)) for each in fields(self))
        )


@dataclass(frozen=True)
class Tolerance:
    """How far rule and quotient may be apart: relative to what met in the quotient, and absolute."""

    rtol: float = 1e-6
    atol: float = 1e-9

    def allowed(self, rule: Array, found: Quotients, eps: float) -> Array:
        """Return the allowance for each number."""
        rtol = max(self.rtol, 1e3 * eps ** (2 / 3))
        return self.atol + rtol * np.maximum(np.abs(rule), found.size) + found.noise


class Moved:
    """One input of a node, and what becomes of the node's value when that input is moved."""

    def __init__(self, node: Tensor, place: int, upstream: Array) -> None:
        self.node, self.place, self.upstream = node, place, upstream
        self.x: Array = node.inputs[place].data
        self.arrays: list[Any] = [each.data if isinstance(each, Tensor) else each for each in node.inputs]
        self.eps = float(np.finfo(node.dtype).eps)
        self.step = self.eps ** (1 / 3)  # where truncation and rounding are about equal

    def steps(self, factor: float) -> Array:
        """Return how far each number is moved."""
        size = np.where(np.isfinite(self.x), np.abs(self.x), 0.0)  # infinity cannot be moved
        return self.step * factor * np.maximum(1.0, size)

    def value(self, x: Array) -> Array:
        """Return the op's value with `x` in the input's place."""
        with np.errstate(all="ignore"):
            return np.asarray(self.node.op.value(*self.inputs(x), **self.node.params), np.float64)

    def inputs(self, x: Array) -> list[Any]:
        """Return all inputs, with `x` in this one's place."""
        return [*self.arrays[: self.place], x, *self.arrays[self.place + 1 :]]

    def flips(self, ends: tuple[Array, Array]) -> Array:
        """Mark the output's numbers for which a switch of the op stands differently between the ends."""
        points = [self.inputs(each) for each in (self.x, *ends)]
        found = np.zeros(self.upstream.shape, bool)
        for _, flips in crossings(self.node.op, self.node.params, points):
            found = found | flips
        return found


def quotients(moved: Moved, factor: float, chosen: Iterable[Probe]) -> Quotients:
    """Return the difference quotients by `factor` times the usual step, of the numbers in `chosen`."""
    shape = moved.x.shape
    found = Quotients(*(np.zeros(shape) for _ in range(5)), *(np.zeros(shape, bool) for _ in range(2)))
    for probe in chosen:
        _fill(found, moved, probe, factor)
    return found


def _fill(found: Quotients, moved: Moved, probe: Probe, factor: float) -> None:
    """Move the numbers of one probe, and enter their quotients."""
    can = probe.moved & np.isfinite(moved.x)
    step = np.where(can, moved.steps(factor), 0.0)
    above, below = moved.x + step, moved.x - step
    width = np.ones(moved.x.shape)
    width[can] = (above[can] - below[can]) / 2  # what rounding left of the step
    g, at = moved.upstream, moved.node.data
    high, low = moved.value(above), moved.value(below)
    with np.errstate(all="ignore"):
        right, left = _effect(g, high, at), _effect(g, at, low)
        central = probe.collect(_effect(g, high, low)) / (2 * width)
        if isinstance(moved.node.op, Elementwise):
            flips = moved.flips((above, below))
            middle = (right + left) / 2
            ends = [probe.collect(np.where(flips, pick(right, left), middle)) / width
                    for pick in (np.minimum, np.maximum)]  # fmt: skip
            crossed = probe.collect(flips.astype(float)) > 0
        else:
            one, two = (probe.collect(each) / width for each in (right, left))
            ends = [np.minimum(one, two), np.maximum(one, two)]
            crossed = None
        size = probe.collect(np.abs(right) + np.abs(left)) / width
        peak = np.abs(at) if isinstance(moved.node.op, Elementwise) else np.max(np.abs(at), initial=0.0)
        peak = np.where(np.isfinite(peak), peak, 0.0)
        noise = 4 * moved.eps * np.abs(probe.collect(np.abs(g) * np.broadcast_to(peak, g.shape))) / width
        if crossed is None:
            crossed = ends[1] - ends[0] > _BENT * (np.abs(ends[0]) + np.abs(ends[1])) + 2 * noise
    for name, values in zip(
        ("central", "low", "high", "size", "noise", "crossed"),
        (central, *ends, size, noise, crossed),
        strict=True,
    ):
        np.copyto(getattr(found, name), values, where=probe.moved)
    found.covered |= probe.moved


def _effect(g: Array, after: Array, before: Array) -> Array:
    """Return g x (after - before), 0 where nothing moved even if it is infinite."""
    return np.where(after == before, 0.0, g * (after - before))
