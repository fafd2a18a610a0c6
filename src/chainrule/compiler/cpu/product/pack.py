"""Copies of lines of a matrix into a panel, so that each step of a sum reads one short run.

A panel is `[depth, width]`: one number of each line (a row of the left, a column of the right) for
every step of the sum. Lines that only fill up a panel repeat the last one: their numbers are
computed with, and never stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.product.plan import vectors
from chainrule.compiler.cpu.transpose import shuffled, transposed


@dataclass(frozen=True)
class Panel:
    """Where a panel begins, and the numbers from one of its steps to the next."""

    start: ir.Value
    width: int

    def behind(self, code: Code, lines: Any, of: Lines) -> Panel:
        """Return the panel from some lines on."""
        return Panel(code.at(self.start, lines, of.dtype), self.width)


@dataclass(frozen=True)
class Lines:
    """Lines in memory: strides from line to line and from step to step, and the steps."""

    line: int
    step: int
    depth: int | ir.Value
    dtype: str
    lanes: int


def pack(code: Code, lines: Lines, source: ir.Value, count: int, panel: Panel) -> None:
    """Write the copying of `count` lines into a panel; the panel is `panel_width(count)` wide, or wider."""
    if lines.line == 1:
        _copy(code, lines, source, count, panel)
        return
    packed = isinstance(lines.depth, int) and lines.step == 1 and lines.line == lines.depth
    if packed and 1 < count <= lines.lanes and 0 < count * lines.line <= 2 * lines.lanes:
        _deal(code, lines, source, count, panel)
        return
    first, lanes, valid = vectors(count, lines.lanes)[-1]
    if first:
        with code.loop(0, first, lines.lanes, "line") as line:
            here, there = _from(code, lines, source, line), panel.behind(code, line, lines)
            _block(code, lines, here, (lines.lanes, lines.lanes), there)
    _block(code, lines, _from(code, lines, source, first), (valid, lanes), panel.behind(code, first, lines))


def _from(code: Code, lines: Lines, source: ir.Value, line: Any) -> ir.Value:
    """Return the address of a line."""
    return code.at(source, code.builder.mul(code.index(line), constant(lines.line)), lines.dtype)


def _deal(code: Code, lines: Lines, source: ir.Value, count: int, panel: Panel) -> None:
    """Copy a few short lines that lie one behind the other, by way of two registers."""
    size = 1 << (count - 1).bit_length()
    found = code.load(source, 0, lines.dtype, count * lines.line)
    for step in range(lines.line):
        picks = [min(line, count - 1) * lines.line + step for line in range(size)]
        code.store(shuffled(code, found, found, picks), panel.start, step * panel.width, lines.dtype)


def _block(code: Code, lines: Lines, source: ir.Value, filled: tuple[int, int], panel: Panel) -> None:
    """Copy (some lines, filled up to so many): squares in registers, other steps one by one."""
    size, depth = filled[1], lines.depth
    if lines.step != 1 or size == 1:
        _gather(code, lines, source, filled, panel, start=0)
    elif isinstance(depth, int) and depth < size:
        _square(code, lines, (source, panel), filled, depth)
    else:
        known = isinstance(depth, int)
        whole: Any = depth // size * size if known else code.builder.and_(depth, constant(-size))
        function = _transposer(code, lines, filled, panel.width)
        code.builder.call(function, [source, panel.start, code.index(whole)])
        if not known:
            _gather(code, lines, source, filled, panel, start=whole)
        elif whole < depth:  # one more square, over the last
            start = depth - size
            there = code.at(panel.start, start * panel.width, lines.dtype)
            code.builder.call(function, [code.at(source, start, lines.dtype), there, constant(size)])


def _square(
    code: Code, lines: Lines, between: tuple[ir.Value, Panel], filled: tuple[int, int], steps: int
) -> None:
    """Copy some steps, at most as many as lines are filled up to, by way of registers."""
    (source, panel), (count, size) = between, filled
    mask = first_lanes(steps, size)
    found = [code.load_masked(source, line * lines.line, lines.dtype, size, mask) for line in range(count)]
    for index, value in enumerate(transposed(code, found + found[-1:] * (size - count))[:steps]):
        code.store(value, panel.start, index * panel.width, lines.dtype)


def _copy(code: Code, lines: Lines, source: ir.Value, count: int, panel: Panel) -> None:
    """Copy neighbouring lines, step by step."""
    with code.loop(0, lines.depth, name="step") as step:
        here = code.builder.mul(step, constant(lines.step))
        there = code.builder.mul(step, constant(panel.width))
        for first, lanes, valid in vectors(count, lines.lanes):
            place = code.builder.add(here, constant(first))
            value = code.load_masked(source, place, lines.dtype, lanes, first_lanes(valid, lanes))
            code.store(value, panel.start, code.builder.add(there, constant(first)), lines.dtype)


def _gather(
    code: Code,
    lines: Lines,
    source: ir.Value,
    filled: tuple[int, int],
    panel: Panel,
    *,
    start: int | ir.Value,
) -> None:
    """Copy number by number, from step `start` on."""
    count, size = filled
    with code.loop(start, lines.depth, name="step") as step, code.loop(0, size, name="line") as line:
        known = line if size == count else code.call("llvm.smin", [line, constant(count - 1)])
        here = code.builder.add(
            code.builder.mul(known, constant(lines.line)), code.builder.mul(step, constant(lines.step))
        )
        there = code.builder.add(code.builder.mul(step, constant(panel.width)), line)
        code.store(code.load(source, here, lines.dtype), panel.start, there, lines.dtype)


def _transposer(code: Code, lines: Lines, filled: tuple[int, int], width: int) -> ir.Function:
    """Return `void f(ptr source, ptr panel, i64 steps)`: count lines, filled up to squares, up to a step."""
    count, size = filled
    name = f"{code.function.name}.transpose{count}.{size}.{lines.line}.{width}"
    known = code.module.globals.get(name)
    if known is not None:
        return known
    kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, INDEX])
    function = ir.Function(code.module, kind, name, internal=True, inline=False)
    inner = Code(function, code.target)
    source, panel, steps = function.args
    with inner.loop(0, steps, size, "step") as step:
        here = inner.at(source, step, lines.dtype)
        there = inner.at(panel, inner.builder.mul(step, constant(width)), lines.dtype)
        _square(inner, lines, (here, Panel(there, width)), filled, size)
    inner.finish()
    return function


def first_lanes(valid: int, lanes: int) -> ir.Constant | None:
    """Return the mask of the first `valid` lanes, None where that is all."""
    bits = [int(lane < valid) for lane in range(lanes)]
    return None if valid == lanes else ir.Constant(ir.VectorType(ir.BIT, lanes), bits)


def panel_width(count: int, lanes: int) -> int:
    """Return the numbers of a panel's step that hold some lines in whole vectors."""
    first, last, _ = vectors(count, lanes)[-1]
    return first + last
