"""How many epochs fit into a time: the first iterations are made on a copy, and measured.

The number of epochs must be known before the first one, since the schedules are planned to the
last; it then stands in the settings like any other choice, so that a run can be repeated and gone
on with to the last bit.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from chainrule.data import Splits
from chainrule.train.assembly import assemble
from chainrule.train.evaluation import Evaluation
from chainrule.train.preparation import Preparation
from chainrule.train.settings import Settings
from chainrule.train.trainer import Trainer

_SHARE = 0.02  # of the budget that the measurement may take, within these bounds
_SHORTEST, _LONGEST = 0.3, 10.0
_VALIDATION = 512


class Measured(Exception):
    """Enough iterations were made."""


class Stopwatch:
    """The watcher that times iterations after the first, and ends the training after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begin = self.last = time.perf_counter()
        self.taken: list[float] = []

    def iteration(self, trainer: Trainer) -> None:
        """Note the time; raise Measured when it is over."""
        now = time.perf_counter()
        self.taken.append(now - self.last)
        self.last = now
        if now - self.begin - self.first > self.seconds and len(self.taken) > 1:
            raise Measured

    def epoch(self, trainer: Trainer, evaluated: Evaluation | None) -> None:
        """Nothing is measured by epochs."""

    @property
    def first(self) -> float:
        """The seconds of the first iteration, in which the step is made ready."""
        return self.taken[0] if self.taken else 0.0

    @property
    def usual(self) -> float:
        """The seconds of an iteration: the median, as a last batch of another size is made ready anew."""
        return float(np.median(self.taken[1:] or self.taken))


def epochs_within(
    seconds: float, settings: Settings, splits: Splits, ready: tuple[Preparation, Splits] | None = None
) -> int:
    """Return how many epochs of training, with their validation, fit into `seconds`; 0 where none does.

    The time of the measurement itself is part of it. `ready` is what `assemble` takes.
    """
    began = time.perf_counter()
    epoch, first = epoch_seconds(seconds, settings, splits, ready)
    left = seconds - (time.perf_counter() - began) - first
    return max(0, math.floor(left / epoch))


def epoch_seconds(
    seconds: float, settings: Settings, splits: Splits, ready: tuple[Preparation, Splits] | None = None
) -> tuple[float, float]:
    """Return the seconds of an epoch, and those of making the step ready for each size of batch.

    They are measured in a small share of `seconds`.
    """
    copy = assemble(replace(settings, epochs=1), splits, ready)
    watch, trainer = Stopwatch(min(max(_SHARE * seconds, _SHORTEST), _LONGEST)), copy.trainer
    try:
        trainer.fit(copy.walked.train, epochs=1, batch_size=settings.batch_size, watchers=[watch])
    except Measured:
        pass
    iteration = watch.usual
    epoch = trainer.iterations * iteration
    if (held := copy.walked.validation) is not None:
        part = held.subset(slice(_VALIDATION))
        began = time.perf_counter()
        trainer.evaluate(part)
        epoch += (time.perf_counter() - began) * len(held) / len(part)
    uneven = len(copy.walked.train) % settings.batch_size != 0
    return epoch, max(0.0, watch.first - iteration) * (2 if uneven else 1)
