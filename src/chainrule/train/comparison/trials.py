"""Trials: the same network trained from several seeds, for a mean and a spread.

Two questions are answered by them: what the amount of training data changes (`fractions`), and what
each regulariser does to the gap between training and test (`regularisers`). All seeds of a trial
make the same number of epochs, those that fit into its share of the time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.core.stream import Stream
from chainrule.data import Splits
from chainrule.data.splitting import stratified
from chainrule.errors import ChainruleError
from chainrule.train.assembly import prepare_data
from chainrule.train.budget import epoch_seconds
from chainrule.train.comparison.fitting import LeftOut, Missing, fit, fitting
from chainrule.train.comparison.problem import tested_split
from chainrule.train.comparison.rungs import ladder
from chainrule.train.comparison.verdict import mean_and_spread
from chainrule.train.inference import Inference
from chainrule.train.metrics import accuracy
from chainrule.train.recipes import are_images
from chainrule.train.run import Stopped
from chainrule.train.settings import Settings

_TRAINING = 0.8  # of the time: the rest is for testing
# Of the random stream for subsets. Toys have it too, but take only their labels from the numbers read here.
_SUBSETS = 2**62 + 2


@dataclass(frozen=True)
class Trial:
    """What is trained from several seeds: `settings` on a `fraction` of the training data.

    `share` is its part of the time; `against` names the trial with which a regulariser is compared.
    """

    title: str
    fraction: float
    settings: Settings
    share: float = 1.0
    against: str = ""


@dataclass
class Outcome:
    """The accuracies of a trial, one a seed."""

    trial: Trial
    samples: int = 0
    epochs: int = 0
    seconds: float = 0.0
    train: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)

    @property
    def gaps(self) -> list[float]:
        """What training is above test, of each seed."""
        return [one - other for one, other in zip(self.train, self.test, strict=True)]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        plain = {name: value for name, value in vars(self).items() if name != "trial"}
        return {"title": self.trial.title, "fraction": self.trial.fraction, **plain}


class Trials:
    """Runs `trials` from `seeds` seeds each within `seconds`, and tests on the test split of `splits`.

    With `equal` all of them make the same number of epochs, so that nothing but their settings
    differs; else each makes those that fit into its share. Set `signal` to stop; `outcomes` then
    holds what is done, the last one perhaps with fewer seeds.
    """

    def __init__(
        self, splits: Splits, trials: Sequence[Trial], seeds: int, seconds: float, *, equal: bool = False
    ) -> None:
        self.test = tested_split(splits)
        self.train = replace(splits, validation=None, test=None)
        self.trials, self.seeds, self.seconds, self.equal = list(trials), seeds, seconds, equal
        self.outcomes: list[Outcome] = []
        self.missing: list[Missing] = []
        self.signal = 0

    def run(self) -> Iterator[Trial | Outcome | Missing]:
        """Yield each trial before it begins, and what it came to; raises Stopped when asked to."""
        end = time.perf_counter() + self.seconds
        if self.equal:
            self._equalise()
        for place, trial in enumerate(self.trials):
            yield trial
            share = trial.share / sum(each.share for each in self.trials[place:])
            try:
                yield self._tried(trial, share * (end - time.perf_counter()))
            except ChainruleError as reason:
                several = len({each.fraction for each in self.trials}) > 1
                part = f" on {100 * trial.fraction:.3g} % of the data" if several else ""
                self.missing.append(Missing(trial.title + part, reason.headline))
                yield self.missing[-1]

    def _tried(self, trial: Trial, seconds: float) -> Outcome:
        began, outcome = time.perf_counter(), Outcome(trial)
        for seed in range(self.seeds):
            part = subset(self.train, trial.fraction, seed)
            settings = replace(trial.settings, seed=seed)
            ready = prepare_data(settings, part)
            if seed == 0:
                if not self.equal:
                    spent = time.perf_counter() - began
                    settings = fitting(settings, part, seconds / self.seeds - spent, ready)
                outcome.epochs, outcome.samples = settings.epochs, len(part.train)
                self.outcomes.append(outcome)
            fitted = fit(replace(settings, epochs=outcome.epochs), part, ready, lambda: self.signal)
            inference = Inference(fitted.assembled.trainer.model, ready[0])
            outcome.seconds += fitted.seconds
            outcome.train.append(accuracy(inference.scores(part.train.x), part.train.y))
            outcome.test.append(accuracy(inference.scores(self.test.x), self.test.y))
            if self.signal:
                raise Stopped(self.signal)
        return outcome

    def _equalise(self) -> None:
        """Give all trials as many epochs as can be made of every one."""
        began = time.perf_counter()
        epochs = once = 0.0
        for trial in self.trials:
            part = subset(self.train, trial.fraction, 0)
            ready = prepare_data(trial.settings, part)
            epoch, first = epoch_seconds(self.seconds / len(self.trials), trial.settings, part, ready)
            epochs, once = epochs + epoch * self.seeds, once + first * self.seeds
        left = _TRAINING * self.seconds - (time.perf_counter() - began) - once
        count = math.floor(left / epochs)
        if count < 1:
            raise LeftOut(f"compare: not one epoch of each fits into {self.seconds:.0f} seconds")
        self.trials = [
            replace(each, settings=replace(each.settings, epochs=min(count, each.settings.epochs)))
            for each in self.trials
        ]


def subset(splits: Splits, fraction: float, seed: int) -> Splits:
    """Return the splits with a fraction of the training samples, each class giving its share."""
    if fraction >= 1:
        return splits
    chosen = stratified(splits.train.y, fraction, Stream(seed, _SUBSETS))
    return replace(splits, train=splits.train.subset(chosen))


def by_fraction(splits: Splits, fractions: Sequence[float], chosen: Mapping[str, Any]) -> list[Trial]:
    """Return the trials for `--fractions`: features and conv net (of tables: linear and three layers).

    Fewer samples are walked through more often, by the root of the fraction: a hundredth of the data
    is trained with ten times the epochs, in a tenth of the time.
    """
    names = ("features-mlp", "cnn") if are_images(splits.sample_shape) else ("linear", "mlp3")
    return [
        Trial(
            rung.title,
            fraction,
            _longer(rung.settings(splits, chosen), fraction, chosen),
            rung.share * max(fraction**0.5, 0.02),
        )
        for fraction in sorted(fractions)
        for rung in ladder(splits, names)
    ]


def _longer(settings: Settings, fraction: float, chosen: Mapping[str, Any]) -> Settings:
    epochs = settings.epochs / (1 if "epochs" in chosen else fraction**0.5)
    return replace(settings, epochs=round(epochs))


def ahead(outcomes: Sequence[Outcome]) -> str:
    """Return one sentence on which model is ahead with how many training samples.

    One is where it is so by more than two standard errors over the seeds, which all models share.
    """
    best: dict[str, list[str]] = {}
    for fraction in sorted({each.trial.fraction for each in outcomes}):
        tried = [each for each in outcomes if each.trial.fraction == fraction and each.test]
        if len(tried) > 1:
            tried.sort(key=lambda each: -mean_and_spread(each.test)[0])
            name = tried[0].trial.title if _leads(*tried[:2]) else "nobody by more than chance"
            best.setdefault(name, []).append(f"{tried[0].samples:,}")
    if not best:
        return "Too little was trained to say which is ahead."
    told = (f"{name} with {' and '.join(samples)}" for name, samples in best.items())
    return f"Ahead by the mean over seeds: {', '.join(told)} training samples."


def _leads(first: Outcome, second: Outcome) -> bool:
    """Tell whether the first is ahead in runs of the same seeds; with one run its number is all there is."""
    lead = [one - other for one, other in zip(first.test, second.test, strict=False)]
    mean, spread = mean_and_spread(lead)
    return mean > 0 and not mean <= 2 * spread / math.sqrt(len(lead))


def summary(values: Sequence[float]) -> str:
    """Return '71.2 % ± 0.4': mean and standard deviation between seeds."""
    mean, spread = mean_and_spread(values)
    return f"{mean:.1%}" if len(values) < 2 else f"{mean:.1%} ± {100 * spread:.1f}"
