"""Filters: weights of 3 x 3 taps at all points, in the order in which tiles are multiplied by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.cpu.winograd.matrices import Matrices
from chainrule.compiler.cpu.winograd.passes import PRODUCTS, TAPS, TILE
from chainrule.compiler.cpu.winograd.transform import both_ways
from chainrule.compiler.cpu.winograd.writer import TileWriter

WINDOW = TAPS * TAPS


@dataclass(frozen=True)
class Filters:
    """From weights (o, c, 3, 3) to points: operands weight, (36, c, o); or (36, o, c), taps turned around.

    The latter, `backward`, is what the gradient of the input slides over the gradient of the output.
    """

    o: int
    c: int
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
    def shape(self) -> tuple[int, int, int]:
        """The shape of what is written."""
        return PRODUCTS, self.source, self.result

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.source

    @property
    def scratch(self) -> int:
        """Bytes of working space: the taps of as many filters as there are lanes."""
        return WINDOW * BLOCK_BYTES

    @property
    def flops(self) -> int:
        """Additions and multiplications."""
        return 2 * PRODUCTS * self.o * self.c

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return (PRODUCTS + WINDOW) * self.o * self.c * np.dtype(self.dtype).itemsize

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the kernel's function."""
        _Writer(function, target, np.dtype(self.dtype)).write(self)


class _Writer(TileWriter):
    """Writes `Filters` with neighbouring results in the lanes."""

    def write(self, plan: Filters) -> None:
        """Write the loop over the source's channels; the last results may be written twice."""
        code, (weight, out, taps, low, high) = self.code, self.args
        source, result = (WINDOW, plan.c * WINDOW)[:: -1 if plan.backward else 1]
        lanes = self.lanes
        matrix = Matrices(TILE, TAPS).taps_in
        with (
            code.loop(low, high, name="source") as channel,
            code.loop(0, plan.result, lanes, name="result") as start,
        ):
            first = code.call("llvm.smin", [start, constant(plan.result - lanes)])
            corner = code.builder.add(self.counted(channel, source), self.counted(first, result))
            with code.loop(0, lanes, name="lane") as lane, code.loop(0, WINDOW, name="tap") as tap:
                at = code.builder.add(corner, code.builder.add(self.counted(lane, result), tap))
                turned = code.builder.sub(constant(WINDOW - 1), tap) if plan.backward else tap
                to = code.builder.add(self.counted(turned, lanes), lane)
                code.store(code.load(weight, at, self.dtype), taps, to, self.dtype)
            grid = [
                [code.load(taps, (i * TAPS + j) * lanes, self.dtype, lanes) for j in range(TAPS)]
                for i in range(TAPS)
            ]
            place = code.builder.add(self.counted(channel, plan.result), first)
            for i, row in enumerate(both_ways(code, matrix, grid)):
                for j, value in enumerate(row):
                    offset = (i * len(row) + j) * plan.source * plan.result
                    code.store(value, out, code.builder.add(place, constant(offset)), self.dtype)
        code.finish()
