"""A monitor for a training: tell it of every iteration, and ask it what is wrong.

It keeps the last snapshots and the relative change of every weight, and no copy of the network but
the weights of the iteration before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.inspect.diagnose.plots import figures
from chainrule.inspect.diagnose.report import Diagnosis
from chainrule.inspect.diagnose.snapshot import take_snapshot
from chainrule.inspect.diagnose.symptoms import Course, Limits


class Monitor:
    """Watches a training loop; call `on_iteration` between `loss.backward()` and `optimizer.step()`.

    Every `every`-th iteration is measured in full; `keep` snapshots are kept, thinned out evenly as
    there are more. After a number that is not finite nothing more is taken in.

    >>> import chainrule as cr
    >>> from chainrule import nn, optim
    >>> cr.random.seed(0)
    >>> model, x = nn.Linear(3, 2), cr.random.normal((16, 3))
    >>> optimizer, monitor = optim.SGD(model.parameters(), lr=0.1), Monitor()
    >>> for iteration in range(20):
    ...     optimizer.zero_grad()
    ...     loss = nn.functional.cross_entropy(model(x), np.arange(16) % 2)
    ...     loss.backward()
    ...     monitor.on_iteration(model, loss, optimizer)
    ...     optimizer.step()
    >>> monitor.diagnosis().ok
    True
    """

    def __init__(self, every: int = 1, keep: int = 100, limits: Limits | None = None) -> None:
        self.every, self.keep, self.limits = every, keep, limits or Limits()
        self.course = Course()
        self.iterations: list[int] = []  # those with a snapshot
        self._count = 0
        self._before: dict[str, Array] = {}

    def on_iteration(self, model: Any, loss: Tensor, optimizer: Any = None) -> None:
        """Take in one iteration: the loss with its graph and gradients, before the update."""
        if self.course.snapshots and self.course.last.origin is not None:
            return
        parameters = dict(model.named_parameters())
        self._changes(parameters)
        self.course.losses.append(float(loss.data))
        if optimizer is not None:
            known = {id(each) for group in optimizer.param_groups for each in group["params"]}
            self.course.outside = tuple(name for name, each in parameters.items() if id(each) not in known)
        if self._count % self.every == 0 or not np.isfinite(loss.data):
            self.course.snapshots.append(take_snapshot(loss, parameters))
            self.iterations.append(self._count)
            self._thin()
        self._count += 1

    def diagnosis(self) -> Diagnosis:
        """Return what is wrong so far."""
        return Diagnosis(self.course, self.limits)

    def figures(self) -> dict[str, bytes]:
        """Return PNG pictures by their captions: histograms over time, gradients, updates, dead units."""
        return figures(self.course, self.iterations)

    def _changes(self, parameters: dict[str, Tensor]) -> None:
        """Note how far the last update moved each weight of two or more axes."""
        now = {name: each.data.astype(np.float64) for name, each in parameters.items() if each.ndim > 1}
        if self._before:
            with np.errstate(all="ignore"):
                self.course.changes.append({
                    name: float(np.linalg.norm(each - self._before[name]) / size)
                    for name, each in now.items()
                    if name in self._before and (size := np.linalg.norm(self._before[name]))
                })  # fmt: skip
        self._before = now

    def _thin(self) -> None:
        if len(self.iterations) > self.keep:
            self.every *= 2
            kept = [i for i, number in enumerate(self.iterations) if number % self.every == 0]
            self.course.snapshots = [self.course.snapshots[i] for i in kept]
            self.iterations = [self.iterations[i] for i in kept]
