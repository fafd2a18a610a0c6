"""The machine's peak: a loop of fused multiply-adds that touches no memory, compiled by ourselves.

Twelve independent vectors hide the latency of the multiply-add on every processor of today, and
leave registers free. Every thread runs the same loop, some milliseconds long: calling threads takes time too.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.target import Target, target

VECTORS, TURNS = 12, 2_000_000


class Loop:
    """A loop of multiply-adds; `flops` are those of a call."""

    def __init__(self, threads: int) -> None:
        self.target = target()
        library = Library(str(_module(self.target)), self.target)
        self.pool = ThreadPoolExecutor(threads)
        self.buffers = [np.full(64, 0.5, np.float32) for _ in range(threads)]
        self.addresses = [buffer.ctypes.data for buffer in self.buffers]
        self.run = library.function("peak", ctypes.CFUNCTYPE(None, ctypes.c_void_p))
        self.flops = 2 * VECTORS * TURNS * self.target.lanes(np.float32) * threads

    def fma(self) -> int:
        """Run the loop once in every thread; return the flops."""
        for _ in self.pool.map(self.run, self.addresses):
            pass
        return self.flops


def _module(target: Target) -> ir.Module:
    """Return `void peak(ptr numbers)`: x = x * numbers[0] + numbers[1], over and over."""
    module = ir.Module(target.triple)
    code = Code(ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), "peak"), target)
    numbers, lanes = code.function.args[0], target.lanes(np.float32)
    factor, term = (code.splat(code.load(numbers, i, np.float32), lanes) for i in range(2))
    places = [code.variable(term) for _ in range(VECTORS)]
    with code.loop(0, ir.Constant(INDEX, TURNS)):
        for place in places:
            code.set(place, code.fma(code.get(place), factor, term))
    total = code.get(places[0])
    for place in places[1:]:
        total = code.builder.fadd(total, code.get(place))
    code.store(total, numbers, 16, np.float32)
    code.finish()
    return module
