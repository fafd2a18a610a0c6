"""Weight gradient by tiles: 9 sums over 16 places each, as 36 products at points that are summed there.

`Shards` turns tiles of x and of the gradient into numbers at the points and adds up their products
over images and tiles; each part has sums of its own over its share of the tiles. `Joined` adds these
in order and leads them back to weights. Gradients that are not finite are computed again tap by tap,
as a number that is not finite would spread to the nine taps.
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
from chainrule.compiler.cpu.winograd.filters import WINDOW
from chainrule.compiler.cpu.winograd.matrices import POINTS, Matrices
from chainrule.compiler.cpu.winograd.passes import PRODUCTS, TAPS, TILE, Pass, forward
from chainrule.compiler.cpu.winograd.transform import both_ways
from chainrule.compiler.cpu.winograd.writer import Panel, TileWriter

_NEAR = 1 << 19  # bytes of tiles that are multiplied at once: fewer would read all sums too often
_AT_LEAST, _AT_MOST = 2, 4  # tiles of a chunk
_PARTS, _FAIR = 8, 2  # shares of the tiles, if that leaves so many to each
_SUMS = 1 << 22  # bytes of all sums, at most, if there are more than two shares
_MATRICES = Matrices(TAPS, TILE)


@dataclass(frozen=True)
class Shards:
    """Sums at the points: operands gradient of y, x, sums (parts, 36, o * c + 1, in blocks)."""

    geometry: Geometry
    dtype: str

    name = "convolution dw"

    @cached_property
    def sizes(self) -> Pass:
        """The sizes of the forward pass, whose tiles are gone through."""
        return forward(self.geometry, np.dtype(self.dtype).itemsize)

    @property
    def columns(self) -> int:
        """Channels of x with those that fill up a block."""
        block = self.sizes.block
        return -(-self.geometry.c // block) * block

    @property
    def chunk(self) -> int:
        """Tiles that are multiplied at once."""
        near = _NEAR // (PRODUCTS * (self.columns + self.geometry.o) * BLOCK_BYTES)
        return min(max(_AT_LEAST, near), _AT_MOST, self.sizes.tiles)

    @cached_property
    def parts(self) -> int:
        """Into how many pieces the work can be cut: each with sums of its own."""
        fitting = max(2, _SUMS // (self.sums * np.dtype(self.dtype).itemsize))
        most = max(1, min(_PARTS, self.sizes.tiles // _FAIR, fitting))
        return 1 << (most.bit_length() - 1)  # even shares for two threads and for four

    @property
    def point(self) -> int:
        """Numbers from point to point of the sums, a block more than needed: see `_Shards`."""
        return self.geometry.o * self.columns + self.sizes.block

    @property
    def sums(self) -> int:
        """Numbers from part to part of the sums."""
        return PRODUCTS * self.point

    @property
    def scratch(self) -> int:
        """Bytes of working space: both tiles at the points, and a few channels of x before that."""
        lines = self.chunk * (self.columns + self.geometry.o) + self.sizes.block + 3
        return PRODUCTS * lines * BLOCK_BYTES

    @property
    def flops(self) -> int:
        """Operations on numbers."""
        return 2 * self.sizes.operations * self.sizes.block

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
        super().__init__(function, target, np.dtype(plan.dtype))
        g, sizes, code = plan.geometry, plan.sizes, self.code
        self.plan, self.sizes = plan, sizes
        self.x, self.y = self.plane(g.h, g.w), self.plane(g.out_h, g.out_w)
        depth = plan.chunk * self.block  # numbers that each sum adds at once
        # A line more from point to point: they would fall on the same places of a cache.
        self.point_x = depth * plan.columns + self.block
        self.point_y = depth * g.o + self.block
        self.point_near = self.block * self.lanes + self.block
        self.from_y, self.from_x, self.sums, scratch = self.args[:4]
        self.at_x = scratch
        self.at_y = code.at(scratch, PRODUCTS * self.point_x, self.dtype)
        self.near = code.at(self.at_y, PRODUCTS * self.point_y, self.dtype)
        self.depth = depth

    def write(self) -> None:
        """Write the loop over the parts."""
        code, builder, plan, tiles = self.code, self.code.builder, self.plan, self.sizes.tiles
        with code.loop(*self.args[-2:], name="part") as part:
            sums = code.at(self.sums, self.counted(part, plan.sums), self.dtype)
            with code.loop(0, plan.sums, self.lanes, name="clear") as at:
                code.store(self.nothing(), sums, at, self.dtype)
            low, high = (
                builder.udiv(builder.mul(each, constant(tiles)), constant(plan.parts))
                for each in (part, builder.add(part, constant(1)))
            )
            with code.loop(low, high, plan.chunk, name="chunk") as first:
                count = code.call("llvm.smin", [builder.sub(high, first), constant(plan.chunk)])
                with code.loop(0, count, name="tile") as tile:
                    place = self.counted(tile, self.block)
                    number = self.unravel(builder.add(first, tile), tiles, self.sizes.down, self.sizes.across)
                    self.take_x(number, place)
                    self.take_y(number, place)
                self.multiplied(sums, self.counted(count, self.block))
        code.finish()

    def take_x(self, tile: list[ir.Value], place: ir.Value) -> None:
        """Write how a tile of x becomes numbers at the points, with neighbouring channels side by side."""
        code, plan, c = self.code, self.plan, self.plan.geometry.c
        first = TILE, self.sizes.top, self.sizes.left
        corner = self.corner(self.from_x, self.x, c, tile, first)
        with code.loop(0, c, self.lanes, name="channels") as start:
            left = code.builder.sub(constant(c), start)
            count = code.call("llvm.smin", [left, constant(self.lanes)])
            with code.loop(0, count, name="channel") as channel:
                to = code.at(self.near, self.counted(channel, self.block), self.dtype), self.point_near
                self.to_points(corner, self.x, code.builder.add(start, channel), _MATRICES.values_in, to)
            to = code.at(self.at_x, code.builder.add(self.counted(place, plan.columns), start), self.dtype)
            self.turned(to)

    def turned(self, to: ir.Value) -> None:
        """Write how images beside each other become channels beside each other, point by point."""
        code, lanes, columns = self.code, self.lanes, self.plan.columns
        with code.loop(0, PRODUCTS, name="point") as point, self.each(self.block // lanes) as some:
            here = self.counted(point, self.point_near)
            here = code.builder.add(here, self.counted(some, lanes))
            there = self.counted(point, self.point_x)
            there = code.builder.add(there, self.counted(some, lanes * columns))
            here, there = (
                code.at(pointer, at, self.dtype) for pointer, at in ((self.near, here), (to, there))
            )
            rows = [code.load(here, channel * self.block, self.dtype, lanes) for channel in range(lanes)]
            for image, value in enumerate(transposed(code, rows)):
                code.store(value, there, image * columns, self.dtype)

    def take_y(self, tile: list[ir.Value], place: ir.Value) -> None:
        """Write how a tile of the gradient becomes numbers at the points."""
        code, o = self.code, self.plan.geometry.o
        corner = self.corner(self.from_y, self.y, o, tile, (TILE, 0, 0))
        with code.loop(0, o, name="channel") as channel:
            at = code.builder.add(self.counted(channel, self.depth), place)
            to = code.at(self.at_y, at, self.dtype), self.point_y
            self.to_points(corner, self.y, channel, _MATRICES.taps_in, to)

    def multiplied(self, sums: ir.Value, depth: ir.Value) -> None:
        """Write what some tiles add to the sums of all points."""
        code, plan = self.code, self.plan
        o, columns = plan.geometry.o, plan.columns
        shape = Panel(o, columns, (self.depth, 1), columns, columns, adds=True)
        with code.loop(0, PRODUCTS, name="point") as point:
            left = code.at(self.at_y, self.counted(point, self.point_y), self.dtype)
            right = code.at(self.at_x, self.counted(point, self.point_x), self.dtype)
            out = code.at(sums, self.counted(point, plan.point), self.dtype)
            self.product(shape, left, right, out, depth)


@dataclass(frozen=True)
class Joined:
    """The gradient of the weights: operands the sums of `Shards`, gradient of y, x, result."""

    geometry: Geometry
    dtype: str

    name = "dw joined"

    @cached_property
    def shards(self) -> Shards:
        """What made the sums."""
        return Shards(self.geometry, self.dtype)

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.geometry.o

    @property
    def scratch(self) -> int:
        """Bytes of working space: all points and all taps of as many channels as there are lanes."""
        return (PRODUCTS + WINDOW) * BLOCK_BYTES

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
    """Writes `Joined` with channels of x in the lanes; the last vector may overlap the one before."""

    def __init__(self, plan: Joined, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, np.dtype(plan.dtype))
        g = plan.geometry
        self.geometry, self.shards, self.sizes = g, plan.shards, plan.shards.sizes
        self.x, self.y = self.plane(g.h, g.w), self.plane(g.out_h, g.out_w)
        self.sums, self.from_y, self.from_x, self.result = self.args[:4]

    def write(self) -> None:
        """Write the loop over the results' channels."""
        code, c, lanes = self.code, self.geometry.c, self.lanes
        points = self.args[4]
        taps = code.at(points, PRODUCTS * lanes, self.dtype)
        with (
            code.loop(*self.args[-2:], name="result") as o,
            code.loop(0, c, lanes, name="channels") as start,
        ):
            first = code.call("llvm.smin", [start, constant(c - lanes)])
            self.join(code.builder.add(self.counted(o, self.shards.columns), first), points)
            grid = [
                [code.load(points, (i * POINTS + j) * lanes, self.dtype, lanes) for j in range(POINTS)]
                for i in range(POINTS)
            ]
            odd = self.nothing()
            for tap, value in enumerate(chain.from_iterable(both_ways(code, _MATRICES.back, grid))):
                code.store(value, taps, tap * lanes, self.dtype)
                odd = code.call("llvm.fmuladd", [value, self.nothing(), odd])
            place = self.counted(code.builder.add(self.counted(o, c), first), WINDOW)
            to = code.at(self.result, place, self.dtype)
            with code.loop(0, lanes, name="lane") as lane, code.loop(0, WINDOW, name="tap") as tap:
                value = code.load(taps, code.builder.add(self.counted(tap, lanes), lane), self.dtype)
                code.store(value, to, code.builder.add(self.counted(lane, WINDOW), tap), self.dtype)
            with code.only_if(self.any_odd(odd)):
                self.by_taps(o, first, to)
        code.finish()

    def join(self, place: ir.Value, points: ir.Value) -> None:
        """Write the sums of all parts at all points for neighbouring channels from `place` on."""
        code, shards = self.code, self.shards
        with code.loop(0, PRODUCTS, name="point") as point:
            at = code.at(self.sums, code.builder.add(place, self.counted(point, shards.point)), self.dtype)
            found = [
                code.load(at, part * shards.sums, self.dtype, self.lanes) for part in range(shards.parts)
            ]
            total = reduce(code.builder.fadd, found)
            code.store(total, points, self.counted(point, self.lanes), self.dtype)

    def by_taps(self, o: ir.Value, first: ir.Value, to: ir.Value) -> None:
        """Write the gradients of some channels' weights as sums over all places."""
        code, g = self.code, self.geometry
        blocks = self.sizes.tiles // (self.sizes.down * self.sizes.across)
        with (
            code.loop(0, self.lanes, name="channel") as channel,
            code.loop(0, TAPS, name="down") as r,
            code.loop(0, TAPS, name="across") as s,
        ):
            total, number = code.variable(self.nothing()), code.builder.add(first, channel)
            with (
                code.loop(0, blocks, name="block") as block,
                code.loop(0, g.out_h, name="row") as i,
                code.loop(0, g.out_w, name="column") as j,
            ):
                tile = block, constant(0), constant(0)
                y = self.corner(self.from_y, self.y, g.o, tile, (TILE, 0, 0))
                x = self.corner(self.from_x, self.x, g.c, tile, (TILE, self.sizes.top, self.sizes.left))
                seen = code.builder.add(i, r), code.builder.add(j, s)
                with code.only_if(self.inside(x, self.x, seen)), code.loop(0, self.block, self.lanes) as lane:
                    a, b = (
                        code.load(pointer, lane, self.dtype, self.lanes)
                        for pointer in (
                            self.place(y, self.y, o, (i, j)),
                            self.place(x, self.x, number, seen),
                        )
                    )
                    code.set(total, code.call("llvm.fmuladd", [a, b, code.get(total)]))
            tap = code.builder.add(self.counted(r, TAPS), s)
            at = code.builder.add(self.counted(channel, WINDOW), tap)
            code.store(across(code, [code.get(total)]), to, at, self.dtype)
