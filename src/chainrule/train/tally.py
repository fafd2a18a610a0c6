"""Counting over the batches of an epoch: sums of losses, of right predictions, of squared errors.

The sums are plain numbers that a checkpoint keeps, so an epoch that was broken off counts on where
it stopped. Integer targets are labels of classes, float targets those of a regression.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from chainrule.core.spec import Array


@dataclass
class Tally:
    """Sums over the samples seen so far.

    >>> tally = Tally()
    >>> tally.add(0.5, np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
    >>> tally.means()
    {'loss': 0.5, 'accuracy': 0.5}
    """

    samples: int = 0
    loss: float = 0.0
    penalty: float = 0.0
    right: int = 0
    squared: float = 0.0
    targets: int = 0

    def add(self, loss: float, scores: Array, y: Array, penalty: float = 0.0) -> None:
        """Count one batch: its mean loss, its scores (n, classes) or predictions, its labels or targets."""
        count = len(y)
        self.samples += count
        self.loss += loss * count
        self.penalty += penalty * count
        if is_labels(y):
            self.right += int((scores.argmax(axis=1) == y).sum())
        else:
            self.squared += float(np.square(scores - y, dtype=np.float64).sum())
            self.targets += y.size

    def means(self) -> dict[str, float]:
        """Return the mean loss, and the accuracy or the root mean squared error so far."""
        found = {"loss": self.loss / max(self.samples, 1)}
        if self.penalty:
            found["penalty"] = self.penalty / max(self.samples, 1)
        if self.targets:
            found["rmse"] = math.sqrt(self.squared / self.targets)
        else:
            found["accuracy"] = self.right / max(self.samples, 1)
        return found

    def state(self) -> dict[str, float]:
        """Return the sums as plain numbers; `Tally(**state)` counts on from there."""
        return asdict(self)


def is_labels(y: Array) -> bool:
    """Say whether `y` holds labels of classes, not the targets of a regression."""
    return y.dtype.kind in "iub"
