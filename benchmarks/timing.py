"""How times are taken: contenders in turn, several rounds, medians.

Machines are shared and drift, so only ratios within one run mean anything. A round runs each
contender once (many calls); the figure of a contender is the median over the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Contender = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of the table: who took how many seconds for the same work."""

    name: str
    seconds: Mapping[str, float]

    def text(self) -> str:
        """Return the row with the ratio of every peer's time to ours."""
        ours = self.seconds["chainrule"]
        shown = [f"chainrule {_duration(ours)}"]
        shown += [
            f"{peer} {_duration(seconds)} ({seconds / ours:.2f}x)"
            for peer, seconds in self.seconds.items()
            if peer != "chainrule"
        ]
        return f"{self.name:<34}" + "   ".join(shown)


def in_turn(name: str, contenders: Mapping[str, Contender], rounds: int, budget: float = 0.05) -> Row:
    """Time the contenders in turn; each round spends about `budget` seconds on each of them."""
    calls = {peer: _calls(run, budget) for peer, run in contenders.items()}
    times: dict[str, list[float]] = {peer: [] for peer in contenders}
    for _ in range(rounds):
        for peer, run in contenders.items():
            start = time.perf_counter()
            for _ in range(calls[peer]):
                run()
            times[peer].append((time.perf_counter() - start) / calls[peer])
    return Row(name, {peer: statistics.median(taken) for peer, taken in times.items()})


def _calls(run: Contender, budget: float) -> int:
    run()  # the first call may compile or fill caches
    start = time.perf_counter()
    run()
    return max(1, int(budget / max(time.perf_counter() - start, 1e-7)))


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
