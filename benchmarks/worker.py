"""A contender in a process of its own, with its own environment: it answers requests, line by line.

`python -m benchmarks.worker CONTENDER THREADS` reads a JSON object a line and writes one. Requests are
`{"do": name of a method, ...its arguments}`. What a library prints goes to the standard error.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import convs, mlps, peers, predictions
from benchmarks.timing import filling, seconds_of

CHECKED = 10  # so many steps must agree
WARMING = 20  # turns' time in which a library may warm up, and find out how many threads pay
SETTLING = 6  # steps in which a library may try out how many threads pay


class Worker:
    """The contender, and what it has built."""

    def __init__(self, name: str, threads: int) -> None:
        self.module, self.mode, self.threads = peers.load(name), peers.PEERS[name].mode, threads
        self.subject: Any = None

    def train(self, row: str, smoke: bool, plain: bool) -> None:
        """Build a net for training; without dropout, if `plain`."""
        known = {each.name: each for each in (*mlps.TRAININGS, *convs.TRAININGS)}
        training = known[row].smaller() if smoke else known[row]
        training = training.without_dropout() if plain else training
        self.subject = self.module.Trainer(training, self.mode, self.threads)

    def predict(self, row: str) -> None:
        """Build a net for predictions."""
        net = {each.name: each for each in predictions.NETS}[row]
        self.subject = self.module.Predictor(net, predictions.sample(net), self.mode, self.threads)

    def losses(self, epoch: bool) -> list[float]:
        """Return the losses of ten steps and, if wanted, the mean of an epoch of ten more."""
        found = [self.subject.step(place) for place in range(CHECKED)]
        return [*found, self.subject.epoch(CHECKED, shuffle=False)] if epoch else found

    def scores(self) -> list[float]:
        """Return the logarithms of the probabilities of the classes."""
        scores = np.ravel(self.subject.sample()).astype(np.float64)
        return (scores - np.log(np.exp(scores - scores.max()).sum()) - scores.max()).tolist()

    def calls(self, run: str, budget: float, count: int) -> int:
        """Warm up, and return how many calls of a run fill a turn of `budget` seconds."""
        call = self._call(run, count)
        call()
        end = time.perf_counter() + WARMING * budget
        while time.perf_counter() < end:
            call()
        return filling(call, budget)

    def turn(self, run: str, calls: int, count: int) -> dict[str, float]:
        """Return the seconds of a call, and how many cores it kept busy."""
        call = self._call(run, count)
        if not np.isfinite(call()).all():
            raise FloatingPointError(f"{run}: its result is not finite any more")
        busy, start = time.process_time(), time.perf_counter()
        seconds = seconds_of(call, calls)
        cores = (time.process_time() - busy) / (time.perf_counter() - start)
        return {"seconds": seconds, "cores": cores}

    def first(self, row: str, smoke: bool) -> float:
        """Return what the first two steps take longer than two later ones: tracing and compiling."""
        self.train(row, smoke, plain=False)
        before = seconds_of(self.subject.step, 2)
        seconds_of(self.subject.step, SETTLING)
        later = statistics.median(seconds_of(self.subject.step, 1) for _ in range(3))
        return 2 * (before - later)

    def memory(self, row: str, smoke: bool) -> int:
        """Return by how many bytes the process grows at most, from data and net to the third step."""
        self.train(row, smoke, plain=False)
        before = _resident()
        for _ in range(3):
            self.subject.step()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before

    def loop(self) -> int:
        """Build the loop that reaches the peak; return the flops of a call."""
        self.subject = self.module.Loop(self.threads)
        return self.subject.flops

    def _call(self, run: str, count: int) -> Any:
        if run == "epoch":
            return lambda: self.subject.epoch(count)
        return getattr(self.subject, run)


def _resident() -> int:
    """Return the bytes of memory that the process holds now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Answer until the other side closes the pipe."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": getattr(worker, request.pop("do"))(**request)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        out.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
