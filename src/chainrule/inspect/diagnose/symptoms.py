"""Symptoms: what the measurements of a training mean, each rule with its number, reason and remedy.

A rule sees the snapshots of some iterations, the latest last, and knows no network. The limits are
wide: a healthy run is to have no finding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.inspect.diagnose.snapshot import Snapshot


@dataclass(frozen=True)
class Limits:
    """When a measurement becomes a finding."""

    dead: float = 0.5  # share of units off for every sample
    saturated: float = 0.8  # share of numbers on the flat parts
    depth: float = 1e-3  # gradient of the first layer beside that of the last, or the inverse
    growth: float = 1e3  # size of the last layer's output beside the first's
    shift: float = 50.0  # mean of an activation beside its spread over samples
    fast: float = 0.2  # relative change of a weight in one iteration, while the loss does not fall
    slow: float = 1e-6  # relative change of every weight in one iteration
    samples: int = 8  # fewer say nothing of units
    iterations: int = 10  # fewer say nothing of the rate


@dataclass(frozen=True)
class Symptom:
    """One finding: its kind, the layer or parameter, the number, why it matters, what to try."""

    kind: str
    where: str
    number: float
    text: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}\n      why  {self.why}\n      try  {self.remedy}"


@dataclass
class Course:
    """The course of a training: snapshots, and the relative change of each weight in each iteration."""

    snapshots: list[Snapshot] = field(default_factory=list[Snapshot])
    changes: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    losses: list[float] = field(default_factory=list[float])
    outside: tuple[str, ...] = ()  # parameters that the optimiser does not have

    @property
    def last(self) -> Snapshot:
        """The latest snapshot."""
        return self.snapshots[-1]


def symptoms(course: Course, limits: Limits) -> list[Symptom]:
    """Return every symptom; what follows from a number that is not finite is left out."""
    if not course.snapshots:
        return []
    fault = list(_not_finite(course))
    rate = list(_rate(course, limits))
    if fault:
        return [*fault, *(each for each in rate if each.kind == "rate too high")]
    rules = (_no_gradient, _dead, _saturated, _depth, _growth, _shift)
    found = [*rate, *(each for rule in rules for each in rule(course, limits))]
    # Behind a layer that is dead as a whole nothing arrives: that is no matter of depth.
    blocked = any(each.kind == "dead units" and each.number == 1.0 for each in found)
    return [each for each in found if not (blocked and each.kind == "vanishing gradient")]


def _not_finite(course: Course) -> Iterator[Symptom]:
    origin = course.last.origin
    if origin is None:
        return
    what = "value" if origin.where != "backward" else "gradient"
    yield Symptom(
        f"{what} not finite", origin.layer or origin.op, math.nan,
        f"{what}s stop being finite: {origin.what}; {origin.got}",
        "one nan or infinity spreads to every parameter with the next update",
        "a smaller rate, normalised inputs, or an op that is defined there (clip, an epsilon, log-softmax)",
    )  # fmt: skip


def _no_gradient(course: Course, limits: Limits) -> Iterator[Symptom]:
    for each in course.last.weights:
        if each.frozen:
            yield Symptom(
                "frozen parameter", each.name, 0.0, f"{each.name!r} has requires_grad=False",
                "it stays as it is, whatever is learnt around it",
                f"model.get_parameter({each.name!r}).requires_grad = True, unless it is meant",
            )  # fmt: skip
        elif each.gradient is None:
            yield Symptom(
                "no gradient", each.name, 0.0, f"no gradient arrives at {each.name!r}",
                "the loss does not depend on it, or the path to it is cut, so it never learns",
                "use it in forward, and look for .detach(), .data or no_grad on the way to the loss",
            )  # fmt: skip
        elif each.name in course.outside:
            yield Symptom(
                "not in the optimiser", each.name, each.gradient,
                f"{each.name!r} has a gradient (norm {each.gradient:.3g}) but no optimiser updates it",
                "it stays as it is", "optimizer.add_param_group, or give it model.parameters() again",
            )  # fmt: skip


def _dead(course: Course, limits: Limits) -> Iterator[Symptom]:
    for place, each in enumerate(course.last.activations):
        seen = [s.activations[place] for s in course.snapshots if len(s.activations) > place]
        off = np.logical_and.reduce([one.off for one in seen if one.off.shape == each.off.shape])
        share = float(off.mean()) if off.size else 0.0
        if share >= limits.dead and sum(one.samples for one in seen) >= limits.samples:
            yield Symptom(
                "dead units", each.name, share,
                f"{share:.0%} of the {off.size} units of {each.op} in {each.name!r} are off for every sample",
                "a unit that is off passes no gradient, so it never comes back",
                "a smaller rate, He initialisation, biases at 0, or LeakyReLU or ELU",
            )  # fmt: skip


def _saturated(course: Course, limits: Limits) -> Iterator[Symptom]:
    for place, each in enumerate(course.last.activations):
        seen = [s.activations[place].saturated for s in course.snapshots if len(s.activations) > place]
        share = float(np.median(seen))
        if share >= limits.saturated:
            yield Symptom(
                "saturated units", each.name, share,
                f"{share:.0%} of the numbers of {each.op} in {each.name!r} lie where it is flat",
                "where the slope is near 0 hardly any gradient passes",
                "smaller weights (Xavier initialisation), normalised inputs, batch norm, or ReLU",
            )  # fmt: skip


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else 0.0


def _depth(course: Course, limits: Limits) -> Iterator[Symptom]:
    """Compare the gradients at the first and the last layer."""
    layers = course.last.layers
    if len(layers) < 3:
        return
    full = [s.layers for s in course.snapshots if len(s.layers) == len(layers)]
    first, last = (_median([each[i].gradient for each in full]) for i in (0, -1))
    ratio = first / last if last else 0.0
    between = f"from {last:.3g} at {layers[-1].name!r} to {first:.3g} at {layers[0].name!r}"
    if last and ratio < limits.depth:
        yield Symptom(
            "vanishing gradient", layers[0].name, ratio,
            f"over {len(layers)} layers the norm of the gradient falls {between}",
            "the first layers learn nothing, or thousands of times slower than the last",
            "ReLU for sigmoid, He or Xavier initialisation, batch norm, residual connections, fewer layers",
        )  # fmt: skip
    elif ratio > 1 / limits.depth:
        yield Symptom(
            "exploding gradient", layers[0].name, ratio,
            f"over {len(layers)} layers the norm of the gradient grows {between}",
            "updates of the first layers are so large that they destroy what was learnt",
            "smaller weights (He or Xavier initialisation), batch norm, or clip_grad_norm_",
        )  # fmt: skip


def _growth(course: Course, limits: Limits) -> Iterator[Symptom]:
    """Compare the size of what the first and the last layer give."""
    layers = course.last.layers
    if len(layers) < 3 or not layers[0].size:
        return
    ratio = layers[-1].size / layers[0].size
    if ratio > limits.growth:
        yield Symptom(
            "exploding values", layers[-1].name, ratio,
            f"the numbers grow from {layers[0].size:.3g} after {layers[0].name!r} to {layers[-1].size:.3g} "
            f"after {layers[-1].name!r}",
            "scores of such size make the loss huge and its softmax certain of one class",
            "smaller weights (He or Xavier initialisation), or batch norm",
        )  # fmt: skip


def _shift(course: Course, limits: Limits) -> Iterator[Symptom]:
    for each in course.last.activations:
        if each.spread > 0 and abs(each.mean) / each.spread > limits.shift:
            yield Symptom(
                "bias shift", each.name, each.mean / each.spread,
                f"{each.op} in {each.name!r} gives {each.mean:.3g} with a spread of only {each.spread:.2g}",
                "the next layer sees a constant, and little of what tells samples apart",
                "activations around 0 (tanh, ELU), batch norm, or smaller biases",
            )  # fmt: skip


def _rate(course: Course, limits: Limits) -> Iterator[Symptom]:
    """Judge the learning rate by how weights and loss move together."""
    losses, changes = course.losses, course.changes
    if not losses or not changes:
        return
    steps = [max(each.values(), default=0.0) for each in changes]
    peak = float(np.nanmax(steps)) if np.isfinite(steps).any() else math.inf
    third = max(1, len(losses) // 3)
    start, end = losses[0], _median(losses[-third:])
    broken = not math.isfinite(end) or course.last.origin is not None
    if peak > limits.fast and (broken or (len(losses) >= limits.iterations and end > 0.9 * start)):
        where = max(changes[int(np.nanargmax(steps))].items(), key=lambda item: item[1])[0]
        yield Symptom(
            "rate too high", where, peak,
            f"an update changes {where!r} by {peak:.2g} times its norm, and the loss goes from "
            f"{start:.3g} to {end:.3g}",
            "about 0.001 is usual; steps of the size of the weights jump over every valley",
            "a rate 10 to 100 times smaller, or a warm-up",
        )  # fmt: skip
    if len(losses) >= limits.iterations and peak < limits.slow and end > 0.99 * start and not broken:
        yield Symptom(
            "rate too low", "", peak,
            f"an update changes the weights by {peak:.2g} of their norm at most, and the loss stays at "
            f"{end:.4g}",
            "about 0.001 is usual; at this pace nothing is learnt",
            "a rate 10 to 1000 times larger, or a look at the gradients",
        )  # fmt: skip
