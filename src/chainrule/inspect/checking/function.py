"""A whole function checked: the gradient of every parameter, number by number and along a direction.

Done twice: plainly, as one would by hand, and carefully, in float64 with everything held still,
smaller steps and kinks recognised. Only the careful one decides. Where they differ, `causes` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.inspect.checking.differences import FACTORS
from chainrule.inspect.checking.subject import Subject

STEP = 1e-5
_NEGLIGIBLE = 1e-6  # beside the largest gradient of all


@dataclass(frozen=True)
class Number:
    """One number of a parameter: what the gradient says, and what difference quotients do."""

    parameter: str
    index: tuple[int, ...]
    rule: float
    numerical: float
    verdict: str  # 'agrees', 'kink' or 'wrong'
    proof: str = ""

    @property
    def error(self) -> float:
        """The relative error |rule - numerical| / max(|rule|, |numerical|)."""
        size = max(abs(self.rule), abs(self.numerical))
        return abs(self.rule - self.numerical) / size if size else 0.0

    def __str__(self) -> str:
        return (
            f"{self.parameter}{list(self.index)}: gradient {self.rule:.6g}, numerical {self.numerical:.6g}, "
            f"relative error {self.error:.2g}"
        )


@dataclass(frozen=True)
class Comparison:
    """One pass over all parameters."""

    loss: Tensor
    gradients: dict[str, Array | None]
    numbers: list[Number]
    scattered: list[str]  # parameters whose chosen numbers agree, but not the whole

    @property
    def wrong(self) -> list[Number]:
        """The numbers that disagree, the worst first."""
        return sorted(
            (each for each in self.numbers if each.verdict == "wrong"), key=lambda each: -each.error
        )

    @property
    def kinks(self) -> list[Number]:
        """The numbers that were excused."""
        return [each for each in self.numbers if each.verdict == "kink"]


@dataclass(frozen=True)
class Way:
    """How to compare: the step, the relative error allowed, and how many numbers of each parameter.

    The careful way tries smaller steps, looks for kinks, and adds a random direction.
    """

    step: float
    rtol: float
    limit: int
    careful: bool = False
    atol: float = 0.0

    def allowance(self, loss: float, step: float, *sizes: float) -> float:
        """Return how far gradient and quotient may be apart, with what rounding makes of the loss."""
        noise = 8 * float(np.finfo(np.float64).eps) * abs(loss) / step
        return self.atol + self.rtol * max(map(abs, sizes)) + noise


def compare_function(subject: Subject, way: Way) -> Comparison:
    """Compare gradients and difference quotients under the subject's present conditions."""
    loss, gradients = subject.gradients()
    largest = max((np.abs(g).max(initial=0.0) for g in gradients.values() if g is not None), default=0.0)
    way = replace(way, atol=_NEGLIGIBLE * float(np.nan_to_num(largest)))
    numbers: list[Number] = []
    scattered: list[str] = []
    for name, given in gradients.items():
        rule = np.zeros(subject.parameters[name].shape) if given is None else given
        own = [_number(subject, name, rule, index, way) for index in _chosen(rule, way.limit)]
        numbers += own
        agree = all(each.verdict != "wrong" for each in own)
        if way.careful and agree and rule.size > way.limit:
            scattered += [] if _agrees_as_a_whole(subject, name, rule, way) else [name]
    return Comparison(loss, gradients, numbers, scattered)


def _number(subject: Subject, name: str, rule: Array, index: tuple[int, ...], way: Way) -> Number:
    unit = np.zeros(rule.shape)
    unit[index] = 1.0
    own, size = float(rule[index]), max(1.0, abs(float(subject.parameters[name].data[index])))
    loss = subject.value() if way.careful else 0.0
    h = way.step * size
    first = left, central, right = subject.along(name, unit, h)
    for factor in FACTORS if way.careful else (1.0,):
        h = way.step * factor * size
        if factor < 1.0:
            left, central, right = subject.along(name, unit, h)
        if np.isfinite(own) and abs(own - central) <= way.allowance(loss, h, own, central):
            kink = factor < 1.0 and _do_not_meet(first[0], first[2], way.allowance(loss, way.step, 0.0))
            return Number(name, index, own, first[1], "kink" if kink else "agrees", _sides(first))
    # Where the sides do not meet, no gradient is right or wrong for the function; its gates decide.
    kink = way.careful and _do_not_meet(left, right, way.allowance(loss, h, 0.0))
    return Number(name, index, own, central, "kink" if kink else "wrong", _sides(first))


def _do_not_meet(left: float, right: float, noise: float) -> bool:
    """Say whether two one-sided quotients are too far apart for a smooth curve, and for rounding."""
    return abs(right - left) > 1e-2 * (abs(left) + abs(right)) + 2 * noise


def _sides(quotients: tuple[float, float, float]) -> str:
    return f"slope {quotients[0]:.6g} on the left, {quotients[2]:.6g} on the right"


def _chosen(rule: Array, limit: int) -> list[tuple[int, ...]]:
    """Return the numbers to look at: half of them those with the largest gradient, half at random."""
    if rule.size <= limit:
        places = list(range(rule.size))
    else:
        largest = np.argsort(-np.abs(np.nan_to_num(rule)).ravel(), kind="stable")[: limit // 2]
        others = Stream(rule.size).permutation(rule.size)
        places = list(dict.fromkeys([*largest.tolist(), *others.tolist()]))[:limit]
    return [tuple(int(i) for i in np.unravel_index(place, rule.shape)) for place in places]


def _agrees_as_a_whole(subject: Subject, name: str, rule: Array, way: Way) -> bool:
    direction = Stream(17).normal(rule.shape, dtype=np.float64)
    foretold, size = float((rule * direction).sum()), float(np.abs(rule * direction).sum())
    loss = subject.value()
    left = right = h = 0.0
    for factor in FACTORS:
        h = STEP * factor
        left, central, right = subject.along(name, direction, h)
        if abs(foretold - central) <= way.allowance(loss, h, size, left, right):
            return True
    return _do_not_meet(left, right, way.allowance(loss, h, 0.0))
