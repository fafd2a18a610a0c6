"""The ladder climbed: every rung trained within its share of the time, tested on the same samples.

The time that a rung leaves goes to those above it, so the conv net at the top has the most. What
does not fit is left out with the reason; what is done stays done when somebody wants to stop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.data import Splits
from chainrule.errors import ChainruleError
from chainrule.train.assembly import prepare_data
from chainrule.train.comparison.fitting import Fitted, LeftOut, Missing, Ready, fit, fitting
from chainrule.train.comparison.problem import Problem, tested_split
from chainrule.train.comparison.rungs import Rung
from chainrule.train.comparison.searches import TRIES
from chainrule.train.comparison.searches import run as search
from chainrule.train.comparison.verdict import Result
from chainrule.train.inference import Inference
from chainrule.train.metrics import accuracy, confusion_matrix
from chainrule.train.preparation import Preparation
from chainrule.train.run import Stopped
from chainrule.train.settings import Settings

_SEARCHED = 10_000  # samples by which a random search judges its tries
_SHOWN = 24  # images that a model gets wrong
_TIMED, _ROUNDS = 256, 3  # samples whose prediction is timed, and how often


class Ladder:
    """Trains `rungs` on the training split of `splits` within `seconds`, and tests each.

    `chosen` are settings of the user's. Set `signal` to stop after the iteration under way; `results`
    and `missing` then hold what there is.
    """

    def __init__(
        self, splits: Splits, rungs: Sequence[Rung], chosen: Mapping[str, Any], seconds: float
    ) -> None:
        self.test = tested_split(splits)
        self.splits = replace(splits, validation=None, test=None)
        self.rungs, self.seconds = list(rungs), seconds
        self.wanted = {rung.name: rung.settings(self.splits, chosen) for rung in rungs}
        self.results: list[Result] = []
        self.missing: list[Missing] = []
        self.fitted: dict[str, Fitted] = {}
        self.signal = 0
        self._ready: dict[tuple[Any, ...], tuple[Ready, float]] = {}

    def run(self) -> Iterator[Rung | Result | Missing]:
        """Yield each rung before it begins, and what it came to; raises Stopped when asked to."""
        end = time.perf_counter() + self.seconds
        for place, rung in enumerate(self.rungs):
            yield rung
            left = end - time.perf_counter()
            share = left * rung.share / sum(each.share for each in self.rungs[place:])
            try:
                result = self._searched(rung, share) if rung.searched else self._trained(rung, share)
            except ChainruleError as reason:
                self.missing.append(Missing(rung.title, reason.headline))
                yield self.missing[-1]
            else:
                self.results.append(result)
                yield result

    def _trained(self, rung: Rung, share: float) -> Result:
        wanted = self.wanted[rung.name]
        began = time.perf_counter()
        ready, preparing = self._prepared(wanted)
        left = share - (time.perf_counter() - began)
        settings = fitting(wanted, self.splits, left, ready)
        fitted = fit(settings, self.splits, ready, lambda: self.signal)
        self.fitted[rung.name] = fitted
        inference = Inference(fitted.assembled.trainer.model, ready[0])
        scores = inference.scores(self.test.x)
        walked = fitted.assembled.trainer.predict(fitted.assembled.walked.train.x)
        return Result(
            rung.name,
            rung.title,
            scores.argmax(axis=1) == self.test.y,
            accuracy(walked, fitted.assembled.walked.train.y),
            sum(each.size for each in inference.model.parameters()),
            settings.epochs,
            wanted.epochs,
            preparing + fitted.seconds,
            seconds_a_sample(inference.scores, self.test.x),
            confusion_matrix(scores, self.test.y, len(self.test.classes)),
            most_wrong(scores, self.test.y),
        )

    def _searched(self, rung: Rung, share: float) -> Result:
        (preparation, _), _ = self._prepared(self.wanted[rung.name])
        problem = Problem(self.splits.train, preparation, _SEARCHED)
        curve = search("random search", problem, self.test, share, lambda: self.signal)
        if self.signal:
            raise Stopped(self.signal)
        if not curve.steps:
            raise LeftOut(f"not one try fits into its {share:.0f} seconds")
        predicted = problem.predicted(self.test.x)
        return Result(
            rung.name,
            rung.title,
            predicted == self.test.y,
            accuracy(problem.predicted(self.splits.train.x), self.splits.train.y),
            sum(each.size for each in problem.model.parameters()),
            curve.steps,
            TRIES,
            curve.seconds[-1],
            seconds_a_sample(problem.predicted, self.test.x),
            confusion_matrix(predicted, self.test.y, len(self.test.classes)),
        )

    def _prepared(self, settings: Settings) -> tuple[Ready, float]:
        """Return what `assemble` takes, made once for all rungs that see the same, and its seconds."""
        key = (settings.features, "flip" in settings.augment and bool(settings.features))
        if key not in self._ready:
            began = time.perf_counter()
            self._ready = {key: value for key, value in self._ready.items() if not key[0]}  # large
            ready: tuple[Preparation, Splits] = prepare_data(settings, self.splits)
            self._ready[key] = ready, time.perf_counter() - began
        return self._ready[key]


def most_wrong(scores: Array, labels: Array) -> tuple[tuple[int, int], ...]:
    """Return (sample, predicted class) of the wrong predictions that were surest, surest first."""
    predicted = scores.argmax(axis=1)
    rows = np.arange(len(labels))
    margin = scores[rows, predicted] - scores[rows, labels]
    order = np.argsort(-margin, kind="stable")[: min(_SHOWN, int((predicted != labels).sum()))]
    return tuple((int(place), int(predicted[place])) for place in order)


def seconds_a_sample(predict: Any, x: Array) -> float:
    """Return the seconds that a prediction takes for each sample of a batch: the median of some rounds."""
    part = x[:_TIMED]
    rounds: list[float] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        predict(part)
        rounds.append(time.perf_counter() - began)
    return float(np.median(rounds)) / len(part)
