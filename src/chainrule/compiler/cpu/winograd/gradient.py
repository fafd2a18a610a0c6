"""Gradient: the gradient of a convolution's weights, by products at points.

A gradient of a weight is a sum of x times the gradient of y, over all places: each tap is a result
of a window of taps that has as many numbers as a tile has results, and so the same points serve.
`Shards` turns tiles of x and of the gradient into numbers at the points and adds up their products
over images and tiles; each part has sums of its own over its share of the pieces. `Joined` adds these
in order and leads them back to weights. Gradients that are not finite are computed again tap by tap,
as a number that is not finite would spread to all taps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES
from chainrule.compiler.cpu.product.tile import across
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.cpu.transpose import transposed
from chainrule.compiler.cpu.winograd.passes import Cut, Pass, Tile, forward
from chainrule.compiler.cpu.winograd.planes import Corner, Piece, Spread
from chainrule.compiler.cpu.winograd.transform import both_ways
from chainrule.compiler.cpu.winograd.writer import Panel, TileWriter

_NEAR = 1 << 19  # bytes of tiles that are multiplied at once: fewer would read all sums too often
_AT_LEAST, _AT_MOST = 2, 4  # tiles of a piece that is one line
_PARTS = 8  # shares of the pieces, at most
_SUMS = 1 << 22  # bytes of all sums, at most, if there are more than two shares


@dataclass(frozen=True)
class Shards:
    """Sums at the points: operands gradient of y, x, sums (parts, points, rows * c * o + 1, in blocks)."""

    geometry: Geometry
    tile: Tile
    dtype: str

    name = "convolution dw"

    @cached_property
    def sizes(self) -> Pass:
        """The sizes of the forward pass, whose tiles are gone through."""
        return forward(self.geometry, self.tile, np.dtype(self.dtype).itemsize)

    @property
    def columns(self) -> int:
        """Channels of y with those that fill up a block."""
        block = self.sizes.block
        return -(-self.geometry.o // block) * block

    @cached_property
    def cut(self) -> Cut:
        """The pieces whose tiles are multiplied at once."""
        return Cut.of(self.sizes, self.geometry.c + self.columns, _NEAR, _AT_MOST, _AT_LEAST)

    @cached_property
    def parts(self) -> int:
        """Into how many pieces the work can be cut: each with sums of its own."""
        fitting = max(2, _SUMS // (self.sums * np.dtype(self.dtype).itemsize))
        most = max(1, min(_PARTS, self.cut.pieces, fitting))
        return 1 << (most.bit_length() - 1)  # even shares for two threads and for four

    @property
    def point(self) -> int:
        """Numbers from point to point of the sums, a block more than needed: see `_Shards`."""
        return self.tile.rows * self.geometry.c * self.columns + self.sizes.block

    @property
    def sums(self) -> int:
        """Numbers from part to part of the sums."""
        return self.tile.points * self.point

    @property
    def scratch(self) -> int:
        """Bytes of working space: both tiles at the points, and a few channels of y before that."""
        pieces = self.cut
        lines = (pieces.read * self.geometry.c + pieces.lines * self.columns) * pieces.tiles + 2
        near = self.tile.down.outputs * self.tile.across.outputs * self.sizes.block
        return (self.tile.points * lines + near) * BLOCK_BYTES

    @property
    def flops(self) -> int:
        """Operations on numbers."""
        return int(2 * self.sizes.gradient_operations * self.sizes.block)

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return (self.geometry.numbers + self.parts * self.sums) * np.dtype(self.dtype).itemsize

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the kernel's function."""
        _Shards(self, function, target).write()


class _Shards(TileWriter):
    """Writes `Shards`."""

    def __init__(self, plan: Shards, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, plan.dtype, plan.sizes)
        code, self.plan, self.cut = self.code, plan, plan.cut
        down, across = plan.tile.down.turned, plan.tile.across.turned
        self.ways_x, self.ways_y = (down.values_in, across.values_in), (down.taps_in, across.taps_in)
        self.line = plan.cut.tiles * self.block  # numbers that each sum adds at once
        # A line more from point to point: they would fall on the same places of a cache.
        self.point_x = plan.cut.read * plan.geometry.c * self.line + self.block
        self.point_y = plan.cut.lines * self.line * plan.columns + self.block
        self.from_y, self.from_x, self.sums, scratch = self.args[:4]
        self.at_x = scratch
        self.at_y = code.at(scratch, self.points * self.point_x, self.dtype)
        self.near = code.at(self.at_y, self.points * self.point_y, self.dtype)

    def write(self) -> None:
        """Write the loop over the parts."""
        code, builder, plan = self.code, self.code.builder, self.plan
        more = constant(self.cut.read - self.cut.lines)
        with code.loop(*self.args[-2:], name="part") as part:
            sums = code.at(self.sums, self.counted(part, plan.sums), self.dtype)
            with code.loop(0, plan.sums, self.lanes, name="clear") as at:
                code.store(self.nothing(), sums, at, self.dtype)
            low, high = (
                builder.udiv(self.counted(each, self.cut.pieces), constant(plan.parts))
                for each in (part, builder.add(part, constant(1)))
            )
            with code.loop(low, high, name="piece") as number:
                piece = self.piece(self.cut, number)
                with (
                    code.loop(0, builder.add(piece.lines, more), name="read") as line,
                    code.loop(0, piece.tiles, name="tile") as place,
                ):
                    self.take_x(self.tile(self.cut, piece, line, place), line, place)
                with (
                    code.loop(0, piece.lines, name="line") as line,
                    code.loop(0, piece.tiles, name="tile") as place,
                ):
                    self.take_y(self.tile(self.cut, piece, line, place), line, place)
                self.multiplied(sums, piece)
        code.finish()

    def take_x(self, tile: list[ir.Value], line: ir.Value, place: ir.Value) -> None:
        """Write how a tile of x becomes numbers at the points."""
        code, c = self.code, self.plan.geometry.c
        at = code.builder.add(self.counted(line, c * self.line), self.counted(place, self.block))
        to = Spread(code.at(self.at_x, at, self.dtype), self.line, self.point_x)
        self.to_points(self.corner(self.from_x, self.read, c, tile), constant(0), c, self.ways_x, to)

    def take_y(self, tile: list[ir.Value], line: ir.Value, place: ir.Value) -> None:
        """Write how a tile of the gradient becomes numbers there, with neighbouring channels side by side."""
        code, builder, (height, width) = self.code, self.code.builder, self.size
        columns, corner = self.plan.columns, self.corner(self.from_y, self.made, self.plan.geometry.o, tile)
        first = builder.add(self.counted(line, self.line), self.counted(place, self.block))
        with code.loop(0, self.plan.geometry.o, self.lanes, name="channels") as start:
            with code.loop(0, height, name="row") as i, code.loop(0, width, name="column") as j:
                number = self.counted(builder.add(self.counted(i, width), j), self.block)
                near, inside = self.turned_at(number), self.inside(corner, (i, j))
                with code.only_if(inside):
                    self.turn(corner, start, (i, j), near)
                with code.only_if(builder.not_(inside)), code.loop(0, self.block, name="image") as image:
                    code.store(self.nothing(), near, self.counted(image, self.lanes), self.dtype)
            with code.loop(0, self.block, name="image") as image:
                near = self.turned_at(image)
                grid = [
                    [
                        code.load(near, (i * width + j) * self.block * self.lanes, self.dtype, self.lanes)
                        for j in range(width)
                    ]
                    for i in range(height)
                ]
                to = builder.add(self.counted(builder.add(first, image), columns), start)
                to = code.at(self.at_y, to, self.dtype)
                for point, value in enumerate(chain.from_iterable(both_ways(code, *self.ways_y, grid))):
                    code.store(value, to, point * self.point_y, self.dtype)

    def turned_at(self, number: ir.Value) -> ir.Value:
        """Return where the channels of an image of a place lie, once they are side by side."""
        return self.code.at(self.near, self.counted(number, self.lanes), self.dtype)

    def turn(self, corner: Corner, start: ir.Value, at: tuple[ir.Value, ir.Value], to: ir.Value) -> None:
        """Write how images of a place side by side become channels side by side; the last one fills up."""
        code, o, lanes = self.code, self.plan.geometry.o, self.lanes
        channels = [code.builder.add(start, constant(lane)) for lane in range(lanes)]
        if o % lanes:
            channels = [code.call("llvm.smin", [each, constant(o - 1)]) for each in channels]
        places = [self.place(corner, each, at) for each in channels]
        with self.each(self.block // lanes) as some:
            rows = [code.load(each, self.counted(some, lanes), self.dtype, lanes) for each in places]
            there = code.at(to, self.counted(some, lanes * lanes), self.dtype)
            for image, value in enumerate(transposed(code, rows)):
                code.store(value, there, image * lanes, self.dtype)

    def multiplied(self, sums: ir.Value, piece: Piece) -> None:
        """Write what the tiles of a piece add to the sums of all points."""
        code, plan, c = self.code, self.plan, self.plan.geometry.c
        columns, rows = plan.columns, plan.tile.rows
        shape = Panel(rows * c, columns, (self.line, 1), columns, columns, adds=True)
        with code.loop(0, self.points, name="point") as point, code.loop(0, piece.lines, name="line") as line:
            left, right = self.counted(point, self.point_x), self.counted(point, self.point_y)
            left = code.builder.add(left, self.counted(line, c * self.line))
            right = code.builder.add(right, self.counted(line, self.line * columns))
            left, right = code.at(self.at_x, left, self.dtype), code.at(self.at_y, right, self.dtype)
            out = code.at(sums, self.counted(point, plan.point), self.dtype)
            self.product(shape, left, right, out, self.counted(piece.tiles, self.block))


@dataclass(frozen=True)
class Joined:
    """The gradient of the weights: operands the sums of `Shards`, gradient of y, x, result."""

    geometry: Geometry
    tile: Tile
    dtype: str

    name = "dw joined"

    @cached_property
    def shards(self) -> Shards:
        """What made the sums."""
        return Shards(self.geometry, self.tile, self.dtype)

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.geometry.c

    @property
    def scratch(self) -> int:
        """Bytes of working space: all points and all taps of as many channels as there are lanes."""
        return (self.tile.points + self.geometry.kh * self.geometry.kw) * BLOCK_BYTES

    @property
    def flops(self) -> int:
        """Operations on numbers."""
        return (self.shards.parts + 2) * self.shards.sums

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return self.shards.parts * self.shards.sums * np.dtype(self.dtype).itemsize

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the kernel's function."""
        _Joined(self, function, target).write()


class _Joined(TileWriter):
    """Writes `Joined` with channels of y in the lanes; the last vector may overlap the one before."""

    def __init__(self, plan: Joined, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, plan.dtype, plan.shards.sizes)
        self.geometry, self.shards = plan.geometry, plan.shards
        self.ways_back = plan.tile.down.turned.back, plan.tile.across.turned.back
        self.rows = plan.tile.rows
        self.sums, self.from_y, self.from_x, self.result, self.at = self.args[:5]
        self.taps = self.code.at(self.at, self.points * self.lanes, self.dtype)

    def write(self) -> None:
        """Write the loop over the channels of x."""
        code, (c, o), lanes = self.code, (self.geometry.c, self.geometry.o), self.lanes
        window = self.window[0] * self.window[1]
        with (
            code.loop(*self.args[-2:], name="channel") as channel,
            code.loop(0, o, lanes, name="results") as start,
        ):
            first = code.call("llvm.smin", [start, constant(o - lanes)])
            odd = code.variable(self.nothing())
            with self.each(self.rows) as row:
                self.join(channel, row, first, odd)
            at = self.counted(code.builder.add(self.counted(first, c), channel), window)
            to = code.at(self.result, at, self.dtype)
            with code.loop(0, lanes, name="lane") as lane, code.loop(0, window, name="tap") as tap:
                value = code.load(self.taps, code.builder.add(self.counted(tap, lanes), lane), self.dtype)
                code.store(value, to, code.builder.add(self.counted(lane, c * window), tap), self.dtype)
            with code.only_if(self.any_odd(code.get(odd))):
                self.by_taps(channel, first, to)
        code.finish()

    def join(self, channel: ir.Value, row: ir.Value, first: ir.Value, odd: ir.Value) -> None:
        """Write a row of taps for neighbouring results from `first` on; note in `odd` what is not finite."""
        code, shards, lanes = self.code, self.shards, self.lanes
        number = code.builder.add(self.counted(row, self.geometry.c), channel)
        place = code.builder.add(self.counted(number, shards.columns), first)
        with code.loop(0, self.points, name="point") as point:
            at = code.at(self.sums, code.builder.add(place, self.counted(point, shards.point)), self.dtype)
            found = [code.load(at, part * shards.sums, self.dtype, lanes) for part in range(shards.parts)]
            code.store(reduce(code.builder.fadd, found), self.at, self.counted(point, lanes), self.dtype)
        taps = code.at(self.taps, self.counted(row, self.window[1] * lanes), self.dtype)
        for tap, value in enumerate(self.from_points(self.at, lanes, self.ways_back)):
            code.store(value, taps, tap * lanes, self.dtype)
            code.set(odd, code.call("llvm.fmuladd", [value, self.nothing(), code.get(odd)]))

    def by_taps(self, number: ir.Value, first: ir.Value, to: ir.Value) -> None:
        """Write the gradients of some results' weights as sums over all places."""
        code, g = self.code, self.geometry
        height, width = self.window
        with (
            code.loop(0, self.lanes, name="channel") as channel,
            code.loop(0, height, name="down") as r,
            code.loop(0, width, name="across") as s,
        ):
            total, o = code.variable(self.nothing()), code.builder.add(first, channel)
            with (
                code.loop(0, self.sizes.blocks, name="block") as block,
                code.loop(0, g.out_h, name="row") as i,
                code.loop(0, g.out_w, name="column") as j,
            ):
                tile = block, constant(0), constant(0)
                y = self.corner(self.from_y, self.made, g.o, tile)
                x = self.corner(self.from_x, self.read, g.c, tile)
                seen = code.builder.add(i, r), code.builder.add(j, s)
                with code.only_if(self.inside(x, seen)), code.loop(0, self.block, self.lanes) as lane:
                    a, b = (
                        code.load(pointer, lane, self.dtype, self.lanes)
                        for pointer in (self.place(y, o, (i, j)), self.place(x, number, seen))
                    )
                    code.set(total, code.call("llvm.fmuladd", [a, b, code.get(total)]))
            tap = code.builder.add(self.counted(r, width), s)
            at = code.builder.add(self.counted(channel, g.c * height * width), tap)
            code.store(across(code, [code.get(total)]), to, at, self.dtype)
