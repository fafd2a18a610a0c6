"""Sliding: convolutions whose results are computed tile by tile, by products at points.

A part takes some tiles of some images: it turns their sources into numbers at 36 points, multiplies
these by the filters there, a product of matrices for each point, and turns the sums into 16 results
of each tile: 36 multiplications where sums of all taps take 144. Where a result is not finite, the
chunk is computed again tap by tap, as a number that is not finite would spread over its tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES, cut
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.cpu.winograd.filters import WINDOW
from chainrule.compiler.cpu.winograd.matrices import POINTS, Matrices
from chainrule.compiler.cpu.winograd.passes import PRODUCTS, TAPS, TILE, Pass, backward, forward
from chainrule.compiler.cpu.winograd.transform import both_ways
from chainrule.compiler.cpu.winograd.writer import Panel, TileWriter


@dataclass(frozen=True)
class Slid:
    """A pass by tiles: operands source, weight, the weight's `Filters`, result.

    `backward` is the gradient of the input. Images are in the lanes layout, the weight is plain.
    """

    geometry: Geometry
    dtype: str
    backward: bool

    @property
    def name(self) -> str:
        """What the kernel is called in tables."""
        return "convolution dx" if self.backward else "convolution"

    @cached_property
    def sizes(self) -> Pass:
        """The sizes of the pass."""
        return (backward if self.backward else forward)(self.geometry, np.dtype(self.dtype).itemsize)

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.sizes.chunks

    @property
    def scratch(self) -> int:
        """Bytes of working space: sources and sums at the points, and lines that nobody reads."""
        sizes = self.sizes
        lines = (sizes.source + sizes.panel) * sizes.chunk + 2
        return (PRODUCTS * lines + TILE) * BLOCK_BYTES

    @property
    def flops(self) -> int:
        """Operations on numbers, those at the points."""
        return 2 * self.sizes.operations * self.sizes.block

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        weights = (PRODUCTS - WINDOW) * self.geometry.o * self.geometry.c
        return (self.geometry.numbers + weights) * np.dtype(self.dtype).itemsize

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the kernel's function."""
        _Writer(self, function, target).write()


class _Writer(TileWriter):
    """Writes one `Slid`."""

    def __init__(self, plan: Slid, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, np.dtype(plan.dtype))
        self.plan, self.sizes, self.matrices = plan, plan.sizes, Matrices(TILE, TAPS)
        sizes, code = self.sizes, self.code
        self.read, self.made = self.plane(sizes.h, sizes.w), self.plane(sizes.height, sizes.width)
        self.source, self.weight, self.filters, self.result, scratch = self.args[:5]
        self.line = sizes.chunk * self.block  # numbers of a channel at a point
        # A line more from point to point: they would fall on the same places of a cache.
        self.point_in = sizes.source * self.line + self.block
        self.point_out = sizes.panel * self.line + self.block
        self.points = scratch
        self.sums = code.at(scratch, PRODUCTS * self.point_in, self.dtype)
        self.lost = code.at(self.sums, PRODUCTS * self.point_out, self.dtype)

    def write(self) -> None:
        """Write the loop over the chunks."""
        code, sizes = self.code, self.sizes
        with code.loop(*self.args[-2:], name="part") as part:
            first = self.counted(part, sizes.chunk)
            rest = code.builder.sub(constant(sizes.tiles), first)
            count = code.call("llvm.smin", [rest, constant(sizes.chunk)])
            with code.loop(0, count, name="tile") as tile:
                self.take_in(code.builder.add(first, tile), tile)
            odd = code.variable(self.nothing())
            for piece in cut(sizes.result, sizes.panel):
                with code.loop(0, piece.count, name="panel") as index:
                    channel = self.counted(index, piece.width, piece.start)
                    self.at_points(channel, piece.width)
                    with code.loop(0, count, name="tile") as tile:
                        self.put_out(code.builder.add(first, tile), tile, (channel, piece.width), odd)
            with code.only_if(self.any_odd(code.get(odd))), code.loop(0, count, name="again") as tile:
                self.by_taps(code.builder.add(first, tile))
        code.finish()

    def tile(self, number: ir.Value) -> list[ir.Value]:
        """Return block, row and column of a tile."""
        sizes = self.sizes
        blocks = -(-sizes.images // sizes.block)
        return self.unravel(number, blocks, sizes.down, sizes.across)

    def take_in(self, number: ir.Value, place: ir.Value) -> None:
        """Write how a tile's sources become numbers at the points."""
        code, sizes = self.code, self.sizes
        first = TILE, sizes.top, sizes.left
        corner = self.corner(self.source, self.read, sizes.source, self.tile(number), first)
        with code.loop(0, sizes.source, name="channel") as channel:
            at = code.builder.add(self.counted(channel, self.line), self.counted(place, self.block))
            to = code.at(self.points, at, self.dtype), self.point_in
            self.to_points(corner, self.read, channel, self.matrices.values_in, to)

    def at_points(self, channel: ir.Value, width: int) -> None:
        """Write the products of all points for some channels of the result from `channel` on."""
        code, sizes = self.code, self.sizes
        shape = Panel(width, self.line, (1, sizes.result), self.line, self.line)
        filters = code.at(self.filters, channel, self.dtype)
        with code.loop(0, PRODUCTS, name="point") as point:
            left = code.at(filters, self.counted(point, sizes.source * sizes.result), self.dtype)
            right = code.at(self.points, self.counted(point, self.point_in), self.dtype)
            out = code.at(self.sums, self.counted(point, self.point_out), self.dtype)
            self.product(shape, left, right, out, constant(sizes.source))

    def put_out(self, number: ir.Value, place: ir.Value, panel: tuple[ir.Value, int], odd: ir.Value) -> None:
        """Write how the sums of a tile become its results, and note in `odd` what is not finite."""
        code, sizes, (first, width) = self.code, self.sizes, panel
        corner = self.corner(self.result, self.made, sizes.result, self.tile(number), (TILE, 0, 0))
        nothing = self.nothing()
        with code.loop(0, width, name="channel") as channel:
            whole = code.builder.add(first, channel)
            found = self.places(corner, self.made, whole, TILE, self.lost)
            at = code.builder.add(self.counted(channel, self.line), self.counted(place, self.block))
            with self.each(self.block // self.lanes) as some:
                lane = self.counted(some, self.lanes)
                here = code.at(self.sums, code.builder.add(at, lane), self.dtype)
                grid = [
                    [
                        code.load(here, (i * POINTS + j) * self.point_out, self.dtype, self.lanes)
                        for j in range(POINTS)
                    ]
                    for i in range(POINTS)
                ]
                made = both_ways(code, self.matrices.back, grid)
                for pointer, value in zip(
                    *(chain.from_iterable(each) for each in (found, made)), strict=True
                ):
                    code.store(value, pointer, lane, self.dtype)
                    code.set(odd, code.call("llvm.fmuladd", [value, nothing, code.get(odd)]))

    def by_taps(self, number: ir.Value) -> None:
        """Write the results of a tile as sums over its taps, one by one."""
        code, sizes = self.code, self.sizes
        tile = self.tile(number)
        corner = self.corner(self.result, self.made, sizes.result, tile, (TILE, 0, 0))
        seen = self.corner(self.source, self.read, sizes.source, tile, (TILE, sizes.top, sizes.left))
        with (
            code.loop(0, sizes.result, name="channel") as channel,
            code.loop(0, TILE, name="row") as i,
            code.loop(0, TILE, name="column") as j,
        ):
            at = self.place(corner, self.made, channel, (i, j))
            with (
                code.only_if(self.inside(corner, self.made, (i, j))),
                self.each(self.block // self.lanes) as some,
            ):
                lane = self.counted(some, self.lanes)
                total = code.variable(self.nothing())
                with (
                    code.loop(0, sizes.source, name="source") as source,
                    code.loop(0, TAPS, name="down") as r,
                    code.loop(0, TAPS, name="across") as s,
                ):
                    from_here = code.builder.add(i, r), code.builder.add(j, s)
                    with code.only_if(self.inside(seen, self.read, from_here)):
                        value = code.load(
                            self.place(seen, self.read, source, from_here), lane, self.dtype, self.lanes
                        )
                        weight = code.splat(self.tap(channel, source, r, s), self.lanes)
                        code.set(total, code.call("llvm.fmuladd", [value, weight, code.get(total)]))
                code.store(code.get(total), at, lane, self.dtype)

    def tap(self, result: ir.Value, source: ir.Value, r: ir.Value, s: ir.Value) -> ir.Value:
        """Return the weight between two channels at a tap of the sliding window."""
        code, sizes = self.code, self.sizes
        outer, inner, window = result, source, code.builder.add(self.counted(r, TAPS), s)
        count = sizes.source
        if self.plan.backward:
            outer, inner, count = source, result, sizes.result
            window = code.builder.sub(constant(WINDOW - 1), window)
        filter_at = self.counted(code.builder.add(self.counted(outer, count), inner), WINDOW)
        return code.load(self.weight, code.builder.add(filter_at, window), self.dtype)
