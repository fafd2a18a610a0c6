"""Sliding: convolutions whose results are computed tile by tile, by products at points.

A part takes some tiles of some images: it turns their sources into numbers at the points, multiplies
these by the filters there, a product of matrices for each point, and turns the sums into the results
of each tile: 36 multiplications where 16 sums of 3 x 3 taps take 144. Where a result is not finite,
the piece is computed again tap by tap, as a number that is not finite would spread over its tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES, cut
from chainrule.compiler.cpu.convolution.tiles import Piece as Share
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.cpu.winograd.filters import PANEL, panels
from chainrule.compiler.cpu.winograd.passes import Cut, Pass, Tile, backward, forward
from chainrule.compiler.cpu.winograd.planes import Piece, Spread
from chainrule.compiler.cpu.winograd.writer import Panel, TileWriter

_NEAR = 1 << 19  # bytes of tiles that are worked on at once: they stay in the second cache
_AT_LEAST, _AT_MOST = 2, 4  # tiles of a piece that is one line: alone, each would read all the filters
_NARROW, _NEAREST = 8, 1 << 15  # and, of lines among many, as many as the first cache holds of their bytes


@dataclass(frozen=True)
class Slid:
    """A pass by tiles: operands source, weight, the weight's `Filters`, result.

    `backward` is the gradient of the input. Images are in the lanes layout, the weight is plain.
    """

    geometry: Geometry
    tile: Tile
    dtype: str
    backward: bool

    @property
    def name(self) -> str:
        """What the kernel is called in tables."""
        return "convolution dx" if self.backward else "convolution"

    @cached_property
    def sizes(self) -> Pass:
        """The sizes of the pass."""
        sizes = backward if self.backward else forward
        return sizes(self.geometry, self.tile, np.dtype(self.dtype).itemsize)

    @cached_property
    def cut(self) -> Cut:
        """The pieces that are worked on at once."""
        sizes = self.sizes
        kept = 0 if self.tile.rows > 1 else min(sizes.result, PANEL)  # sums of one line among many are few
        return Cut.of(sizes, sizes.source + kept, _NEAR, _AT_MOST, _AT_LEAST)

    @property
    def panel(self) -> int:
        """Result channels that are computed before they are written."""
        one = self.tile.points * self.cut.tiles * BLOCK_BYTES
        fit = max(_NARROW, _NEAREST // one) if self.tile.rows > 1 else PANEL
        return min(self.sizes.result, PANEL, fit)

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.cut.pieces

    @property
    def scratch(self) -> int:
        """Bytes of working space: sources and sums at the points, and a line that nobody reads."""
        sizes, pieces = self.sizes, self.cut
        lines = (pieces.read * sizes.source + self.panel) * pieces.tiles + 2
        return (self.tile.points * lines + self.tile.across.outputs) * BLOCK_BYTES

    @property
    def flops(self) -> int:
        """Operations on numbers, those at the points."""
        return int(2 * self.sizes.operations * self.sizes.block)

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        numbers = self.tile.points * self.tile.rows - self.geometry.kh * self.geometry.kw
        weights = numbers * self.geometry.o * self.geometry.c
        return (self.geometry.numbers + weights) * np.dtype(self.dtype).itemsize

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the kernel's function."""
        _Writer(self, function, target).write()


class _Writer(TileWriter):
    """Writes one `Slid`."""

    def __init__(self, plan: Slid, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, plan.dtype, plan.sizes)
        self.plan, self.cut = plan, plan.cut
        sizes, code, (down, across) = self.sizes, self.code, (plan.tile.down, plan.tile.across)
        self.ways_in, self.ways_back = (down.values_in, across.values_in), (down.back, across.back)
        self.source, self.weight, self.filters, self.result, scratch = self.args[:5]
        self.line = self.cut.tiles * self.block  # numbers of a channel at a point
        self.lines = sizes.source * self.line  # from line to line of the source
        # A line more from point to point: they would fall on the same places of a cache.
        self.point_in = self.cut.read * self.lines + self.block
        self.point_out = self.plan.panel * self.line + self.block
        self.at = scratch
        self.sums = code.at(scratch, self.points * self.point_in, self.dtype)
        self.lost = code.at(self.sums, self.points * self.point_out, self.dtype)

    def write(self) -> None:
        """Write the loop over the pieces."""
        code = self.code
        with code.loop(*self.args[-2:], name="part") as part:
            piece = self.piece(self.cut, part)
            read = code.builder.add(piece.lines, constant(self.cut.read - self.cut.lines))
            with code.loop(0, read, name="read") as line, code.loop(0, piece.tiles, name="tile") as place:
                self.take_in(piece, line, place)
            odd = code.variable(self.nothing())
            with code.loop(0, piece.lines, name="line") as line:
                for step, start, some in self.panels():
                    with code.loop(0, some.count, name="some") as index:
                        within = self.counted(index, some.width, some.start)
                        self.at_points(piece, line, (start, within, step), some.width)
                        with code.loop(0, piece.tiles, name="tile") as place:
                            channel = code.builder.add(start, within)
                            self.put_out(piece, (line, place), (channel, some.width), odd)
            with (
                code.only_if(self.any_odd(code.get(odd))),
                code.loop(0, piece.lines, name="line") as line,
                code.loop(0, piece.tiles, name="again") as place,
            ):
                self.by_taps(self.tile(self.cut, piece, line, place))
        code.finish()

    def panels(self) -> Iterator[tuple[int, ir.Value, Share]]:
        """Yield, inside a loop, the width and first channel of each panel, and into what it is cut."""
        for panel in panels(self.sizes.result, self.block):
            width = min(panel.width, self.sizes.result - panel.start)
            with self.code.loop(0, panel.count, name="panel") as index:
                start = self.counted(index, panel.width, panel.start)
                yield from ((panel.width, start, some) for some in cut(width, self.plan.panel))

    def take_in(self, piece: Piece, line: ir.Value, place: ir.Value) -> None:
        """Write how a tile's sources become numbers at the points."""
        code, sizes = self.code, self.sizes
        corner = self.corner(self.source, self.read, sizes.source, self.tile(self.cut, piece, line, place))
        at = code.builder.add(self.counted(line, self.lines), self.counted(place, self.block))
        to = Spread(code.at(self.at, at, self.dtype), self.line, self.point_in)
        self.to_points(corner, constant(0), sizes.source, self.ways_in, to)

    def at_points(self, piece: Piece, line: ir.Value, at: tuple[ir.Value, ir.Value, int], width: int) -> None:
        """Write the products of all points for some channels, by a panel's start, within it of its width."""
        code, sizes, rows, (start, within, step) = self.code, self.sizes, self.plan.tile.rows, at
        shape = Panel(width, self.line, (1, step), self.line, self.line)
        first, count = self.rows(piece, line)
        panel = self.counted(start, self.points * rows * sizes.source)
        filters = code.at(self.filters, code.builder.add(panel, within), self.dtype)
        filters = code.at(filters, self.counted(first, sizes.source * step), self.dtype)
        source = code.at(self.at, self.counted(code.builder.add(line, first), self.lines), self.dtype)
        with code.loop(0, self.points, name="point") as point:
            left = code.at(filters, self.counted(point, rows * sizes.source * step), self.dtype)
            right = code.at(source, self.counted(point, self.point_in), self.dtype)
            out = code.at(self.sums, self.counted(point, self.point_out), self.dtype)
            self.product(shape, left, right, out, self.counted(count, sizes.source))

    def rows(self, piece: Piece, line: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Return the first row of taps that meets the plane from a line of tiles, and how many do."""
        code, builder, rows = self.code, self.code.builder, self.plan.tile.rows
        if rows == 1:
            return constant(0), constant(1)
        above = builder.sub(constant(self.sizes.top), builder.add(piece.row, line))
        first = code.call("llvm.smin", [code.call("llvm.smax", [above, constant(0)]), constant(rows)])
        last = builder.add(above, constant(self.sizes.h))
        last = code.call("llvm.smin", [code.call("llvm.smax", [last, first]), constant(rows)])
        return first, builder.sub(last, first)

    def put_out(
        self, piece: Piece, at: tuple[ir.Value, ir.Value], panel: tuple[ir.Value, int], odd: ir.Value
    ) -> None:
        """Write how the sums of a tile become its results, and note in `odd` what is not finite."""
        code, sizes, (line, place), (first, width) = self.code, self.sizes, at, panel
        tile = self.tile(self.cut, piece, line, place)
        corner, nothing = self.corner(self.result, self.made, sizes.result, tile), self.nothing()
        for whole in self.cases(corner):
            with code.loop(0, width, name="channel") as channel:
                found = self.places(corner, code.builder.add(first, channel), whole, self.lost)
                start = code.builder.add(self.counted(channel, self.line), self.counted(place, self.block))
                with self.each(self.block // self.lanes) as some:
                    lane = self.counted(some, self.lanes)
                    here = code.at(self.sums, code.builder.add(start, lane), self.dtype)
                    made = self.from_points(here, self.point_out, self.ways_back)
                    for pointer, value in zip(chain.from_iterable(found), made, strict=True):
                        code.store(value, pointer, lane, self.dtype)
                        code.set(odd, code.call("llvm.fmuladd", [value, nothing, code.get(odd)]))

    def by_taps(self, tile: list[ir.Value]) -> None:
        """Write the results of a tile as sums over its taps, one by one."""
        code, sizes = self.code, self.sizes
        corner = self.corner(self.result, self.made, sizes.result, tile)
        seen = self.corner(self.source, self.read, sizes.source, tile)
        with (
            code.loop(0, sizes.result, name="channel") as channel,
            code.loop(0, self.size[0], name="row") as i,
            code.loop(0, self.size[1], name="column") as j,
        ):
            at = self.place(corner, channel, (i, j))
            with (
                code.only_if(self.inside(corner, (i, j))),
                self.each(self.block // self.lanes) as some,
            ):
                lane = self.counted(some, self.lanes)
                total = code.variable(self.nothing())
                with (
                    code.loop(0, sizes.source, name="source") as source,
                    code.loop(0, self.window[0], name="down") as r,
                    code.loop(0, self.window[1], name="across") as s,
                ):
                    from_here = code.builder.add(i, r), code.builder.add(j, s)
                    with code.only_if(self.inside(seen, from_here)):
                        value = code.load(self.place(seen, source, from_here), lane, self.dtype, self.lanes)
                        weight = code.splat(self.tap(channel, source, r, s), self.lanes)
                        code.set(total, code.call("llvm.fmuladd", [value, weight, code.get(total)]))
                code.store(code.get(total), at, lane, self.dtype)

    def tap(self, result: ir.Value, source: ir.Value, r: ir.Value, s: ir.Value) -> Any:
        """Return the weight between two channels at a tap of the sliding window."""
        code, sizes, (height, width) = self.code, self.sizes, self.window
        outer, inner, window = result, source, code.builder.add(self.counted(r, width), s)
        count = sizes.source
        if self.plan.backward:
            outer, inner, count = source, result, sizes.result
            window = code.builder.sub(constant(height * width - 1), window)
        filter_at = self.counted(code.builder.add(self.counted(outer, count), inner), height * width)
        return code.load(self.weight, code.builder.add(filter_at, window), self.dtype)
