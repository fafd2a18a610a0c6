"""The processes of the contenders: started with their environment, asked in turn, ended together."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from benchmarks import peers
from benchmarks.timing import Options, Row, in_turn

SPINNING = 0.3  # seconds for which idle threads of some libraries keep a core busy after their turn


class ContenderError(Exception):
    """A contender that could not do what it was asked."""


class Crew:
    """One process for each contender, all with the same number of threads, and one for the peak."""

    def __init__(self, names: Iterable[str], threads: int) -> None:
        self.threads = threads
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

    def ask_each(self, names: Iterable[str], do: str, **arguments: Any) -> dict[str, Any]:
        """Ask one contender after the other: some find out meanwhile how many threads pay."""
        found = {}
        for name in names:
            self._pause()
            found |= self.ask([name], do, **arguments)
        return found

    def measure(self, row: Row, names: Iterable[str], run: str, count: int, options: Options) -> Row:
        """Let contenders have turns of a run of `count` iterations; return the row with their figures."""
        calls = {}
        for name in (*names, peers.PEAK):
            what = {"run": "fma" if name == peers.PEAK else run, "count": count}
            found = self.ask_each([name], "calls", budget=options.budget, **what)
            calls[name] = {**what, "calls": found[name]}
        busiest = dict.fromkeys(calls, 0.0)

        def turn(name: str) -> float:
            found = self.ask_each([name], "turn", **calls[name])[name]
            busiest[name] = max(found["cores"], busiest[name])
            return found["seconds"]

        figures = in_turn({name: lambda name=name: turn(name) for name in calls}, options.rounds)
        peak = self._flops / figures.pop(peers.PEAK).median
        figures = {name: sample.divided(count) for name, sample in figures.items()}
        return replace(row, figures=figures, peak=peak, cores=busiest, threads=self.threads)

    def _pause(self) -> None:
        """Wait until the idle threads of those who had a turn before rest."""
        if self.threads > 1:
            time.sleep(SPINNING)


def alone(name: str, threads: int, more: Mapping[str, str], do: str, **arguments: Any) -> Any:
    """Ask a contender one thing in a fresh process, with further variables; return the answer."""
    with start(name, threads, more) as process:
        send(process, do, arguments)
        return answer(name, process)


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
