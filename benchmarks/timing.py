"""How times are taken: contenders in turn, several rounds, medians and quartiles.

Machines are shared and drift, so only ratios within one run mean anything. In a round each contender
has one turn, of many calls; its figure is the median over the rounds, its noise the quartiles.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

OURS = "chainrule"


@dataclass(frozen=True)
class Sample:
    """What one contender took in each round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The values that a quarter and three quarters of the rounds stay below."""
        ordered = sorted(self.values)
        last = len(ordered) - 1
        return ordered[round(last / 4)], ordered[round(3 * last / 4)]

    def divided(self, count: float) -> Sample:
        return Sample(tuple(value / count for value in self.values))


@dataclass(frozen=True)
class Row:
    """One line of the table: who took how much for the same work.

    `figures` are seconds or bytes, as `unit` says; `peak` is what the machine reached in flops a
    second while the row ran; `cores` says how many each kept busy on average, in its busiest turn;
    `notes` say who is left out, and why. A row that failed has `failure`.
    """

    group: str
    name: str
    figures: Mapping[str, Sample] = field(default_factory=dict)
    threads: int | None = None
    unit: str = "s"
    flops: int = 0
    peak: float = 0.0
    cores: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def best(self) -> str:
        """The quickest contender that is not ours; empty where there is none."""
        peers = [name for name in self.figures if not name.startswith(OURS)]
        return min(peers, key=lambda name: self.figures[name].median, default="")

    def ratio(self, name: str) -> float:
        """Return how many times our figure a contender's is."""
        return self.figures[name].median / self.figures[OURS].median


@dataclass(frozen=True)
class Options:
    """What is to be measured, and how long."""

    smoke: bool = False
    row: str = ""
    peer: str = ""
    threads: tuple[int, ...] = (1,)
    most: int = 15  # rounds

    @property
    def rounds(self) -> int:
        return 1 if self.smoke else self.most

    @property
    def budget(self) -> float:
        """Seconds that a turn should take: long against the clock, short against drift."""
        return 0.0 if self.smoke else 0.05

    def wants(self, group: str, name: str) -> bool:
        return self.row.lower() in f"{group} {name}".lower()

    def wants_peer(self, name: str) -> bool:
        return name == OURS or self.peer.lower() in name.lower()


def in_turn(turns: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Sample]:
    """Let each contender have a turn in each round; a turn returns its figure."""
    taken: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            taken[name].append(turn())
    return {name: Sample(tuple(values)) for name, values in taken.items()}


def in_process(
    group: str,
    name: str,
    contenders: Mapping[str, Callable[[], object]],
    options: Options,
    budget: float = 0.05,
) -> Row:
    """Return the row of contenders that are functions of this process."""
    budget = 0.0 if options.smoke else budget
    turns = {who: repeated(run, budget) for who, run in contenders.items()}
    return Row(group, name, in_turn(turns, options.rounds))


def repeated(run: Callable[[], object], budget: float) -> Callable[[], float]:
    """Return a turn that calls `run` so often that it takes about `budget` seconds; seconds a call."""
    run()  # the first call may compile or fill caches
    calls = filling(run, budget)
    return lambda: seconds_of(run, calls)


def filling(run: Callable[[], object], budget: float) -> int:
    """Return how many calls of `run` take about `budget` seconds, at least one."""
    return max(1, int(budget / max(seconds_of(run, 1), 1e-7)))


def seconds_of(run: Callable[[], object], calls: int) -> float:
    """Return the seconds that a call takes, on average."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls
