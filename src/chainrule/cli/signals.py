"""Ctrl-C and a polite kill: the run finishes its iteration, saves, and says how to go on.

The first signal is only noted, in what is running; what stops, and when, is not known here.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Stoppable(Protocol):
    """What stops by itself as soon as it is told the number of a signal."""

    signal: int


_POLITE = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping(keeper: Stoppable) -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM is noted in `keeper`; a second one has its usual effect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _POLITE}

    def note(number: int, _: FrameType | None) -> None:
        keeper.signal = number
        signal.signal(number, before[signal.Signals(number)])

    for number in _POLITE:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
