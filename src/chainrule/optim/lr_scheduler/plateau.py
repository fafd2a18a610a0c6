"""ReduceLROnPlateau: the one schedule that looks at how training goes.

So it cannot be a function of the count, as the others are, and has a state of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.core.mode import mode
from chainrule.errors import ArgumentError, TraceError, nearest
from chainrule.optim.groups import FRACTION
from chainrule.optim.lr_scheduler.schedule import LRScheduler
from chainrule.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` when a metric has not improved for more than `patience` steps.

    `step(metrics)` takes the metric: a loss (`mode` "min") or an accuracy ("max"). An improvement is
    one by more than `threshold`, relative ("rel") or absolute ("abs"). After a reduction, `cooldown`
    steps are not counted; rates do not fall below `min_lr` (a number, or one a group), nor change
    by less than `eps`.
    """

    saved = ("last_epoch", "base_lrs", "_last_lr", "best", "num_bad_epochs", "cooldown_counter")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        _choice("mode", mode, ("min", "max"))
        _choice("threshold_mode", threshold_mode, ("rel", "abs"))
        count = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, Sequence) else [min_lr] * count
        if len(self.min_lrs) != count:
            raise ArgumentError(f"ReduceLROnPlateau: {len(self.min_lrs)} min_lr for {count} group(s)")
        self.mode, self.threshold_mode, self.threshold = mode, threshold_mode, threshold
        self.factor = FRACTION.check("ReduceLROnPlateau", "factor", factor)
        self.patience, self.cooldown, self.eps = patience, cooldown, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def rates(self, epoch: int) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self, metrics: Any = None) -> None:
        """Take in one value of the metric; reduce the rates when it is time.

        Raises ArgumentError without a metric, TraceError while a function is compiled.
        """
        if mode.trace is not None:
            raise TraceError(
                "ReduceLROnPlateau: step asks for a number, which is not known while a function is compiled",
                hint="return the metric, and call schedule.step(metric) outside of the compiled function",
            )
        if metrics is not None:
            self._observe(float(metrics))
        elif self.last_epoch >= 0:
            raise ArgumentError("ReduceLROnPlateau: step needs the metric", hint="step(validation_loss)")
        super().step()

    def _observe(self, metric: float) -> None:
        if self._improves(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _improves(self, metric: float) -> bool:
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "abs":
            return sign * metric > sign * self.best + self.threshold
        return sign * metric > sign * self.best * (1.0 + sign * self.threshold)

    def _reduce(self) -> None:
        for group, low in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, low)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate


def _choice(name: str, value: str, known: tuple[str, str]) -> None:
    if value not in known:
        raise ArgumentError(
            f"ReduceLROnPlateau: {name} must be {known[0]} or {known[1]}, got {value!r}",
            hint=nearest(str(value), known),
        )
