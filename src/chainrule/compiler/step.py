"""Step: a program as native code, with the memory that it works in.

It gives every buffer an address: arguments, captured arrays and results are NumPy's own memory, all
else is one block. What Python must do first (numbers to read anew, calls back, the states of random
streams) is done before the native call, in the order of the program.
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Container, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.compiler.cpu.chunks import chunks
from chainrule.compiler.cpu.draw import Advance, Draw
from chainrule.compiler.cpu.loops import Loops
from chainrule.compiler.cpu.native import Native, Room
from chainrule.compiler.cpu.rows import Gather, Record
from chainrule.compiler.cpu.schedule import Call, Place
from chainrule.compiler.cpu.target import target
from chainrule.compiler.nests.agenda import Item
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.lower import Lowering
from chainrule.compiler.nests.memory import ALIGNMENT, arranged
from chainrule.compiler.nests.nest import Nest
from chainrule.core.program import Program
from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, IndexRangeError

_ROLES = (
    "argument", "captured", "constant", "result", "stream", "flag", "setting", "inner",
    "source", "order", "losses",
)  # fmt: skip


_lowering = threading.Lock()


_SMALL = 4096  # bytes: results up to this size are quicker made than found again


class Step:
    """The native form of a program: `run(arguments, captured)` returns the results."""

    def __init__(self, program: Program) -> None:
        with _lowering:  # terms are shared while a program is lowered
            lowered = Lowering(program)
            work = [self._kernel(item) for item in lowered.agenda.items]
        self._actions, self._streams = lowered.actions, lowered.streams
        offsets, size = arranged([buffers for _, buffers, _ in work])
        self._block = np.empty(size + ALIGNMENT, np.uint8)
        self._constants = [np.ascontiguousarray(each.array) for each in lowered.constants]
        self._states = np.zeros((len(self._streams), 3), np.uint64)
        self._numbers = np.zeros(max(lowered.slots, 1))
        self._results = [(each.shape, each.dtype, each.bytes > _SMALL) for each in lowered.results]
        self._pools: list[list[Array]] = [[] for _ in self._results]
        self._reports, self._flags = lowered.flags, np.zeros(max(len(lowered.flags), 1), np.bool_)
        counts = (
            len(program.arguments), len(program.captured), len(self._constants), len(self._results),
            len(self._streams), len(lowered.flags), 1, 1, len(program.arguments), 1, 1,
        )  # fmt: skip
        starts = np.cumsum((0, *counts)).tolist()
        self._base: dict[str, int] = dict(zip(_ROLES, starts, strict=False))
        self._table = (ctypes.c_void_p * starts[-1])()
        self._fill_fixed()
        self._written = {
            each.place for _, buffers, writes in work for i, each in enumerate(buffers)
            if i in writes and each.role == "captured"
        }  # fmt: skip
        self.written = sorted(self._written)
        self.direct = False  # whether the last run used the captured arrays' own memory throughout
        self._held: list[Any] = [None] * starts[-1]
        self._spans: tuple[list[int], list[int]] | None = None  # of the written arrays, once they are held
        self._names = [value.name or f"captured array {i}" for i, value in enumerate(program.captured)]
        self._running = threading.RLock()  # the table and the memory serve one run at a time
        self.work, self.offsets, self.block_bytes = work, offsets, size
        self._prepares = bool(self._actions or self._streams)
        self._arguments = [value.spec for value in program.arguments]
        self._calls = [self._call(*each, offsets) for each in work]
        self._batch: list[Array] = []

    @cached_property
    def native(self) -> Native:
        """The program, once."""
        return Native(self._calls, target())

    @cached_property
    def _room(self) -> Room:
        return self.native.room()

    @cached_property
    def looped(self) -> Native:
        """The program for every batch of an epoch: rows gathered before it, the loss kept after it."""
        base = self._base
        gathers: list[Call] = []
        for place, spec in enumerate(self._arguments):
            rows, *rest = spec.shape
            width = math.prod(rest) * spec.dtype.itemsize
            operands = (
                Place(base["source"] + place),
                Place(base["order"], step=8 * rows),
                Place(base["argument"] + place, size=rows * width),
            )
            gathers.append(Call(Gather(rows, width), operands, (2,)))
        size = self._results[0][1].itemsize
        kept = (Place(base["result"], size=size), Place(base["losses"], step=size))
        return Native([*gathers, *self._calls, Call(Record(size), kept, (1,))], target())

    @property
    def listing(self) -> str:
        """Every kernel with the buffers it works on: loop nests in full, others by their description."""
        lines: list[str] = []
        for kernel, buffers, writes in self.work:
            names = [f"{'*' if i in writes else ''}{each.name}" for i, each in enumerate(buffers)]
            lines.append(f"# {kernel.name}: {' '.join(names)}\n{kernel!r}")
        return "\n\n".join(lines)

    @property
    def table(self) -> str:
        """One line for each kernel: what it costs, into how many parts it is cut, what it touches."""
        lines = [f"{'kernel':<18}{'flops':>14}{'bytes':>14}{'parts':>7}  buffers (* written)"]
        for kernel, buffers, writes in self.work:
            names = [f"{'*' if i in writes else ''}{each.name}" for i, each in enumerate(buffers)]
            sizes = f"{kernel.flops:>14,}{kernel.bytes:>14,}{kernel.parts:>7}"
            lines.append(f"{kernel.name:<18}{sizes}  {' '.join(names)}")
        totals = [sum(getattr(each[0], what) for each in self.work) for what in ("flops", "bytes")]
        lines.append(
            f"{'all':<18}{totals[0]:>14,}{totals[1]:>14,}{'':>7}  {self.block_bytes:,} bytes of memory"
        )
        return "\n".join(lines)

    # ---- making ----------------------------------------------------------------------------------
    def _kernel(self, item: Item) -> tuple[Any, list[Buffer], tuple[int, ...]]:
        """Return the kernel of an item, its operands and which of them it writes."""
        if item.stores:
            nest = Nest.of(item.variables, item.stores, item.serial)
            return Loops(nest), list(nest.buffers), nest.written
        writes = tuple(range(len(item.buffers) - len(item.written), len(item.buffers)))
        if not isinstance(item.work, tuple):
            return item.work, item.buffers, writes
        what, params = item.work
        count = int(np.prod(params["shape"], dtype=np.int64))
        low, high = params["numbers"]
        dtype = "int64" if params["kind"] == "integers" else np.dtype(params["dtype"]).name
        draw = Draw(params["kind"], count, dtype, low, high)
        return (draw if what == "draw" else Advance(draw.blocks)), item.buffers, writes

    def _call(
        self, kernel: Any, buffers: list[Buffer], writes: tuple[int, ...], offsets: dict[Buffer, int]
    ) -> Call:
        return Call(kernel, tuple(self._place(each, offsets) for each in buffers), writes)

    def _place(self, buffer: Buffer, offsets: dict[Buffer, int]) -> Place:
        base: int = self._base[buffer.role]
        if buffer.role == "inner":
            return Place(base, offsets[buffer], size=buffer.bytes)
        return Place(base if buffer.role == "setting" else base + buffer.place, size=buffer.bytes)

    def _fill_fixed(self) -> None:
        table, base = self._table, self._base
        for place, array in enumerate(self._constants):
            table[base["constant"] + place] = address(array)
        for place in range(len(self._streams)):
            table[base["stream"] + place] = address(self._states) + 24 * place
        for place in range(len(self._reports)):
            table[base["flag"] + place] = address(self._flags) + place
        table[base["setting"]] = address(self._numbers)
        table[base["inner"]] = -(-address(self._block) // ALIGNMENT) * ALIGNMENT

    # ---- running ---------------------------------------------------------------------------------
    def run(self, arguments: Sequence[Array], captured: Sequence[Array] | None = None) -> list[Array]:
        """Compute the results; captured arrays that the program writes are changed in place.

        Without `captured`, those of the last run are used: allowed where all were `direct`.

        Raises IndexRangeError for integers that are no places of what they look into (the state has
        changed by then), ArgumentError where captured arrays cannot be written or share memory.
        """
        with self._running:
            back = self._hold_captured(captured) if captured is not None else ()
            self._hold_read(0, arguments)
            if self._prepares:
                self.before()
            results = self._new_results()
            self.native.run(self._table, 0, 1, self._room)
            if self._streams:
                self.after()
            for array, staged in back:
                np.copyto(array, staged)
            if self._reports:
                self._refuse_flagged()
            return results

    def _refuse_flagged(self) -> None:
        if self._reports and self._flags.any():
            found = self._reports[int(self._flags.argmax())]
            self._flags[:] = False
            raise IndexRangeError(found)

    def epoch(
        self, sources: Sequence[Array], order: Array, captured: Sequence[Array], losses: Array,
        report: Callable[[int], None] | None = None,
    ) -> list[Array]:  # fmt: skip
        """Run once for each of `losses`, on the next rows of `order`; return the last results.

        `losses` gets the first result of every iteration. Ctrl-C raises between two iterations.
        """
        with self._running:
            back = self._hold_captured(captured)
            if not self._batch:
                self._batch = [np.empty(spec.shape, spec.dtype) for spec in self._arguments]
            self._hold_read(0, self._batch)
            self._hold_read(self._base["source"], sources)
            self._hold_read(self._base["order"], [order])
            self._hold(self._base["losses"], losses)
            self.before()
            results = self._new_results()
            try:
                chunks(self.looped, self._table, len(losses), report)
            finally:
                self.after()
                for array, staged in back:
                    np.copyto(array, staged)
            self._refuse_flagged()
            return results

    def before(self) -> None:
        """Do what the program wants of Python: read numbers, call back, look up random states."""
        for action in self._actions:
            if isinstance(action, tuple):
                slot, watched = action
                self._numbers[slot] = watched.now()
            else:
                action()
        for place, stream in enumerate(self._streams):
            self._states[place] = stream.state

    @property
    def alone(self) -> bool:
        """Tell whether Python has nothing to do between two runs but to read numbers."""
        return all(isinstance(action, tuple) for action in self._actions)

    def after(self) -> None:
        """Move the random streams on."""
        for place, stream in enumerate(self._streams):
            stream.counter = int(self._states[place, 2])

    def _hold(self, place: int, array: Array) -> Array:
        """Put the address of an array into the table, or of a copy where it cannot be used as it is."""
        usable = array if _usable(array) else np.array(array, native(array).dtype, order="C")
        self._table[place] = address(usable)
        self._held[place] = array if usable is array else (array, usable)
        return usable

    def _hold_read(self, start: int, arrays: Sequence[Array]) -> None:
        """Hold arrays that are only read: as they are now, should they share memory with written ones."""
        for place, array in enumerate(arrays, start):
            if self._held[place] is not array:
                size = self._hold(place, array).nbytes
                if self._changes(self._table[place] or 0, size):
                    self._hold(place, array.copy())

    def _hold_captured(self, arrays: Sequence[Array]) -> list[tuple[Array, Array]]:
        start = self._base["captured"]
        back: list[tuple[Array, Array]] = []
        for place, array in enumerate(arrays):
            if self._held[start + place] is array:
                continue
            self._spans = None
            if place in self._written and not array.flags.writeable:
                raise ArgumentError(f"{self._names[place]} is changed in place, but its array is read-only")
            usable = self._hold(start + place, array)
            if usable is not array and place in self._written:
                back.append((array, usable))
        if self._spans is None:
            self._spans = spans(arrays, self._written, self._names)
        self.direct = all(self._held[start + place] is array for place, array in enumerate(arrays))
        return back

    def _changes(self, start: int, size: int) -> bool:
        """Tell whether the program writes into so many bytes from an address on."""
        starts, ends = self._spans or ([], [])
        place = bisect_left(starts, start + size) - 1
        return place >= 0 and ends[place] > start

    def _new_results(self) -> list[Array]:
        """Return arrays for the results: those of an earlier run that nobody holds any more, or new ones."""
        found: list[Array] = []
        start = self._base["result"]
        for place, (shape, dtype, large) in enumerate(self._results):
            array = self._unheld(place) if large else None
            if array is None:
                array = np.empty(shape, dtype)
                self._pools[place] = [array, *self._pools[place][:1]] if large else []
            self._table[start + place] = address(array)
            found.append(array)
        return found

    def _unheld(self, place: int) -> Array | None:
        return next((each for each in self._pools[place] if sys.getrefcount(each) == 3), None)


def address(array: Array) -> int:
    """Return where an array's memory begins."""
    return array.__array_interface__["data"][0]


def native(array: Array) -> Array:
    """Return an array in the byte order of the machine."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def spans(
    arrays: Sequence[Array], written: Container[int], names: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Return where the written arrays begin and end in memory, in order.

    Raises ArgumentError if one shares memory with another captured array: the program reads and
    writes them as if they were apart.
    """
    found = [(*np.lib.array_utils.byte_bounds(each), i) for i, each in enumerate(arrays) if each.size]
    found.sort()
    end, last = 0, -1  # the furthest end so far, and whose it is
    for low, high, place in found:
        if low < end and (place in written or last in written):
            if np.shares_memory(arrays[place], arrays[last]):
                raise ArgumentError(
                    f"{names[last]} and {names[place]} share memory, and one of them is changed in place",
                    hint="use one tensor in both places, or give one of them a copy of its own",
                )
        if high > end:
            end, last = high, place
    kept = [(low, high) for low, high, place in found if place in written]
    return [low for low, _ in kept], [high for _, high in kept]


def _usable(array: Array) -> bool:
    flags = array.flags
    return array.__class__ is np.ndarray and flags.c_contiguous and flags.aligned and array.dtype.isnative
