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


def chunks(native: Native, table: Any, total: int, report: Callable[[int], None] | None = None) -> None:
    """Run iterations 0, 1, ... below `total`; now and then call `report` with the number done.

    `report` is called at most ten times a second, and at the end. Raises Interrupted on Ctrl-C.
    """
    room, size, reported = native.room(), 1, perf_counter()
    try:
        while room.done < total:
            first, began = room.done, perf_counter()
            native.run(table, first, min(first + size, total), room)
            now = perf_counter()
            size = max(1, min(size * _GROWTH, int(size * _CHUNK / max(now - began, 1e-9))))
            if report and (now - reported >= _REPORT or room.done == total):
                report(room.done)
                reported = now
    except KeyboardInterrupt as stop:
        # The native code itself counted: Python may be stopped before it could.
        raise Interrupted(room.done) from stop
