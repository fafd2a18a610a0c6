"""Meeting: how threads that run native code wait for each other, in LLVM IR.

A team shares a block of memory, one word a line of the cache, so that threads do not slow each
other by neighbouring words. Whoever waits spins for a time that the block tells, and then gives
the processor away. What the threads compute is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.target import Target

WORD = ir.I32
LINE = 128  # bytes; processors fetch lines of 64 in pairs
# The lines of the block: words that threads change, then what they are told.
TURN, SLEEPERS, RUNNING, ARRIVED, PHASE, JOB, MEANS = range(7)
SIZE = 7 * LINE
# The i64 of the line MEANS: how many spins, and functions of the system.
PATIENCE, YIELD, SLEEP, WHERE, ALLOWED, ALLOW = range(6)


class Meeting(Code):
    """Code over a team's block."""

    def __init__(self, function: ir.Function, target: Target, team: ir.Value) -> None:
        super().__init__(function, target)
        self.team = team

    def word(self, line: int) -> ir.Value:
        """Return the address of a line's word."""
        return self.at(self.team, line * LINE, np.int8)

    def look(self, line: int) -> ir.Value:
        """Read a word, and thereby see all that was written before it."""
        return self.builder.load_atomic(self.word(line), "acquire", 4, WORD)

    def change(self, line: int, by: int) -> ir.Value:
        """Add to a word, in an order that all threads agree on; return what it was."""
        return self.builder.atomic_rmw("add", self.word(line), WORD(by), "seq_cst")

    def put(self, line: int, value: ir.Value) -> None:
        """Write a word, after all that was written before it."""
        self.builder.atomic_rmw("xchg", self.word(line), value, "seq_cst")

    def told(self, line: int, item: int, kind: ir.Type = INDEX) -> ir.Value:
        """Read one of the eight-byte items of a line."""
        place = self.at(self.team, line * LINE + 8 * item, np.int8)
        return self.builder.load(place, kind, 8)

    def tell(self, line: int, item: int, value: ir.Value) -> None:
        """Write one of the eight-byte items of a line."""
        self.builder.store(value, self.at(self.team, line * LINE + 8 * item, np.int8), 8)

    def wait(self, busy: Callable[[], ir.Value], patience: ir.Value, tired: Callable[[], None]) -> None:
        """Spin while busy; from `patience` spins on do what is to be done when tired, too."""
        spins = self.variable(constant(0))
        with self.as_long_as(busy):
            self.pause()
            self.set(spins, self.builder.add(self.get(spins), constant(1)))
            with self.only_if(self.builder.icmp_signed(">", self.get(spins), patience)):
                tired()

    def pause(self) -> None:
        """Let the processor know that it spins."""
        arm = ("llvm.aarch64.isb", [WORD(15)])  # longer than `yield`, which does nothing on most
        known = {"x86_64": ("llvm.x86.sse2.pause", []), "aarch64": arm, "arm64": arm}
        name, args = known.get(self.target.triple.partition("-")[0], ("", []))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [each.type for each in args])
            self.builder.call(self.module.declared(name, kind), args)

    def step_aside(self) -> None:
        """Give the processor to another thread."""
        self.call_at(self.told(MEANS, YIELD, POINTER), ir.FunctionType(WORD, []), [])

    def call_at(self, pointer: ir.Value, kind: ir.FunctionType, args: Sequence[ir.Value]) -> ir.Value:
        """Call the function of a kind that a pointer leads to."""
        return self.builder.call_at(pointer, kind, args)


def barrier(module: ir.Module, target: Target) -> ir.Function:
    """Write `void meet(ptr team, i64 threads)` into a module: nobody goes on before all have come."""
    kind = ir.FunctionType(ir.VoidType(), [POINTER, INDEX])
    function = ir.Function(module, kind, "meet", internal=True, inline=False)
    team, threads = function.args
    code = Meeting(function, target, team)
    builder = code.builder
    phase = code.look(PHASE)
    others = builder.trunc(builder.sub(threads, constant(1)), WORD)
    last = builder.icmp_signed("==", code.change(ARRIVED, 1), others)
    with code.only_if(last):
        code.put(ARRIVED, WORD(0))
        code.put(PHASE, builder.add(phase, WORD(1)))
    with code.only_if(builder.not_(last)):
        patience = builder.ashr(code.told(MEANS, PATIENCE), constant(3))
        code.wait(lambda: builder.icmp_signed("==", code.look(PHASE), phase), patience, code.step_aside)
    code.finish()
    return function
