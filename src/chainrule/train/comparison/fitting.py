"""One network trained within a time: the piece that every comparison is made of.

How many epochs fit is measured first; a network of which not one epoch fits is refused, with the
reason. Between two iterations it is asked whether to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from chainrule.data import Splits
from chainrule.errors import ChainruleError
from chainrule.train.assembly import Assembled, assemble
from chainrule.train.budget import epochs_within
from chainrule.train.evaluation import Evaluation
from chainrule.train.preparation import Preparation
from chainrule.train.run import Stopped
from chainrule.train.settings import Settings
from chainrule.train.trainer import Trainer

Ready = tuple[Preparation, Splits]


class LeftOut(ChainruleError):
    """Something was not trained; the headline says why."""


@dataclass(frozen=True)
class Missing:
    """Something that was left out, and why."""

    title: str
    reason: str


@dataclass
class Fitted:
    """A trained network: its settings with the epochs that were made, and the seconds they took."""

    settings: Settings
    assembled: Assembled
    seconds: float


class Asking:
    """The watcher that raises Stopped as soon as `signal()` is not 0."""

    def __init__(self, signal: Callable[[], int]) -> None:
        self.signal = signal

    def iteration(self, trainer: Trainer) -> None:
        """Ask."""
        if number := self.signal():
            raise Stopped(number)

    def epoch(self, trainer: Trainer, evaluated: Evaluation | None) -> None:
        """Nothing is asked between epochs: an iteration comes before each end."""


def fitting(settings: Settings, splits: Splits, seconds: float, ready: Ready) -> Settings:
    """Return `settings` with as many of their epochs as fit into `seconds`; raise LeftOut where none does."""
    if not settings.epochs:
        return settings
    epochs = epochs_within(seconds, settings, splits, ready)
    if not epochs:
        raise LeftOut(f"not one epoch fits into its {seconds:.0f} seconds")
    return replace(settings, epochs=min(epochs, settings.epochs))


def fit(settings: Settings, splits: Splits, ready: Ready, signal: Callable[[], int]) -> Fitted:
    """Train the network of `settings` and return it; raises Stopped when `signal()` says so."""
    began = time.perf_counter()
    assembled = assemble(settings, splits, ready)
    assembled.trainer.fit(
        assembled.walked.train,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        seed=settings.seed,
        watchers=[Asking(signal)],
    )
    return Fitted(settings, assembled, time.perf_counter() - began)
