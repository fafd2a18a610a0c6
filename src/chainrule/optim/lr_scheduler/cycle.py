"""OneCycleLR: up to a large rate, down to a tiny one, with the momentum the other way round.

Source: Smith and Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large
Learning Rates"; the phases and defaults are PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from chainrule.errors import ArgumentError, GraphError
from chainrule.optim.groups import FRACTION, NOT_NEGATIVE, POSITIVE, Group
from chainrule.optim.lr_scheduler.schedule import LRScheduler
from chainrule.optim.optimizer import Optimizer


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2.0 * (1 + math.cos(math.pi * done))


def _linear(start: float, end: float, done: float) -> float:
    return start + (end - start) * done


_ANNEALING: dict[str, Callable[[float, float, float], float]] = {"cos": _cosine, "linear": _linear}


class OneCycleLR(LRScheduler):
    """One cycle of the rate over the whole of training; call `step` after every iteration.

    From max_lr / div_factor up to `max_lr` in the part `pct_start` of `total_steps` (or epochs *
    steps_per_epoch), then down to the initial rate / final_div_factor. `three_phase` goes down as
    it went up, and only then to the end. Momentum (or Adam's first beta) goes from `max_momentum`
    to `base_momentum` and back, unless `cycle_momentum` is False. `max_lr` and the momenta are
    numbers, or lists of one number a group. Raises when stepped beyond `total_steps`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if anneal_strategy not in _ANNEALING:
            raise ArgumentError(f"OneCycleLR: anneal_strategy must be cos or linear, got {anneal_strategy!r}")
        self.anneal = _ANNEALING[anneal_strategy]
        pct_start = FRACTION.check("OneCycleLR", "pct_start", pct_start)
        self.ends = _ends(self.total_steps, pct_start, three_phase)
        peaks = _each(optimizer, "max_lr", max_lr)
        self.rate_points = [_rate_points(peak, div_factor, final_div_factor, three_phase) for peak in peaks]
        self.momentum_points: list[list[float]] = []  # none: momentum stays as it is
        if cycle_momentum:
            low = _each(optimizer, "base_momentum", base_momentum)
            high = _each(optimizer, "max_momentum", max_momentum)
            pairs = zip(low, high, strict=True)
            self.momentum_points = [[b, a, b, *([b] if three_phase else [])] for a, b in pairs]
            for group in optimizer.param_groups:
                _set_momentum(group, None)
        for group, points in zip(optimizer.param_groups, self.rate_points, strict=True):
            if last_epoch == -1:
                group["initial_lr"] = points[0]
        super().__init__(optimizer, last_epoch)

    def rates(self, epoch: int) -> list[float]:
        return [self._between(points, epoch) for points in self.rate_points]

    def apply(self, epoch: int) -> None:
        super().apply(epoch)
        for group, points in zip(self.optimizer.param_groups, self.momentum_points, strict=False):
            _set_momentum(group, self._between(points, epoch))

    def _between(self, points: Sequence[float], epoch: int) -> float:
        """Return the value at `epoch` of a curve through `points`, at the ends of the phases."""
        if epoch > self.total_steps:  # as in PyTorch, the call after the last update is allowed
            raise GraphError(
                f"OneCycleLR: step {epoch + 1} of a cycle of {self.total_steps}",
                hint="total_steps is the number of iterations of the whole training",
            )
        place = next(i for i, end in enumerate(self.ends) if epoch <= end or end == self.ends[-1])
        start, end = self.ends[place - 1] if place else 0.0, self.ends[place]
        return self.anneal(points[place], points[place + 1], (epoch - start) / (end - start))


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and epochs is not None and steps_per_epoch is not None:
        total_steps = epochs * steps_per_epoch
    if total_steps is None:
        raise ArgumentError("OneCycleLR: needs total_steps, or epochs and steps_per_epoch")
    if total_steps < 2:
        raise ArgumentError(f"OneCycleLR: a cycle needs at least 2 steps, got {total_steps}")
    return total_steps


def _ends(total: int, start: float, three_phase: bool) -> list[float]:
    """Return the step at which each phase ends; PyTorch counts them from -1."""
    top = start * total - 1
    return [top, 2 * top, total - 1.0] if three_phase else [top, total - 1.0]


def _rate_points(peak: float, div_factor: float, final_div_factor: float, three_phase: bool) -> list[float]:
    for name, value in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
        POSITIVE.check("OneCycleLR", name, value)
    first = peak / div_factor
    return [first, peak, *([first] if three_phase else []), first / final_div_factor]


def _each(optimizer: Optimizer, name: str, value: float | Sequence[float]) -> list[float]:
    count = len(optimizer.param_groups)
    found = list(value) if isinstance(value, Sequence) else [value] * count
    if len(found) != count:
        raise ArgumentError(f"OneCycleLR: {len(found)} values of {name} for {count} group(s)")
    return [NOT_NEGATIVE.check("OneCycleLR", name, each) for each in found]


def _set_momentum(group: Group, value: float | None) -> None:
    """Set the momentum of a group, or its first beta; None only looks whether there is one."""
    if "betas" in group:
        group["betas"] = (group["betas"][0] if value is None else value, group["betas"][1])
    elif group.get("momentum"):
        group["momentum"] = group["momentum"] if value is None else value
    else:
        raise ArgumentError(
            "OneCycleLR: the optimiser has no momentum to cycle",
            hint="give the optimiser momentum above 0, or cycle_momentum=False",
        )
