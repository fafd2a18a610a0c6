"""Filters: weights at all points, in the order in which tiles are multiplied by them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES
from chainrule.compiler.cpu.convolution.writer import Writer
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.cpu.winograd.passes import Tile
from chainrule.compiler.cpu.winograd.transform import both_ways


@dataclass(frozen=True)
class Filters:
    """From weights (o, c, kh, kw) to points: operands weight, (points, rows, c, o).

    Or, `backward`, (points, rows, o, c) with taps turned around: what the gradient of the input slides
    over the gradient of the output. `rows` of taps are summed one by one, by the tile.
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
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of what is written."""
        return self.tile.points, self.tile.rows, self.source, self.result

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
        """Write the loop over the source's channels; the last results may be written twice."""
        code, (weight, out, taps, low, high) = self.code, self.args
        window, lanes, tile = plan.window, self.lanes, plan.tile
        source, result = (window, plan.c * window)[:: -1 if plan.backward else 1]
        with (
            code.loop(low, high, name="source") as channel,
            code.loop(0, plan.result, lanes, name="result") as start,
        ):
            first = code.call("llvm.smin", [start, constant(plan.result - lanes)])
            corner = code.builder.add(self.counted(channel, source), self.counted(first, result))
            with code.loop(0, lanes, name="lane") as lane, code.loop(0, window, name="tap") as tap:
                at = code.builder.add(corner, code.builder.add(self.counted(lane, result), tap))
                turned = code.builder.sub(constant(window - 1), tap) if plan.backward else tap
                to = code.builder.add(self.counted(turned, lanes), lane)
                code.store(code.load(weight, at, self.dtype), taps, to, self.dtype)
            place = code.builder.add(self.counted(channel, plan.result), first)
            with self.each(tile.rows) as row:
                here = code.at(taps, self.counted(row, tile.across.taps * lanes), self.dtype)
                to = code.builder.add(place, self.counted(row, plan.source * plan.result))
                self.write_row(plan, here, code.at(out, to, self.dtype))
        code.finish()

    def write_row(self, plan: Filters, taps: ir.Value, to: ir.Value) -> None:
        """Write what rows of taps that go to points together become there."""
        code, (down, across) = self.code, (plan.tile.down, plan.tile.across)
        grid = [
            [
                code.load(taps, (i * across.taps + j) * self.lanes, self.dtype, self.lanes)
                for j in range(across.taps)
            ]
            for i in range(down.taps)
        ]
        step = plan.tile.rows * plan.source * plan.result
        for point, value in enumerate(
            chain.from_iterable(both_ways(code, down.taps_in, across.taps_in, grid))
        ):
            code.store(value, to, point * step, self.dtype)
