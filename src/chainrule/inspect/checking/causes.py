"""Why a gradient check fails though the gradient is right: each usual cause is tried, and named.

After the list in the notes of Stanford's CS231n ("Gradient checks", neural-networks-3). A cause is
found by changing its one condition and running again, never by guessing. Two of the list need no
test: quotients are always centred, and errors relative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from chainrule.core.backward import reachable
from chainrule.core.mode import module_path
from chainrule.core.tensor import Tensor
from chainrule.inspect.checking.function import STEP, Comparison, Way, compare_function
from chainrule.inspect.checking.subject import Subject
from chainrule.ops import random


@dataclass(frozen=True)
class Cause:
    """A condition that was found to spoil the check: the evidence, and what to do."""

    name: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}; {self.remedy}"


@dataclass(frozen=True)
class Case:
    """What is known when causes are looked for: both passes, and the settings of the plain one."""

    subject: Subject
    plain: Comparison
    careful: Comparison
    way: Way
    penalty: Callable[[], Tensor] | None = None

    def still_wrong(self, *, wide: bool) -> int:
        """Return how many numbers disagree by the plain step with everything held still."""
        with self.subject.conditions(still=True, wide=wide):
            found = compare_function(self.subject, self.way)
        return len(found.wrong)


STALE = Cause(
    "stale",
    "every call returns the same tensor, so that moving a parameter cannot show",
    "compute the loss inside the function",
)


def causes(case: Case) -> list[Cause]:
    """Return every cause that was found; where nothing disagrees, only those that could hide a fault."""
    tests = [_regulariser]
    if case.plain.wrong or case.careful.wrong or case.careful.kinks or case.careful.scattered:
        tests += [
            _detached, _few_numbers, _randomness, _state, _precision, _inside_float32, _step, _scale,
            _kinks, _few_points, _not_burnt_in,
        ]  # fmt: skip
    return [found for test in tests for found in test(case)]


def _randomness(case: Case) -> Iterator[Cause]:
    """Two runs with the same parameters differ, and do not when they draw the same numbers."""
    subject = case.subject
    with subject.conditions(still=False, wide=True):
        before = random.get_state()
        first = subject.value()
        drew = random.get_state() != before
        second = subject.value()
        random.set_state(before)
        again = subject.value()
    if drew and first != second:
        proof = "and the same when the random stream is set back" if again == first else ""
        yield Cause(
            "randomness (dropout, noise, augmentation) differs between calls",
            f"two runs with the same parameters give {first:.8g} and {second:.8g}, {proof}",
            "model.eval(), or cr.random.seed(n) before every run",
        )


def _state(case: Case) -> Iterator[Cause]:
    """A run changes a buffer that the next run reads, or something out of sight."""
    subject = case.subject
    with subject.conditions(still=False, wide=True):
        state = random.get_state()
        kept = {name: each.data.copy() for name, each in subject.buffers.items()}
        values: list[float] = []
        for _ in range(2):
            random.set_state(state)
            values.append(subject.value())
        changed = [
            name for name, each in subject.buffers.items() if not np.array_equal(each.data, kept[name])
        ]
    if values[0] != values[1]:
        what = f"it changes {', '.join(map(repr, changed))}" if changed else "it keeps something between runs"
        yield Cause(
            "state changes between calls",
            f"a second run gives {values[1]:.8g} after {values[0]:.8g}: {what}",
            "model.eval() for running statistics, or set the state back before every run",
        )


def _precision(case: Case) -> Iterator[Cause]:
    """The numbers that disagree in float32 agree in float64."""
    if all(each.dtype == np.float64 for each in case.subject.parameters.values()):
        return
    narrow, wide = (case.still_wrong(wide=each) for each in (False, True))
    if narrow > wide:
        yield Cause(
            "float32",
            f"{narrow} number(s) disagree in float32, {wide} in float64, both by the step {case.way.step:g}",
            "check in float64: model.double()",
        )


def _inside_float32(case: Case) -> Iterator[Cause]:
    """Something is computed in float32 though all parameters are float64."""
    nodes = reachable(case.careful.loss) if case.careful.loss.requires_grad else []
    narrow = next((each for each in nodes if each.op is not None and each.dtype != np.float64), None)
    if narrow is not None:
        path = module_path(narrow.scope)
        yield Cause(
            "not all in float64",
            f"{narrow.op.name}{f' in {path!r}' if path else ''} computes in {narrow.dtype}, whatever goes in",
            "give the inputs as float64, and cast to no narrower type inside",
        )


def _step(case: Case) -> Iterator[Cause]:
    """The plain step disagrees where a smaller or a larger one agrees."""
    own = case.way.step
    with case.subject.conditions(still=True, wide=True):
        counts = {
            step: len(compare_function(case.subject, replace(case.way, step=step)).wrong)
            for step in (1e-2, 1e-4, 1e-6, own)
        }
    best = min(counts, key=lambda step: (counts[step], abs(np.log(step / STEP))))
    if counts[best] < counts[own] and not case.careful.kinks:
        how = "large" if best < own else "small"
        yield Cause(
            f"the step is too {how}",
            f"{counts[own]} number(s) disagree with h = {own:g}, {counts[best]} with h = {best:g}",
            "use h = 1e-5 in float64",
        )


def _scale(case: Case) -> Iterator[Cause]:
    """The gradient is lost in what rounding does to the loss."""
    given = [np.abs(each).max() for each in case.careful.gradients.values() if each is not None and each.size]
    largest = float(max(given, default=0.0))
    noise = float(np.finfo(np.float64).eps) * abs(float(case.careful.loss.data)) / case.way.step
    if 0 < largest < max(1e-8, 100 * noise):
        yield Cause(
            "the gradient is too small for the loss",
            f"its largest number is {largest:.2g}; rounding of the loss {float(case.careful.loss.data):.3g} "
            f"alone gives {noise:.2g} in a quotient",
            "scale the loss up (a sum instead of a mean) until gradients are near 1",
        )


def _kinks(case: Case) -> Iterator[Cause]:
    """Quotients straddle kinks."""
    if kinks := case.careful.kinks:
        one = kinks[0]
        yield Cause(
            "kinks",
            f"{len(kinks)} number(s) cross one within the step, as {one.parameter}{list(one.index)}: "
            f"{one.proof}",
            "a smaller step, or other data; at a kink every subgradient is right",
        )


def _few_points(case: Case) -> Iterator[Cause]:
    """With two samples fewer kinks are crossed."""
    lengths = {len(each) for each in case.subject.batch if np.ndim(each)}
    if not case.careful.kinks or len(lengths) != 1 or min(lengths) <= 2:
        return
    subject = case.subject
    few = Subject(subject.f, subject.parameters, tuple(e[:2] if np.ndim(e) else e for e in subject.batch))
    few.buffers = subject.buffers
    with few.conditions(still=True, wide=True):
        found = compare_function(few, replace(case.way, step=STEP, careful=True))
    if len(found.kinks) < len(case.careful.kinks):
        yield Cause(
            "many data points",
            f"{len(case.careful.kinks)} kinks are crossed with {min(lengths)} samples, "
            f"{len(found.kinks)} with 2",
            "check with two or three samples",
        )


def _few_numbers(case: Case) -> Iterator[Cause]:
    """The numbers that were looked at agree, and the parameter as a whole does not."""
    for name in case.careful.scattered:
        yield Cause(
            "too few numbers are compared",
            f"{case.way.limit} of {case.subject.parameters[name].size} numbers of {name!r} agree, "
            "a random direction over all of them does not",
            f"raise limit above {case.way.limit}",
        )


def _regulariser(case: Case) -> Iterator[Cause]:
    """The penalty's gradient hides that of the data."""
    if case.penalty is None:
        return
    subject = case.subject
    with subject.conditions(still=True, wide=True):
        total = {k: v for k, v in subject.gradients()[1].items() if v is not None}
        of_penalty = Subject(case.penalty, subject.parameters).gradients()[1]
    own = sum(float((each**2).sum()) for each in of_penalty.values() if each is not None) ** 0.5
    rest = sum(float(((g - (0 if (p := of_penalty[k]) is None else p)) ** 2).sum()) for k, g in total.items())
    if own > 10 * rest**0.5:
        yield Cause(
            "the regulariser dominates",
            f"the gradient of the penalty has norm {own:.3g}, that of the data loss {rest**0.5:.3g}",
            "check the data loss alone, then the penalty alone",
        )


def _not_burnt_in(case: Case) -> Iterator[Cause]:
    """The network stands where training has not been: constant weights, kinks everywhere."""
    flat = [
        name
        for name, each in case.subject.parameters.items()
        if each.ndim > 1 and each.size > 1 and np.ptp(each.data) == 0
    ]
    if flat:
        names = ", ".join(map(repr, flat))
        yield Cause(
            "the network is not burnt in",
            f"all numbers of {names} are equal, so units are alike and their gradients special",
            "train for some iterations, then check",
        )


def _detached(case: Case) -> Iterator[Cause]:
    """The loss moves with a parameter to which no gradient leads."""
    for name, given in case.careful.gradients.items():
        moves = [each for each in case.careful.wrong if each.parameter == name]
        if given is None and moves:
            yield Cause(
                "detached",
                f"{moves[0].parameter}{list(moves[0].index)} moves the loss by {moves[0].numerical:.4g}, "
                "but no path of gradients leads to it",
                "look for .detach(), .data, .numpy(), no_grad, or requires_grad=False on the way",
            )
