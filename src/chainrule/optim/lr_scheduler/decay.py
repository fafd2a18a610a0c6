"""Schedules that are one line of arithmetic: the initial rate times a factor of the count.

Each says its rates after so many steps; writing them into the groups is `schedule`'s business.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence

from chainrule.core.whole import whole_number
from chainrule.errors import ArgumentError
from chainrule.optim.groups import NOT_NEGATIVE
from chainrule.optim.lr_scheduler.schedule import LRScheduler
from chainrule.optim.optimizer import Optimizer


class Factor(LRScheduler):
    """A schedule that multiplies every group's initial rate with the same factor."""

    def factor(self, epoch: int) -> float:
        """Return the factor after `epoch` steps."""
        raise NotImplementedError

    def rates(self, epoch: int) -> list[float]:
        return [base * self.factor(epoch) for base in self.base_lrs]


class StepLR(Factor):
    """The rate times `gamma` after every `step_size` steps.

    >>> from chainrule.optim import SGD
    >>> from chainrule.core.tensor import Tensor
    >>> schedule = StepLR(SGD([Tensor(1.0, True)], lr=1.0), step_size=2, gamma=0.5)
    >>> [schedule.rates(epoch)[0] for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = whole_number("StepLR", "step_size", step_size)
        self.gamma = NOT_NEGATIVE.check("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.gamma ** (epoch // self.step_size)


class MultiStepLR(Factor):
    """The rate times `gamma` at each of the milestones."""

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), NOT_NEGATIVE.check("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.gamma ** bisect.bisect_right(self.milestones, epoch)


class ExponentialLR(Factor):
    """The rate times `gamma` at every step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = NOT_NEGATIVE.check("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.gamma**epoch


class LinearLR(Factor):
    """A straight line of the factor, from `start_factor` to `end_factor` in `total_iters` steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = NOT_NEGATIVE.check("LinearLR", "start_factor", start_factor)
        self.end_factor = NOT_NEGATIVE.check("LinearLR", "end_factor", end_factor)
        self.total_iters = whole_number("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class LambdaLR(LRScheduler):
    """The initial rate times a function of the count: one function, or one a group."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != count:
            raise ArgumentError(f"LambdaLR: {len(self.lr_lambdas)} functions for {count} group(s)")
        super().__init__(optimizer, last_epoch)

    def rates(self, epoch: int) -> list[float]:
        return [base * factor(epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class CosineAnnealingLR(LRScheduler):
    """Half a wave of the cosine, from the initial rate to `eta_min` in `T_max` steps, and back.

    Source: Loshchilov and Hutter 2017, "SGDR", eq. 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = whole_number("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = NOT_NEGATIVE.check("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def rates(self, epoch: int) -> list[float]:
        height = (1 + math.cos(math.pi * epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]
