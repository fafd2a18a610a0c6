"""Rows: the two kernels that an epoch has and a step has not.

`Gather` brings the rows of a batch together, in an order that is given; `Record` keeps the loss of
an iteration. Both copy bytes and know nothing of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.target import Target
from chainrule.core.memory import LINE

_BEGINNING = 2048  # bytes of the next row that are asked for meanwhile; what follows, caches foresee


@dataclass(frozen=True)
class Gather:
    """destination[i] = source[order[i]] for `rows` rows of `width` bytes.

    Operands: source, order (int64, each a row of the source: not checked), destination.
    """

    rows: int
    width: int

    name = "gather"
    scratch = 0
    flops = 0

    @property
    def parts(self) -> int:
        """One a row."""
        return self.rows

    @property
    def bytes(self) -> int:
        """Each row read and written, and its number read."""
        return self.rows * (2 * self.width + 8)

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill `void f(ptr source, ptr order, ptr destination, ptr scratch, i64 lo, i64 hi)`."""
        code = Code(function, target)
        source, order, destination, _, low, high = function.args
        last = code.builder.sub(high, constant(1))

        def at(pointer: ir.Value, row: ir.Value) -> ir.Value:
            return code.at(pointer, code.builder.mul(row, constant(self.width)), np.int8)

        with code.loop(low, high, name="row") as row:
            after = code.call("llvm.smin", [code.builder.add(row, constant(1)), last])
            chosen, then = (at(source, code.load(order, each, np.int64)) for each in (row, after))
            for line in range(0, min(self.width, _BEGINNING), LINE):
                code.prefetch(then, line, np.int8)
            _copy(code, at(destination, row), chosen, self.width)
        code.finish()


@dataclass(frozen=True)
class Record:
    """destination = source, `width` bytes. Operands: source, destination (a place that steps)."""

    width: int

    name = "record"
    parts = 1
    scratch = 0
    flops = 0

    @property
    def bytes(self) -> int:
        """Read and written."""
        return 2 * self.width

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill `void f(ptr source, ptr destination, ptr scratch, i64 lo, i64 hi)`."""
        code = Code(function, target)
        source, destination, _, low, high = function.args
        with code.loop(low, high, name="once"):
            _copy(code, destination, source, self.width)
        code.finish()


def _copy(code: Code, to: ir.Value, source: ir.Value, size: int) -> None:
    kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, INDEX, ir.BIT])
    name = "llvm.memcpy.p0.p0.i64"
    function = code.module.declared(name, kind)
    code.builder.call(function, [to, source, constant(size), ir.Constant(ir.BIT, 0)])
