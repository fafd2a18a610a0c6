"""Small kernels of a known meaning, for the tests of what runs kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.target import Target


@dataclass(frozen=True)
class Scale:
    """y = x * by + 1, `chunk` numbers a part; `size` is a multiple of it. Operands: x, y."""

    size: int
    by: float
    chunk: int = 1
    claim: int = 0  # bytes that it says it moves, so that threads share it

    name = "scale"
    scratch = 0

    @property
    def parts(self) -> int:
        return self.size // self.chunk

    @property
    def flops(self) -> int:
        return 2 * self.size

    @property
    def bytes(self) -> int:
        return self.claim or 8 * self.size

    def emit(self, function: ir.Function, target: Target) -> None:
        code = Code(function, target)
        x, y, _, low, high = function.args
        real = ir.FloatType()
        start, stop = (code.builder.mul(each, code.index(self.chunk)) for each in (low, high))
        with code.loop(start, stop) as i:
            product = code.builder.fmul(code.load(x, i, np.float32), real(self.by))
            code.store(code.builder.fadd(product, real(1.0)), y, i, np.float32)
        code.finish()


@dataclass(frozen=True)
class Turn:
    """y = x backwards, by way of the scratch. Operands: x, y. A part reads what all others wrote."""

    size: int
    claim: int = 0

    name = "turn"
    flops = 0

    @property
    def parts(self) -> int:
        return self.size

    @property
    def scratch(self) -> int:
        return 4 * self.size

    @property
    def bytes(self) -> int:
        return self.claim or 8 * self.size

    def emit(self, function: ir.Function, target: Target) -> None:
        code = Code(function, target)
        x, y, scratch, low, high = function.args
        with code.loop(low, high) as i:
            mirrored = code.builder.sub(code.index(self.size - 1), i)
            code.store(code.load(x, mirrored, np.float32), scratch, i, np.float32)
        with code.loop(low, high) as i:
            code.store(code.load(scratch, i, np.float32), y, i, np.float32)
        code.finish()
