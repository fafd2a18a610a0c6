"""SequentialLR: one schedule after the other.

Which of them is in force follows from the count alone, so that it can be gone on with anywhere.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from chainrule.errors import ArgumentError
from chainrule.optim.lr_scheduler.schedule import LRScheduler
from chainrule.optim.optimizer import Optimizer


class SequentialLR(LRScheduler):
    """Schedules that take over from each other at the milestones, each counting from 0 again."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if len(milestones) != len(schedulers) - 1:
            count = len(schedulers)
            raise ArgumentError(
                f"SequentialLR: {count} schedules need {count - 1} milestones, got {len(milestones)}"
            )
        if any(each.optimizer is not optimizer for each in schedulers):
            raise ArgumentError("SequentialLR: all schedules must belong to the optimiser that is given")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def _in_force(self, epoch: int) -> tuple[LRScheduler, int]:
        """Return the schedule in force after `epoch` steps, and how many of them are its own."""
        place = bisect.bisect_right(self.milestones, epoch)
        return self.schedulers[place], epoch - (self.milestones[place - 1] if place else 0)

    def rates(self, epoch: int) -> list[float]:
        schedule, own = self._in_force(epoch)
        return schedule.rates(own)

    def apply(self, epoch: int) -> None:
        schedule, own = self._in_force(epoch)
        schedule.apply(own)
