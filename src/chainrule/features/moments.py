"""Mean and deviation of columns, learnt a batch at a time in one walk.

Batches are joined by the rule of Chan, Golub and LeVeque (1983), which loses no digits however
many there are. This module knows only tables of numbers.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.spec import Array


class Moments:
    """Count, mean and sum of squared differences of the rows seen so far."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Array = np.zeros(0)
        self._spread: Array = np.zeros(0)

    def add(self, rows: Array) -> None:
        """Take in `rows` (n, columns)."""
        if not len(rows):
            return
        # Differences from one row are exactly 0 in a column that does not vary.
        first = rows[0].astype(np.float64)
        mean = first + (rows - first).mean(axis=0)
        spread = np.square(rows - mean).sum(axis=0)
        if self.count == 0:
            self.mean, self._spread = np.zeros_like(mean), np.zeros_like(mean)
        total = self.count + len(rows)
        shift = mean - self.mean
        self._spread += spread + shift**2 * (self.count * len(rows) / total)
        self.mean = mean if self.count == 0 else self.mean + shift * (len(rows) / total)
        self.count = total

    def scale(self) -> Array:
        """Return the standard deviation of each column, 1 where it does not vary."""
        deviation = np.sqrt(self._spread / max(self.count, 1))
        return np.where(deviation > np.finfo(np.float32).tiny, deviation, 1.0)
