"""What the numbers say: intervals of an accuracy, which differences are real, and which model to use.

All models are tested on the same samples, so two of them are compared where they disagree (McNemar
1947), which tells far smaller differences apart than two intervals do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.spec import Array

_Z = 1.959964  # of a normal variable: 95 %


def interval(right: int, samples: int) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy of `right` in `samples` (Wilson 1927).

    >>> tuple(round(end, 3) for end in interval(90, 100))
    (0.826, 0.945)
    """
    share, room = right / samples, _Z**2 / samples
    centre = share + room / 2
    half = _Z * math.sqrt(share * (1 - share) / samples + room / (4 * samples))
    return max(0.0, (centre - half) / (1 + room)), min(1.0, (centre + half) / (1 + room))


def differ(one: Array, other: Array, errors: float = _Z) -> bool:
    """Say whether two models, right (True) or wrong on the same samples (n,), differ by more than chance.

    More than `errors` standard errors of the difference: 1.96 leaves chance one case in twenty.

    >>> differ(np.array([True] * 40), np.array([True] * 20 + [False] * 20))
    True
    """
    better, worse = int((one & ~other).sum()), int((other & ~one).sum())
    return abs(better - worse) > errors * math.sqrt(better + worse)


@dataclass(frozen=True, eq=False)
class Result:
    """What one classifier is worth, and what it cost.

    `right` says for each test sample whether its class was found. `seconds` is the time of
    describing the training data and training, `seconds_a_sample` of predicting, from the sample as it
    was read. `epochs` of `wanted` epochs (of a search: tries) were made.
    """

    name: str
    title: str
    right: Array
    train_accuracy: float
    parameters: int
    epochs: int
    wanted: int
    seconds: float
    seconds_a_sample: float
    confusion: Array
    wrong: tuple[tuple[int, int], ...] = ()

    @property
    def accuracy(self) -> float:
        """The share of the test samples that were right."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return interval(int(self.right.sum()), len(self.right))

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        low, high = self.interval
        return {
            "name": self.name,
            "title": self.title,
            "test_accuracy": self.accuracy,
            "interval": [low, high],
            "train_accuracy": self.train_accuracy,
            "parameters": self.parameters,
            "epochs": self.epochs,
            "epochs_wanted": self.wanted,
            "seconds": self.seconds,
            "seconds_a_sample": self.seconds_a_sample,
            "confusion": self.confusion.tolist(),
        }


def advice(results: Sequence[Result], samples: int) -> str:
    """Return one sentence: which model to use with `samples` training samples, and why.

    The quickest to train of those within one standard error of the best (Breiman et al. 1984).
    """
    if not results:
        return "Nothing was trained, so there is nothing to advise."
    best = max(results, key=lambda each: each.accuracy)
    equal = [each for each in results if each is best or not differ(best.right, each.right, 1.0)]
    choice = min(equal, key=lambda each: each.seconds)
    opening = f"With {samples:,} training samples use {choice.title}: {_told(choice)}"
    if choice is not best:
        times = best.seconds / max(choice.seconds, 1e-9)
        return (
            f"{opening}, within a standard error of the best, {best.title} ({best.accuracy:.1%}),"
            f" and {times:.3g} times quicker to train."
        )
    others = sorted(each.accuracy for each in results if each is not best)
    if not others:
        return f"{opening}; nothing else was trained."
    second = next(each for each in results if each is not best and each.accuracy == others[-1])
    sure = "is more than chance" if differ(best.right, second.right) else "may be chance"
    points = 100 * (best.accuracy - second.accuracy)
    return f"{opening}, {points:.1f} points above {second.title}, the next best, which {sure}."


def _told(result: Result) -> str:
    low, high = result.interval
    return f"{result.accuracy:.1%} right in the test ({low:.1%} to {high:.1%})"


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation between runs (nan for a single one)."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
