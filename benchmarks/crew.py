"""The processes of the contenders: started with their environment, asked in turn, ended together."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from benchmarks import peers
from benchmarks.timing import Options, Sample, in_turn


class ContenderError(Exception):
    """A contender that could not do what it was asked."""


class Crew:
    """One process for each contender, all with the same number of threads, and one for the peak."""

    def __init__(self, names: Iterable[str], threads: int) -> None:
        self.threads = threads
        self.busiest: dict[str, float] = {}  # cores that a contender kept busy, at most
        self._processes = {name: start(name, threads) for name in (*names, peers.PEAK)}
        self._flops = self.ask([peers.PEAK], "loop")[peers.PEAK]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._processes if name != peers.PEAK)

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            with process:  # closes the pipes, on which the worker ends, and waits
                pass

    def ask(self, names: Iterable[str], do: str, **arguments: Any) -> dict[str, Any]:
        """Ask several contenders the same at once, and return what each answers."""
        asked = list(names)
        for name in asked:
            send(self._processes[name], do, arguments)
        return {name: answer(name, self._processes[name]) for name in asked}

    def measure(
        self, names: Iterable[str], run: str, count: int, options: Options
    ) -> tuple[dict[str, Sample], float]:
        """Let contenders have turns of a run; return the seconds of a call, and the peak in flops a second."""
        calls = {}
        for name in (*names, peers.PEAK):
            what = {"run": "fma" if name == peers.PEAK else run, "count": count}
            calls[name] = {**what, "calls": self.ask([name], "calls", budget=options.budget, **what)[name]}

        def turn(name: str) -> float:
            found = self.ask([name], "turn", **calls[name])[name]
            self.busiest[name] = max(found["cores"], self.busiest.get(name, 0.0))
            return found["seconds"]

        figures = in_turn({name: lambda name=name: turn(name) for name in calls}, options.rounds)
        return figures, self._flops / figures.pop(peers.PEAK).median


def start(name: str, threads: int, more: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the process of a contender."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker", name, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**peers.environment(threads), **(more or {})},
    )


def send(process: subprocess.Popen[str], do: str, arguments: Mapping[str, Any]) -> None:
    """Send a request."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # a process that ended is noticed when it should answer
        process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        process.stdin.flush()


def answer(name: str, process: subprocess.Popen[str]) -> Any:
    """Wait for an answer; raise ContenderError where there is none."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise ContenderError(f"{name}: its process ended")
    found = json.loads(line)
    if "error" in found:
        raise ContenderError(f"{name}: {found['error']}")
    return found["value"]
