"""Team: the threads that run a native program together.

They are daemon threads of Python that stay in native code, where no lock of Python's concerns them.
There is one team in the process, of as many threads as were last asked for; a program that finds it
at work does without, with the same bits. A fork leaves the team behind: the child makes its own.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import platform
import sys
import threading
from functools import cache, partial
from time import perf_counter
from typing import Any

from chainrule.compiler.cpu import following
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.meeting import LINE, MEANS, SIZE
from chainrule.compiler.cpu.pieces import Order, digest, pieces
from chainrule.compiler.cpu.target import target

_SPINNING = 40e-6  # seconds that a follower waits awake for the next job
_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "ppc64le": 221, "s390x": 238}  # Linux's numbers
_COURTESY = 0.2  # seconds that a fork or the end of the process waits for a running program


class Functions:
    """The native functions of teams, and the system's functions that they call."""

    def __init__(self, futex: int) -> None:
        system = _system(futex)
        unit = 1000 if sys.platform == "win32" else 1
        made_for = target()
        text = partial(following.text, made_for, futex, unit)
        order = {digest(f"team {futex} {unit}", made_for): Order(text, plain=True)}
        self._library = Library(pieces(order, made_for), made_for)
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        self.lead: Any = self._function("lead", *[pointer] * 4, *[number] * 3)
        self.follow: Any = self._function("follow", pointer, number)
        spin: Any = self._function("spin", pointer, number)
        self.means = [
            _patience(spin),
            *map(_address, system),
        ]

    def _function(self, name: str, *kinds: Any) -> Any:
        return self._library.function(name, ctypes.CFUNCTYPE(None, *kinds))


class Team:
    """Threads that wait for work; the one that calls `run` is the first of them."""

    def __init__(self, threads: int, functions: Functions) -> None:
        self.threads, self._functions = threads, functions
        memory = (ctypes.c_char * (SIZE + LINE))()
        # A follower may look at it as long as the process lives, when Python's memory is gone, too.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
        self._block = -(-ctypes.addressof(memory) // LINE) * LINE
        means = (ctypes.c_int64 * len(functions.means)).from_address(self._block + MEANS * LINE)
        means[:] = functions.means
        self._followers = [
            threading.Thread(
                target=functions.follow, args=(self._block, number), name=f"chainrule-{number}", daemon=True
            )
            for number in range(1, threads)
        ]
        for each in self._followers:
            each.start()

    def run(self, function: int, table: Any, room: int, first: int, last: int) -> None:
        """Let every thread call a function of the type `sequence.TOGETHER`; come back when all have."""
        self._functions.lead(self._block, function, table, room, first, last, self.threads)

    def dismiss(self) -> None:
        """Send the followers home, and wait until they have gone."""
        self.run(0, None, 0, 0, 0)
        for each in self._followers:
            each.join()


class _Present:
    """The one team of the process, if there is one, and the lock on it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.team: Team | None = None

    def dismiss(self) -> None:
        """Send the team home, unless it is at work."""
        if self.team and self.lock.acquire(timeout=_COURTESY):
            self.team.dismiss()
            self.team = None
            self.lock.release()

    def forget(self) -> None:
        """Begin anew, in the child of a fork."""
        self.__init__()


_present = _Present()
atexit.register(_present.dismiss)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_present.dismiss, after_in_child=_present.forget)


def run(threads: int, function: int, table: Any, room: int, first: int, last: int) -> bool:
    """Run a function by a team of so many threads; False, and nothing done, where the team is at work."""
    if not _present.lock.acquire(blocking=False):
        return False
    try:
        if _present.team and _present.team.threads != threads:
            _present.team.dismiss()
            _present.team = None
        _present.team = _present.team or Team(threads, _functions())
        _present.team.run(function, table, room, first, last)
    finally:
        _present.lock.release()
    return True


@cache
def _functions() -> Functions:
    return Functions(_FUTEX.get(platform.machine(), 0) if sys.platform == "linux" else 0)


def _system(futex: int) -> list[Any]:
    """Return the system's functions for giving the processor away and for a sleep.

    With a futex, that for a sleep makes system calls; others tell the processor and change the allowed ones.
    """
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        return [kernel.SwitchToThread, kernel.Sleep]
    process = ctypes.CDLL(None)
    if futex:
        names = ("sched_yield", "syscall", "sched_getcpu", "sched_getaffinity", "sched_setaffinity")
        return [getattr(process, name) for name in names]
    return [process.sched_yield, process.usleep]


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _patience(spin: Any) -> int:
    """Return how many spins fill the time that followers wait awake."""
    times, shortest = 1000, float("inf")
    for _ in range(5):
        began = perf_counter()
        spin(None, times)
        shortest = min(shortest, perf_counter() - began)
    return max(1, int(times * _SPINNING / shortest))
