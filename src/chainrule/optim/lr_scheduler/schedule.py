"""LRScheduler: writes the rates of a schedule into the groups of an optimiser.

A subclass says what the rates are after so many steps. What it is that is counted, epochs or
iterations, is up to whoever calls `step`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.core.mode import mode
from chainrule.errors import ArgumentError, CheckpointError
from chainrule.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules: PyTorch's `step`, `get_last_lr`, `state_dict`.

    The rates that the groups have now are the ones the schedule begins with (`initial_lr`, kept in
    the group). `last_epoch` counts steps; give it to go on from there with a new object.
    """

    saved: Sequence[str] = ("last_epoch", "base_lrs", "_last_lr")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):  # pyright: ignore[reportUnnecessaryIsInstance]
            got = type(optimizer).__name__
            raise ArgumentError(f"{type(self).__name__}: needs an optimiser, got {got}")
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._last_lr: list[float] = []
        self.step()

    def rates(self, epoch: int) -> list[float]:
        """Return the rate of each group after `epoch` steps."""
        raise NotImplementedError

    def apply(self, epoch: int) -> None:
        """Write what belongs to `epoch` steps into the groups of the optimiser."""
        for group, rate in zip(self.optimizer.param_groups, self.rates(epoch), strict=True):
            group["lr"] = rate

    def step(self) -> None:
        """Count one step and apply what belongs to it; call it after `optimizer.step()`."""
        if mode.trace is not None:
            mode.trace.host(self.step)
            return
        self.apply(self.last_epoch + 1)
        self.last_epoch += 1
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """Return the rates that are in force now, one a group."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs: numbers and lists of numbers."""
        state = {name: getattr(self, name) for name in self.saved}
        return {name: list(value) if isinstance(value, list) else value for name, value in state.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`, with the rates that were in force."""
        missing = [name for name in self.saved if name not in state_dict]
        if missing:
            raise CheckpointError(
                f"{type(self).__name__}: the state_dict has no {missing[0]!r}",
                hint="was it saved by another kind of schedule?",
            )
        saved, count = len(state_dict["_last_lr"]), len(self.optimizer.param_groups)
        if saved != count:
            name = type(self).__name__
            raise CheckpointError(f"{name}: saved for {saved} group(s), but the optimiser has {count}")
        for name in self.saved:
            value = state_dict[name]
            setattr(self, name, list(value) if isinstance(value, list) else value)
        self.apply(self.last_epoch)
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate
