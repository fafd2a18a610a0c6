"""Turns: what serves one run at a time is entered by one thread after the other, never from within.

A run may call back into Python, and that may ask for another run before the first has ended: that is
an error, not a wait. What is run is not known here.
"""

from __future__ import annotations

import threading
from typing import Any, NoReturn

from chainrule.errors import TraceError


class Turns:
    """A context for a run of the program `name`: threads wait for their turn.

    The quick way is `if mine(): refuse()` and then `with lock:`. Entering raises TraceError in the
    thread whose turn it is.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock: Any = threading.RLock()
        self.mine = self.lock._is_owned  # as threading.Condition asks: no other thread can change the answer

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
