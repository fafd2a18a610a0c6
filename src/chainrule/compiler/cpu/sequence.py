"""Sequence: a schedule written as one function of LLVM IR, and again as one for several threads.

Both run their calls in order, once an iteration; those behind a gate only while no flag is up.
`alone` does every part itself and never waits; `together` is run by each thread of a team, which
takes its share of the parts. The kernels are named only: their code is elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import reduce

import numpy as np

from chainrule.compiler.cpu import entry, ir, meeting
from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.kernel import signature
from chainrule.compiler.cpu.schedule import Call, Place, Schedule
from chainrule.compiler.cpu.target import Target

HEADER = 64  # bytes before the working space, where the number of iterations done is left
ALONE = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, INDEX, INDEX])
TOGETHER = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, *[INDEX] * 4, POINTER])


def text(plan: Schedule, names: Sequence[str], scratch: int, target: Target) -> str:
    """Return a module with `alone`, Python's entry to it and, where there is work to share, `together`.

    `names` are the kernels' functions, one a call; `scratch` is the working space of one thread in
    bytes. Arguments: table, room, first and last iteration; then thread, threads and the team.
    """
    module = ir.Module(target.triple)
    alone = ir.Function(module, ALONE, "alone")
    _Writer(alone, plan, names, target).write(scratch)
    entry.write(alone, target)
    if any(call.shared for call in plan.calls):
        _Writer(ir.Function(module, TOGETHER, "together"), plan, names, target).write(scratch)
    return str(module)


class _Writer:
    """Writes one of the two functions; alone, `thread` is None."""

    def __init__(self, function: ir.Function, plan: Schedule, names: Sequence[str], target: Target) -> None:
        self.code, self.plan, self.names = Code(function, target), plan, names
        self.table, self.room, self.first, self.last, *shared = function.args
        self.thread, self.threads, self.team = shared or (None, None, None)
        self.fixed: dict[tuple[int, int], ir.Value] = {}

    def write(self, scratch: int) -> None:
        """Write the whole function."""
        code, builder = self.code, self.code.builder
        self.scratch = code.at(self.room, HEADER, np.int8)
        if self.thread is not None:
            self.first_thread = builder.icmp_signed("==", self.thread, constant(0))
            self.meet = meeting.barrier(code.module, code.target)
            self.scratch = code.at(self.scratch, builder.mul(self.thread, constant(scratch)), np.int8)
        self._fix()
        with code.loop(self.first, self.last, name="iteration") as iteration:
            with ExitStack() as unless:
                for number, (call, wait, name) in enumerate(
                    zip(self.plan.calls, self.plan.waits, self.names, strict=True)
                ):
                    if self.plan.gate is not None and number == self.plan.gate.before:
                        self._meet()
                        unless.enter_context(code.only_if(self._down(self.plan.gate.flags)))
                    self._call(call, wait, name, iteration)
            self._meet()
        code.store(self.last, self.room, 0, np.int64)
        code.finish()

    def _fix(self) -> None:
        """Write the addresses of all places in the first iteration."""
        code, bases = self.code, dict[int, ir.Value]()
        gate = [self.plan.gate.flags] if self.plan.gate else []
        for place in (*gate, *(place for call in self.plan.calls for place in call.operands)):
            base, offset = place.base, place.offset
            if base not in bases:
                bases[base] = code.builder.load(code.at(self.table, base, np.int64), POINTER)
            if (base, offset) not in self.fixed:
                self.fixed[base, offset] = code.at(bases[base], offset, np.int8) if offset else bases[base]

    def _down(self, flags: Place) -> ir.Value:
        """Tell whether no flag is up."""
        code, start = self.code, self.fixed[flags.base, flags.offset]
        found = [code.load(start, place, np.int8) for place in range(flags.size)]
        up = reduce(code.builder.or_, found)
        return code.builder.icmp_unsigned("==", up, ir.Constant(up.type, 0))

    def _call(self, call: Call, wait: bool, name: str, iteration: ir.Value) -> None:
        parts = constant(call.parts)
        if self.thread is None:
            self._run(call, name, iteration, constant(0), parts)
            return
        if wait:
            self._meet()
        if call.shared:
            self._run(call, name, iteration, *self._share(parts))
        else:
            with self.code.only_if(self.first_thread):
                self._run(call, name, iteration, constant(0), parts)

    def _share(self, parts: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Return the range of parts that is this thread's."""
        builder = self.code.builder
        ends = self.thread, builder.add(self.thread, constant(1))
        low, high = (builder.udiv(builder.mul(parts, each), self.threads) for each in ends)
        return low, high

    def _run(self, call: Call, name: str, iteration: ir.Value, low: ir.Value, high: ir.Value) -> None:
        function = self.code.module.declared(name, signature(len(call.operands)))
        operands = [self._address(place, iteration) for place in call.operands]
        self.code.builder.call(function, [*operands, self.scratch, low, high])

    def _address(self, place: Place, iteration: ir.Value) -> ir.Value:
        start = self.fixed[place.base, place.offset]
        if not place.step:
            return start
        return self.code.at(start, self.code.builder.mul(iteration, constant(place.step)), np.int8)

    def _meet(self) -> None:
        if self.thread is not None:
            self.code.builder.call(self.meet, [self.team, self.threads])
