"""Turns: what serves one run at a time is entered by one thread after the other, never from within.

A run may call back into Python, and that may ask for another run before the first has ended: that is
an error, not a wait. In the child of a fork nobody has a turn but the thread that is left.
What is run is not known here.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, NoReturn

from chainrule.errors import TraceError


class Turns:
    """A context for a run of the program `name`: threads wait for their turn.

    The quick way is `if mine(): refuse()` and then `with lock:`. Entering raises TraceError in the
    thread whose turn it is. `held` is what the last run has left for the next one: a run that a fork cut
    off may not have finished it, so it becomes None throughout.
    """

    def __init__(self, name: str, held: list[Any]) -> None:
        self.name, self._held = name, held
        self.lock: Any = threading.RLock()
        self.mine = self.lock._is_owned  # as threading.Condition asks: no other thread can change the answer
        _all.add(self)

    def __enter__(self) -> None:
        if self.mine():
            self.refuse()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def refuse(self) -> NoReturn:
        """Raise TraceError: a run was asked for in the middle of one."""
        raise TraceError(
            f"{self.name}: called while it runs, by what that run calls back (the report of an epoch, say)",
            hint="call it when the run has ended, or compile the function a second time for calls in between",
        )

    def begin_anew(self) -> None:
        """Free the turn of a thread that is not there any more."""
        if self.lock.acquire(blocking=False):  # nobody's, or this thread's own
            self.lock.release()
        else:
            self.lock._at_fork_reinit()
            self._held[:] = [None] * len(self._held)


_all: weakref.WeakSet[Turns] = weakref.WeakSet()


def _begin_anew() -> None:
    for each in list(_all):
        each.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
