"""Native: a list of kernel calls made into one native function, ready to run.

The kernels are compiled each by itself, once for equal ones, and the schedule of the calls last.
Memory is the caller's: a table of addresses, into which the places of the operands point. What the
calls compute together is not known here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

from chainrule.compiler.cpu import kernel as kernels
from chainrule.compiler.cpu import sequence, team
from chainrule.compiler.cpu.choice import Choice
from chainrule.compiler.cpu.entry import entry, linked
from chainrule.compiler.cpu.machine import Library, Piece
from chainrule.compiler.cpu.pieces import Order, digest, pieces
from chainrule.compiler.cpu.schedule import Call, Gate, schedule
from chainrule.compiler.cpu.target import Target
from chainrule.core.memory import empty
from chainrule.core.threads import get_num_threads

_WAKE = 5000.0  # nanoseconds that calling a team takes
_SHORT = 20_000.0  # nanoseconds for which Python's other threads can wait
_ARGUMENTS = (ctypes.c_void_p,) * 4  # the iterations, too: ctypes converts an int64 more slowly
_ALONE = ctypes.CFUNCTYPE(None, *_ARGUMENTS)
_ALONE_AND_SHORT = ctypes.PYFUNCTYPE(None, *_ARGUMENTS)  # does not let Python's other threads run


class Room:
    """Working space of one run; `done` tells how many iterations the run has ended with."""

    def __init__(self, scratch: int, threads: int = 1) -> None:
        self.threads = threads
        self._memory = empty((sequence.HEADER + scratch * threads,), "uint8")
        self.address = self._memory.ctypes.data
        self._done = ctypes.c_int64.from_address(self.address)
        self._done.value = 0

    @property
    def done(self) -> int:
        """The last iteration's end of the last run."""
        return self._done.value


class Native:
    """A program of kernel calls, compiled. `run` may be called by several threads at once."""

    def __init__(self, calls: Sequence[Call], target: Target, gate: Gate | None = None) -> None:
        self.schedule = schedule(calls, gate)
        # Not at each run: cached properties have locks, which a fork may find taken.
        self._nanoseconds, self._gain = self.schedule.nanoseconds, self.schedule.gain
        self.kernels = tuple(call.kernel for call in self.schedule.calls)
        self._scratch = -(-max([0, *(each.scratch for each in self.kernels)]) // 128) * 128
        linked()
        self.library = Library(self._pieces(target), target)
        self._alone = self.library.function("alone", _ALONE)
        self._alone_and_short = self.library.function("alone", _ALONE_AND_SHORT)
        shared = any(call.shared for call in self.schedule.calls)
        self._together = self.library.address("together") if shared else 0
        self._choices: dict[int, Choice] = {}
        self._rooms: list[Room] = []

    def _pieces(self, target: Target) -> list[Piece]:
        """Compile each kernel once, and the schedule, or find them in the cache."""
        orders: dict[str, Order] = {}
        names: list[str] = []
        for call in self.schedule.calls:
            kernel, count = call.kernel, len(call.operands)
            key = digest(call.key, target)
            names.append(f"{kernel.name}_{key[:16]}")
            orders[key] = Order(partial(kernels.text, kernel, names[-1], count, target))
        plan = self.schedule
        frame = [(call.operands, call.parts, call.shared) for call in plan.calls]
        key = digest(f"sequence {names} {frame} {plan.waits} {plan.gate} {self._scratch}", target)
        orders[key] = Order(partial(sequence.text, plan, names, self._scratch, target), plain=True)
        return pieces(orders, target)

    @property
    def ir(self) -> str:
        """The optimised LLVM IR."""
        return self.library.ir

    def assembly(self) -> str:
        """Return the machine code as text."""
        return self.library.assembly()

    def room(self) -> Room:
        """Return working space for a run with as many threads as are set now."""
        return Room(self._scratch, self._threads)

    @property
    def _threads(self) -> int:
        return get_num_threads() if self._together else 1

    def _free_room(self) -> Room:
        """Return a room that no run is in."""
        threads = self._threads
        try:
            while (found := self._rooms.pop()).threads < threads:
                pass
        except IndexError:  # none was left, or another thread was quicker
            return self.room()
        return found

    def run(self, table: Any, first: int = 0, last: int = 1, room: Room | None = None) -> None:
        """Run iterations first, first + 1, ... below last.

        `table` holds the addresses of the bases: a ctypes array (quickest), or integers. The room is
        for one run at a time, and for as many threads as were set when it was made; without one, there
        is one for each run.
        """
        if not isinstance(table, ctypes.Array):
            table = addresses(table)
        mine = room or self._free_room()
        if (last - first) * self._nanoseconds < _SHORT:
            self._alone_and_short(table, mine.address, first, last)
        elif not self._for_a_team(last - first) or min(mine.threads, self._threads) == 1:
            self._alone(table, mine.address, first, last)
        else:
            self._run_the_quicker_way(table, mine, first, last)
        if room is None:
            self._rooms.append(mine)

    def once(self, table: Any, room: Room) -> Callable[[], object]:
        """Return what runs the first iteration on a ctypes table, as `run` does: in the room, if alone."""
        if self._nanoseconds >= _SHORT and self._for_a_team(1):
            return partial(self.run, table)
        if self._nanoseconds < _SHORT:
            return entry(self.library, table, room)
        pointers = ctypes.cast(table, ctypes.c_void_p), *map(ctypes.c_void_p, (room.address, 0, 1))
        return partial(self._alone, *pointers)  # converted once

    def _for_a_team(self, iterations: int) -> bool:
        """Tell whether so many iterations are worth calling a team for."""
        return bool(self._together) and iterations * self._gain >= _WAKE

    def _run_the_quicker_way(self, table: Any, room: Room, first: int, last: int) -> None:
        """Run by a team, or alone where that is quicker or the team is at work."""
        threads = min(get_num_threads(), room.threads)
        choice = self._choices.setdefault(threads, Choice())
        way, began = choice.next(), perf_counter()
        shared = way == 1 and team.run(threads, self._together, table, room.address, first, last)
        if not shared:
            self._alone(table, room.address, first, last)
        if way == shared:
            times = last - first
            choice.took(way, (perf_counter() - began) / times, times)


def addresses(of: Sequence[int]) -> ctypes.Array[Any]:
    """Return a table for `Native.run`."""
    return (ctypes.c_int64 * len(of))(*of)
