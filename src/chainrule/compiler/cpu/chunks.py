"""Chunks: many iterations of a native program, in pieces short enough that Ctrl-C works.

Python sees a signal only between two native calls. It knows neither what an iteration does nor
what the caller shows of the progress.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from chainrule.compiler.cpu.native import Native

_CHUNK = 0.05  # seconds that one native call should take
_REPORT = 0.1  # seconds between two reports
_GROWTH = 8  # a chunk is at most that much longer than the one before


class Interrupted(KeyboardInterrupt):
    """Ctrl-C between two iterations; `done` iterations are whole, none is half done."""

    def __init__(self, done: int) -> None:
        super().__init__(f"interrupted after {done} iterations")
        self.done = done


class Progress:
    """Tells `report` how many of `total` iterations are done: ten times a second at most, and at the end."""

    def __init__(self, report: Callable[[int], None] | None, total: int) -> None:
        self._report, self._total, self._told = report, total, perf_counter()

    def __call__(self, done: int) -> None:
        """Say that so many are done."""
        now = perf_counter()
        if self._report and (done == self._total or now - self._told >= _REPORT):
            self._told = now
            self._report(done)

    def behind(self, before: int) -> Callable[[int], None]:
        """Return what says how many more are done than so many."""
        return lambda done: self(before + done)


def chunks(native: Native, table: Any, total: int, report: Callable[[int], None] | None = None) -> None:
    """Run iterations 0, 1, ... below `total`; after every piece call `report` with the number done.

    Raises Interrupted on Ctrl-C.
    """
    room, size = native.room(), 1
    try:
        while room.done < total:
            first, began = room.done, perf_counter()
            native.run(table, first, min(first + size, total), room)
            took = max(perf_counter() - began, 1e-9)
            size = max(1, min(size * _GROWTH, int(size * _CHUNK / took)))
            if report:
                report(room.done)
    except KeyboardInterrupt as stop:
        # The native code itself counted: Python may be stopped before it could.
        raise Interrupted(room.done) from stop
