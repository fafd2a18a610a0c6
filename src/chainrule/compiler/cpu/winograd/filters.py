"""Filters: weights at all points, in the order in which tiles are multiplied by them.

They are computed once a step, before the tiles of all images. Results come in panels: what is
multiplied at once stays in the second cache. How tiles are multiplied is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES, Piece
from chainrule.compiler.cpu.convolution.writer import Writer
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.cpu.winograd.passes import Tile
from chainrule.compiler.cpu.winograd.transform import both_ways

PANEL = 32  # results whose filters lie together


def panels(result: int, block: int) -> list[Piece]:
    """Return the panels of so many results; the last one is filled up to whole blocks."""
    full, rest = divmod(result, PANEL)
    pieces = Piece(0, full, PANEL), Piece(full * PANEL, int(rest > 0), -(-rest // block) * block)
    return [piece for piece in pieces if piece.count]


@dataclass(frozen=True)
class Filters:
    """From weights (o, c, kh, kw) to points: operands weight, panels of (points, rows, c, some of o).

    Or, `backward`, of (points, rows, o, some of c) with taps turned around: what the gradient of the
    input slides over the gradient of the output. `rows` of taps are summed one by one, by the tile.
    """

    o: int
    c: int
    tile: Tile
    dtype: str
    backward: bool

    name = "filters"

    @property
    def source(self) -> int:
        """Channels that the products sum over."""
        return self.o if self.backward else self.c

    @property
    def result(self) -> int:
        """Channels of the results."""
        return self.c if self.backward else self.o

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of what is written: results with those that fill up, and what each has."""
        last = panels(self.result, self.block)[-1]
        return last.start + last.count * last.width, self.tile.points * self.tile.rows * self.source

    @property
    def block(self) -> int:
        """Numbers of a block."""
        return BLOCK_BYTES // np.dtype(self.dtype).itemsize

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.source

    @property
    def scratch(self) -> int:
        """Bytes of working space: the taps of as many filters as there are lanes."""
        return self.window * BLOCK_BYTES

    @property
    def flops(self) -> int:
        """Additions and multiplications."""
        return 2 * self.tile.points * self.tile.rows * self.o * self.c

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        each = self.tile.points * self.tile.rows + self.window
        return each * self.o * self.c * np.dtype(self.dtype).itemsize

    @property
    def window(self) -> int:
        """The number of taps."""
        return int(np.prod(self.tile.taps))

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the kernel's function."""
        _Writer(function, target, np.dtype(self.dtype)).write(self)


class _Writer(Writer):
    """Writes `Filters` with neighbouring results in the lanes."""

    def write(self, plan: Filters) -> None:
        """Write the loops over the source's channels and the panels."""
        code, (weight, out, taps, low, high) = self.code, self.args
        each = plan.shape[1]
        with code.loop(low, high, name="source") as channel:
            for some in panels(plan.result, plan.block):
                with (
                    code.loop(0, some.count, name="panel") as panel,
                    code.loop(0, some.width, self.lanes, "result") as place,
                ):
                    first = self.counted(panel, some.width, some.start)
                    self.gather(plan, weight, taps, channel, code.builder.add(first, place))
                    to = code.builder.add(self.counted(first, each), place)
                    to = code.builder.add(to, self.counted(channel, some.width))
                    with self.each(plan.tile.rows) as row:
                        at = self.counted(row, plan.tile.across.taps * self.lanes)
                        there = code.builder.add(to, self.counted(row, plan.source * some.width))
                        here, there = code.at(taps, at, self.dtype), code.at(out, there, self.dtype)
                        self.write_row(plan, here, there, some.width)
        code.finish()

    def gather(
        self, plan: Filters, weight: ir.Value, taps: ir.Value, channel: ir.Value, start: ir.Value
    ) -> None:
        """Write the copying of neighbouring results' taps side by side; the last result fills up."""
        code, window, lanes = self.code, plan.window, self.lanes
        source, result = (window, plan.c * window)[:: -1 if plan.backward else 1]
        with code.loop(0, lanes, name="lane") as lane:
            number = code.call("llvm.smin", [code.builder.add(start, lane), constant(plan.result - 1)])
            corner = code.builder.add(self.counted(channel, source), self.counted(number, result))
            with code.loop(0, window, name="tap") as tap:
                turned = code.builder.sub(constant(window - 1), tap) if plan.backward else tap
                to = code.builder.add(self.counted(turned, lanes), lane)
                code.store(code.load(weight, code.builder.add(corner, tap), self.dtype), taps, to, self.dtype)

    def write_row(self, plan: Filters, taps: ir.Value, to: ir.Value, width: int) -> None:
        """Write what rows of taps that go to points together become there."""
        code, (down, across) = self.code, (plan.tile.down, plan.tile.across)
        grid = [
            [
                code.load(taps, (i * across.taps + j) * self.lanes, self.dtype, self.lanes)
                for j in range(across.taps)
            ]
            for i in range(down.taps)
        ]
        step = plan.tile.rows * plan.source * width
        for point, value in enumerate(
            chain.from_iterable(both_ways(code, down.taps_in, across.taps_in, grid))
        ):
            code.store(value, to, point * step, self.dtype)
