"""Step: a program as native code, with the memory that it works in.

It gives every buffer an address: arguments, captured arrays and results are NumPy's own memory, all
else is one block. What Python must do first (numbers to read anew, calls back, the states of random
streams) is done before the native call, in the order of the program.
"""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule import errors
from chainrule.compiler.addresses import Spans, address, located
from chainrule.compiler.cpu.ahead import asking
from chainrule.compiler.cpu.chunks import chunks
from chainrule.compiler.cpu.epilogue import Epilogue
from chainrule.compiler.cpu.kernel import Kernel
from chainrule.compiler.cpu.loops import Loops
from chainrule.compiler.cpu.making import made, making
from chainrule.compiler.cpu.native import Native, Room
from chainrule.compiler.cpu.rows import Gather, Record
from chainrule.compiler.cpu.schedule import Call, Gate, Place
from chainrule.compiler.cpu.target import target
from chainrule.compiler.fixed import Fixed, is_small
from chainrule.compiler.identity import identity
from chainrule.compiler.listing import Work
from chainrule.compiler.nests.agenda import Item
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.lower import Lowering
from chainrule.compiler.nests.memory import arranged
from chainrule.compiler.nests.nest import Nest
from chainrule.compiler.nests.outside import Outside
from chainrule.compiler.outline import Outline, kept
from chainrule.compiler.passes import without_copies
from chainrule.compiler.results import Found, Results
from chainrule.compiler.turns import Turns
from chainrule.core.memory import empty
from chainrule.core.program import Program
from chainrule.core.spec import Array
from chainrule.errors import ArgumentError


class Step:
    """The native form of a program: `run(arguments, captured)` returns the results.

    Small ones among the results `later` are not made into arrays: a copy of their memory is returned.
    """

    def __init__(self, program: Program, later: range = range(0)) -> None:
        self.program = without_copies(program)
        self.outside = outside = Outside(self.program)
        self._constants = outside.arrays()
        self._base = self._bases()
        with making:
            outline = kept(identity(self.program, outside), target(), self._kernel_of, self._outlined)
        self._calls, self._reports, self.block_bytes = outline.calls, outline.flags, outline.memory
        self._checks = outline.checks
        self._block = empty((max(self.block_bytes, 1),), np.uint8)
        self._states = np.zeros((len(outside.streams), 3), np.uint64)
        self._numbers = (ctypes.c_double * max(outside.slots, 1))()
        self._last = np.ones(1, np.int64)  # one run by itself is the last one
        self._flags = bytearray(max(len(self._reports), 1))
        self._table = (ctypes.c_void_p * self._base["end"])()
        self._fill_fixed()
        self._arguments = [value.spec for value in program.arguments]
        small = {place: spec for place, spec in enumerate(self._arguments) if is_small(spec)}
        rooms = Fixed(small, self._table).views()
        self._rooms = [rooms.get(place) for place in range(len(self._arguments))]
        specs = [value.spec for value in program.results]
        self.results = Results(specs, later, self._table, self._base["result"])
        first = self._base["captured"]
        touched = {call.operands[place].base - first for call in self._calls for place in call.writes}
        self.written = sorted(touched & set(range(len(program.captured))))
        self.direct = False  # whether the last run used the captured arrays' own memory throughout
        self._held: list[Any] = [None] * len(self._table)
        self._spans: Spans | None = None  # of the written arrays, once they are held
        self._names = [value.name or f"captured array {i}" for i, value in enumerate(program.captured)]
        self._running = Turns(program.name, self._held)  # the table and the memory serve one run at a time
        self._prepares = bool(outside.actions or outside.streams)
        self._batch: list[Array] = []
        self._loss_bytes = specs[0].dtype.itemsize if specs else 0

    def _bases(self) -> dict[str, int]:
        """Return where in the table the addresses of each role begin."""
        program, outside = self.program, self.outside
        counts = {
            "argument": len(program.arguments), "captured": len(program.captured),
            "constant": len(outside.constants), "result": len(program.results),
            "stream": len(outside.streams), "flag": 1, "setting": 1, "inner": 1,
            "source": len(program.arguments), "order": 1, "losses": 1, "last": 1,
        }  # fmt: skip
        return dict(zip((*counts, "end"), itertools.accumulate(counts.values(), initial=0), strict=True))

    @made
    def lowered(self) -> tuple[list[Work], list[tuple[str, str]], int]:
        """The work, the errors of the flags, and the number of checks: unless the code was made before."""
        found = Lowering(self.program, self.outside)  # terms are shared while a program is lowered
        return [self._kernel(item) for item in found.agenda.items], found.flags, found.checks

    @property
    def work(self) -> list[Work]:
        """Every kernel with its operands, and which of them it writes."""
        return self.lowered[0]

    def _kernel_of(self, call: int) -> Kernel:
        return self.work[call][0]

    def _outlined(self) -> Outline:
        work, flags, checks = self.lowered
        offsets, size = arranged([buffers for _, buffers, _ in work])
        calls = [
            Call(kernel, tuple(self._place(each, offsets) for each in buffers), writes)
            for kernel, buffers, writes in work
        ]
        return Outline.of(calls, size, flags, checks)

    def _gate(self, before: int) -> Gate | None:
        """Return what skips all calls but the checks, and those before them, once a flag is up."""
        flags = Place(self._base["flag"], size=len(self._flags))
        return Gate(before + self._checks, flags) if self._checks else None

    @made
    def native(self) -> Native:
        """The program, once."""
        return Native(self._calls, target(), self._gate(0))

    @made
    def _sooner(self) -> Native | None:
        """The checks by themselves, where Python is called back in a run: that cannot be undone.

        None where nothing is called back, or where the checks need what is read or drawn in between.
        """
        checks, base = self._calls[: self._checks], self._base
        later = {*range(base["stream"], base["flag"]), *range(base["setting"], base["inner"])}
        needs = any(place.base in later for call in checks for place in call.operands)
        return Native(checks, target()) if checks and not self.alone and not needs else None

    @made
    def _room(self) -> Room:
        return self.native.room()

    @made
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
        size = self._loss_bytes
        kept = (Place(base["result"], size=size), Place(base["losses"], step=size))
        inner = [each.moved(base["last"], 8) for each in asking(self._calls, gathers)]
        calls = [*gathers, *inner, Call(Record(size), kept, (1,))]
        return Native(calls, target(), self._gate(len(gathers)))

    # ---- making ----------------------------------------------------------------------------------
    def _kernel(self, item: Item) -> Work:
        """Return the kernel of an item, its operands and which of them it writes."""
        if item.stores and item.work is None:
            nest = Nest.of(item.variables, item.stores, item.serial)
            return Loops(nest), list(nest.buffers), nest.written
        if any(each.buffer is not item.written[0] for each in item.stores):  # more than a product's result
            nest, first = Nest.as_given(item.variables, item.stores), len(item.operands)
            writes = tuple(first + place for place in nest.written)
            return replace(item.work, finish=Epilogue(nest)), [*item.operands, *nest.buffers], writes
        buffers = [*item.operands, *(each.buffer for each in item.stores)]
        writes = tuple(place for place, each in enumerate(buffers) if each in item.written)
        return item.work, buffers, writes

    def _place(self, buffer: Buffer, offsets: dict[Buffer, int]) -> Place:
        base: int = self._base[buffer.role]
        if buffer.role == "inner":
            return Place(base, offsets[buffer], size=buffer.bytes)
        if buffer.role in ("setting", "flag"):
            return Place(base, buffer.place * buffer.bytes, size=buffer.bytes)
        return Place(base + buffer.place, size=buffer.bytes)

    def _fill_fixed(self) -> None:
        table, base = self._table, self._base
        for place, array in enumerate(self._constants):
            table[base["constant"] + place] = address(array)
        for place in range(len(self._states)):
            table[base["stream"] + place] = address(self._states) + 24 * place
        table[base["flag"]] = address(self._flags)
        table[base["setting"]] = ctypes.addressof(self._numbers)
        table[base["inner"]] = address(self._block)
        table[base["last"]] = address(self._last)

    # ---- running ---------------------------------------------------------------------------------
    def run(self, arguments: Sequence[Array], captured: Sequence[Array]) -> Found:
        """Compute the results; captured arrays that the program writes are changed in place.

        Raises IndexRangeError for integers that are no places of what they look into, ArgumentError for
        integers to negative powers and where captured arrays cannot be written or share memory. Captured
        arrays have not changed by then, unless such an integer was itself computed from what the program
        changes. Raises TraceError where a run of this step in the same thread has not ended.
        """
        with self._running:
            back = self._hold_captured(captured)
            self._hold_arguments(arguments)
            if self._prepares:
                self._prepare()
            results = self.results.prepare()
            self.native.run(self._table)
            if self.outside.streams:
                self.after()
            for array, staged in back:
                np.copyto(array, staged)
            self._refuse_flagged()
            return self.results.take(results)

    def written_out(self, names: dict[str, Any]) -> list[str]:
        """Return the lines of Python that `run` amounts to, for `found`, on arguments a0, a1, ...

        Captured arrays are those of the last run, which must have been `direct`. What the lines need is
        added to `names`.
        """
        once = self.native.once(self._table, self._room)
        turns = self._running
        names |= {"step": self, "running": turns.lock, "mine": turns.mine, "refuse": turns.refuse}
        names |= {"once": once, "flags": self._flags, "results": self.results, "copy": np.ndarray.copy}
        lines = ["if mine():", "    refuse()", "with running:"]
        for place, room in enumerate(self._rooms):
            if room is not None:
                names[f"room{place}"] = room
                lines.append(f"    room{place}[...] = a{place}")
            else:
                lines += [
                    f"    if step._held[{place}] is not a{place}:",
                    f"        step._hold_read({place}, a{place})",
                ]
        lines += ["    step._prepare()"] * self._prepares
        views = self.results.copied
        lines += ["    prepared = results.prepare()"] * (views is None)
        lines += ["    once()"]
        lines += ["    step.after()"] * bool(self.outside.streams)
        lines += ["    if 1 in flags:", "        step._refuse_flagged()"]
        if views is None:
            return [*lines, "    found = results.take(prepared)"]
        names |= {f"view{place}": view for place, view in enumerate(views)}
        copies = ", ".join(f"copy(view{place})" for place in range(len(views)))
        return [*lines, f"    found = [{copies}], None"]

    def _prepare(self) -> None:
        """Do what comes before the native call."""
        if self._sooner is not None:
            self._sooner.run(self._table)
            self._refuse_flagged()
        self.before()

    def _refuse_flagged(self) -> None:
        """Raise what a flag stands for, if one is up."""
        if 1 not in self._flags:
            return
        place = self._flags.find(1)
        self._flags[:] = bytes(len(self._flags))
        kind, text = self._reports[place]
        raise getattr(errors, kind)(text)

    def epoch(
        self, sources: Sequence[Array], order: Array, captured: Sequence[Array], losses: Array,
        report: Callable[[int], None] | None = None,
    ) -> Found:  # fmt: skip
        """Run once for each of `losses`, on the next rows of `order`; return the last results.

        `losses` gets the first result of every iteration. Ctrl-C raises between two iterations.
        Raises TraceError where a run of this step in the same thread has not ended.
        """
        with self._running:
            back = self._hold_captured(captured)
            if not self._batch:
                self._batch = [empty(spec.shape, spec.dtype) for spec in self._arguments]
            self._hold_arguments(self._batch)
            for place, source in enumerate(sources, self._base["source"]):
                self._hold_read(place, source)
            after = order[: len(self._batch[0])]  # the last batch asks for one after it, too
            self._hold_read(self._base["order"], np.concatenate([order, after]))
            self._hold(self._base["losses"], losses)
            last = np.zeros(len(losses), np.int64)
            last[-1:] = 1
            self.before()
            results = self.results.prepare()
            self._table[self._base["last"]] = address(last)
            try:
                chunks(self.looped, self._table, len(losses), report)
            finally:
                self._table[self._base["last"]] = address(self._last)
                self.after()
                for array, staged in back:
                    np.copyto(array, staged)
            self._refuse_flagged()
            return self.results.take(results)

    def before(self) -> None:
        """Do what the program wants of Python: read numbers, call back, look up random states."""
        for action in self.outside.actions:
            if type(action) is tuple:
                slot, owner, key, place = action
                self._numbers[slot] = owner[key] if place is None else owner[key][place]
            else:
                action()
        for place, stream in enumerate(self.outside.streams):
            self._states[place] = stream.state

    @property
    def alone(self) -> bool:
        """Tell whether Python has nothing to do between two runs but to read numbers."""
        return all(isinstance(action, tuple) for action in self.outside.actions)

    def after(self) -> None:
        """Move the random streams on."""
        for place, stream in enumerate(self.outside.streams):
            stream.counter = int(self._states[place, 2])

    def _hold(self, place: int, array: Array) -> Array:
        """Put the address of an array into the table, or of a copy where it cannot be used as it is."""
        found, self._table[place] = located(array)
        self._held[place] = array if found is array else (array, found)
        return found

    def _hold_arguments(self, arrays: Sequence[Array]) -> None:
        """Copy small arguments to where they are read; hold the others."""
        for place, room in enumerate(self._rooms):
            array = arrays[place]
            if room is not None:
                room[...] = array
            elif self._held[place] is not array:
                self._hold_read(place, array)

    def _hold_read(self, place: int, array: Array) -> None:
        """Hold an array that is only read: as it is now, should it share memory with written ones."""
        found = self._hold(place, array)
        if self._spans is not None and self._spans.meet(self._table[place] or 0, found.nbytes):
            self._hold(place, array.copy())

    def _hold_captured(self, arrays: Sequence[Array]) -> list[tuple[Array, Array]]:
        start = self._base["captured"]
        back: list[tuple[Array, Array]] = []
        for place, array in enumerate(arrays):
            if self._held[start + place] is array:
                continue
            self._spans = None
            if place in self.written and not array.flags.writeable:
                raise ArgumentError(f"{self._names[place]} is changed in place, but its array is read-only")
            found = self._hold(start + place, array)
            if found is not array and place in self.written:
                back.append((array, found))
        if self._spans is None:
            self._spans = Spans(arrays, self.written, self._names)
            end = start + len(arrays)  # what is only read may share memory with what is new
            self._held[:] = [None] * start + self._held[start:end] + [None] * (len(self._held) - end)
        self.direct = all(self._held[start + place] is array for place, array in enumerate(arrays))
        return back
