"""The lecture's searches for weights, each a real run on the same linear classifier with its curve.

Guessing; guessing near the best guess; the slope by finite differences, and by backpropagation, on
the same few samples; all samples at each step; a new batch at each step, plainly, with momentum, and
by Adam. A search is a generator of the samples that each step looked at; who runs it stops it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chainrule import optim
from chainrule.compiler import compile as compiled
from chainrule.core.tensor import Tensor
from chainrule.data import Batches, Normalizer, Splits
from chainrule.nn import functional as F
from chainrule.train.comparison.fitting import Missing
from chainrule.train.comparison.problem import Problem, tested_split
from chainrule.train.metrics import accuracy
from chainrule.train.run import Stopped

_BATCH = 64
TRIES = 1000  # of a search that draws, and steps of one that looks at all samples
_EPOCHS = 20

Steps = Iterator[int]


class TimeOver(Exception):
    """Raised within a step that would take longer than its search may."""


@dataclass
class Clock:
    """The seconds that a search has used, without those of judging it, and what it may use."""

    limit: float
    signal: Callable[[], int] = lambda: 0
    used: float = 0.0
    since: float = field(default_factory=time.perf_counter)

    def now(self) -> float:
        """Return the seconds used so far."""
        return self.used + time.perf_counter() - self.since

    def check(self) -> None:
        """Raise TimeOver when the time is over, or somebody wants to stop."""
        if self.now() > self.limit or self.signal():
            raise TimeOver

    def pause(self) -> None:
        """Stop counting."""
        self.used = self.now()

    def go_on(self) -> None:
        """Count again."""
        self.since = time.perf_counter()


def drawn(problem: Problem, clock: Clock, local: bool = False) -> Steps:
    """Draw weights, anew each time or near the best so far, and keep the best."""

    def loss() -> Tensor:
        clock.check()
        return problem.loss()

    # With scores well below the margin the loss looks at their direction only, not at their size.
    scale = problem.scale * (0.1 if local else 0.2)
    parameters = list(problem.model.parameters())
    search = optim.RandomSearch(parameters, loss, scale=scale, tries=1, seed=0, local=local)
    for _ in range(TRIES):
        search.run()
        yield len(problem)


def numerical(problem: Problem, clock: Clock) -> Steps:
    """Follow the slope that finite differences find on one batch: two losses for every weight."""
    parameters = list(problem.model.parameters())
    optimizer = optim.NumericalGradientDescent(parameters, lr=_rate(problem))
    few = slice(_BATCH)

    def loss() -> Tensor:
        clock.check()
        return F.hinge_loss(problem.model(problem.x[few]), problem.y[few])

    samples = min(_BATCH, len(problem)) * (2 * sum(each.size for each in parameters) + 1)
    for _ in range(20):
        optimizer.step(loss)
        yield samples


def descent(problem: Problem, clock: Clock, whole: bool) -> Steps:
    """Follow the slope by backpropagation: on all samples, or on the batch of `numerical` only."""
    step = _step(problem, optim.SGD(problem.model.parameters(), lr=_rate(problem)))
    x, y = (problem.x, problem.y) if whole else (problem.x[:_BATCH], problem.y[:_BATCH])
    for _ in range(TRIES):
        clock.check()
        step(x, y)
        yield len(x)


def batches(problem: Problem, clock: Clock, make: Callable[..., optim.Optimizer]) -> Steps:
    """Follow the slope on a new batch at each step, by the rule of an optimiser."""
    step = _step(problem, make(problem.model.parameters(), lr=_rate(problem)))
    dealt = Batches(problem.x.data, problem.y.data, _BATCH)
    for epoch in range(_EPOCHS):
        for x, y in dealt.iterate(epoch):
            clock.check()
            step(Tensor(x), Tensor(y))
            yield len(x)


SEARCHES: dict[str, Callable[[Problem, Clock], Steps]] = {
    "random search": drawn,
    "random local search": partial(drawn, local=True),
    "numerical gradient": numerical,
    "analytic gradient": partial(descent, whole=False),
    "full-batch descent": partial(descent, whole=True),
    "mini-batch SGD": partial(batches, make=optim.SGD),
    "momentum": partial(batches, make=partial(optim.SGD, momentum=0.9)),
    "Adam": partial(batches, make=optim.Adam),
}


@dataclass
class Curve:
    """One search: after each of some steps, the seconds and the epochs, and the loss."""

    title: str
    seconds: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    steps: int = 0
    accuracy: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return dict(vars(self))


def run(
    title: str, problem: Problem, test: Any, seconds: float, signal: Callable[[], int] = lambda: 0
) -> Curve:
    """Run one search for at most `seconds`, and test the weights that it ends with.

    A step that is not finished in time is not counted, and leaves no trace in the weights.
    """
    curve, clock = Curve(title, [0.0], [0.0], [problem.judged()]), Clock(seconds, signal)
    looked, due = 0, 1
    try:
        for samples in SEARCHES[title](problem, clock):
            looked, curve.steps = looked + samples, curve.steps + 1
            if curve.steps >= due:
                _judge(curve, problem, clock, looked)
                due = math.ceil(1.15 * curve.steps)  # ever later, as suits a logarithmic axis
    except TimeOver:
        pass
    if curve.steps:
        _judge(curve, problem, clock, looked)
    curve.accuracy = accuracy(problem.predicted(test.x), test.y)
    return curve


def _judge(curve: Curve, problem: Problem, clock: Clock, looked: int) -> None:
    """Add a point to the curve, outside the time of the search."""
    clock.pause()
    curve.seconds.append(clock.used)
    curve.epochs.append(looked / len(problem))
    curve.losses.append(problem.judged())
    clock.go_on()


def _rate(problem: Problem) -> float:
    # The loss is the steeper the more inputs there are; this is below the edge for inputs of deviation 1.
    return 1.0 / problem.width


def _step(problem: Problem, optimizer: optim.Optimizer) -> Any:
    @compiled
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.hinge_loss(problem.model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


class Searches:
    """Runs every search on the same data, each for an equal part of what is left of `seconds`.

    Set `signal` to stop; `curves` then holds those that are done.
    """

    def __init__(self, splits: Splits, seconds: float) -> None:
        self.test, self.train, self.seconds = tested_split(splits), splits.train, seconds
        self.curves: list[Curve] = []
        self.missing: list[Missing] = []
        self.signal = 0

    def run(self) -> Iterator[str | Curve | Missing]:
        """Yield the title of each search before it begins, and its curve; raises Stopped when asked to."""
        preparation = Normalizer().fit(self.train.x)
        end = time.perf_counter() + self.seconds
        for place, title in enumerate(SEARCHES):
            yield title
            problem = Problem(self.train, preparation)
            seconds = (end - time.perf_counter()) / (len(SEARCHES) - place)
            curve = run(title, problem, self.test, seconds, lambda: self.signal)
            if self.signal:
                raise Stopped(self.signal)
            if curve.steps:
                self.curves.append(curve)
                yield curve
            else:
                self.missing.append(Missing(title, f"not one step fits into its {seconds:.0f} seconds"))
                yield self.missing[-1]
