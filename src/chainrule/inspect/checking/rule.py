"""One gate checked by itself: what its op's rule gives each input, against differences of its value.

The gate is computed anew in float64 from the values on its own edges and given a random upstream
gradient, so an error in another gate cannot reach it and a wrong rule is pinned to its op.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.core.backward import downstream
from chainrule.core.families import Elementwise
from chainrule.core.mode import enable_grad
from chainrule.core.op import apply
from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.inspect.checking.differences import FACTORS, Moved, Quotients, Tolerance, quotients
from chainrule.inspect.checking.kinks import crossings, tie_proof
from chainrule.inspect.checking.probe import Probe, probes, single
from chainrule.inspect.checking.search import worst_unmoved
from chainrule.inspect.checking.subject import double
from chainrule.inspect.gate import Gate


@dataclass
class Edge:
    """The comparison of one input of a gate, number by number."""

    moved: Moved
    rule: Array
    found: Quotients
    wrong: Array
    excused: Array
    undecided: Array

    @property
    def worst(self) -> tuple[int, ...]:
        """The wrong number with the largest difference."""
        gap = np.abs(self.rule - np.clip(self.rule, self.found.low, self.found.high))
        gap = np.where(np.isfinite(gap), gap, np.inf)
        return tuple(int(i) for i in np.unravel_index(np.argmax(np.where(self.wrong, gap, -1)), gap.shape))


def alone(gate: Gate) -> Tensor:
    """Return the gate's op applied anew to its own inputs in float64, tracked where the gate's are."""
    inputs = [double(each) for each in gate.tensor.inputs]
    with enable_grad(), np.errstate(all="ignore"):
        return apply(gate.tensor.op, inputs, gate.tensor.params)


def random_upstream(node: Tensor) -> Array:
    """Return an upstream gradient of which no number is small, of either sign."""
    stream = Stream(11)
    size = stream.uniform(node.shape, 0.5, 1.5, np.float64)
    return np.where(stream.uniform(node.shape) < 0.5, -size, size).astype(node.dtype)


def given_by_rule(node: Tensor, upstream: Array) -> list[Array | None]:
    """Return what the op's rule gives each input; None where it gives nothing."""
    needs = [isinstance(each, Tensor) and each.requires_grad for each in node.inputs]
    with np.errstate(all="ignore"):
        given = downstream(node, Tensor(upstream), needs)
    return [None if each is None else each.data for each in given]


def compare(moved: Moved, rule: Array, limit: int, tolerance: Tolerance) -> Edge:
    """Compare a rule's gradient with quotients: number by number, and what is left in a random direction."""
    edge = _compare(moved, rule, list(probes(moved.node, moved.place, limit)), tolerance)
    if edge.wrong.any() or edge.found.covered.all():
        return edge
    suspect = worst_unmoved(moved, rule, ~edge.found.covered, tolerance)
    if suspect.any():
        closer = _compare(moved, rule, [single(suspect)], tolerance)
        return closer if closer.wrong.any() else edge
    return edge


def _compare(moved: Moved, rule: Array, chosen: list[Probe], tolerance: Tolerance) -> Edge:
    """Compare the numbers in some probes, by smaller steps where they do not agree at first."""
    first = found = quotients(moved, FACTORS[0], chosen)
    pending, last = found.covered & np.isfinite(moved.x), found.covered
    crossed = undecided = inside = np.zeros(rule.shape, bool)
    for factor in FACTORS:
        if factor != FACTORS[0]:
            last = pending
            found = quotients(moved, factor, [each for each in chosen if (each.moved & pending).any()])
        agree, inside = _verdict(rule, found, tolerance, moved.eps)
        crossed = crossed | (pending & ~agree & found.crossed)
        undecided = pending & ~np.isfinite(found.low + found.high)
        pending = pending & ~agree
        if not pending.any():
            break
    wrong = pending & ~undecided & ~(inside & found.crossed)
    found = first.replaced(found, last)
    return Edge(moved, rule, found, wrong, crossed & ~wrong, undecided & pending)


def _verdict(rule: Array, found: Quotients, tolerance: Tolerance, eps: float) -> tuple[Array, Array]:
    """Say where the rule agrees with the quotient, and where it lies between the one-sided ones."""
    allowed = tolerance.allowed(rule, found, eps)
    with np.errstate(invalid="ignore"):
        agree = np.abs(rule - found.central) <= allowed
        inside = (rule >= found.low - allowed) & (rule <= found.high + allowed)
    return agree, inside


def proof(edge: Edge) -> str:
    """Return why one of the excused numbers is at a kink."""
    moved = edge.moved
    op, x = moved.node.op, moved.x
    where = tuple(int(i) for i in np.argwhere(edge.excused)[0])
    name = f"{op.input_name(moved.place)}{list(where) if where else ''}"
    step = float(moved.steps(1.0)[where])
    if isinstance(op, Elementwise):
        ends = np.zeros(x.shape)
        ends[where] = step
        points = [moved.inputs(each) for each in (x, x + ends, x - ends)]
        for text, flips in crossings(op, moved.node.params, points):
            if flips.any():
                return f"{name} = {x[where]:.3g} +- {step:.1g} crosses the switch of {text}"
    if tie := tie_proof(moved.node, x, where, 2 * step):
        return tie
    low, high = edge.found.low[where], edge.found.high[where]
    return f"{name} = {x[where]:.3g}: the one-sided differences {low:.6g} and {high:.6g} do not meet"
