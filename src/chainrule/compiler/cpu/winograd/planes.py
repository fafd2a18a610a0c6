"""Planes: where tiles lie on the planes of blocks of images, and how they become numbers at the points.

A tile at an edge has places off its plane: what is read there is zero, what is written is lost. Most
tiles have none, so their code is written a second time without asking.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES
from chainrule.compiler.cpu.convolution.writer import Writer
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.cpu.winograd.matrices import POINTS, Matrix
from chainrule.compiler.cpu.winograd.passes import Cut, Pass
from chainrule.compiler.cpu.winograd.transform import both_ways


class Plane(NamedTuple):
    """Planes of blocks with so many rows and columns; `channel` numbers lie from one to the next.

    A tile has `size` places of it, and the first one begins so many places `before` it, down and across.
    """

    height: int
    width: int
    channel: int
    size: tuple[int, int]
    before: tuple[int, int]
    holds: tuple[bool, bool]  # some of the tiles as a whole, all of them


class Corner(NamedTuple):
    """The first row and column of a tile on its plane, and where the block's first plane begins."""

    plane: Plane
    row: ir.Value
    column: ir.Value
    start: ir.Value


class Piece(NamedTuple):
    """Tiles of a `Cut`: the first one's number, block, row and column, and how many lines of how many."""

    first: Any
    block: ir.Value
    row: ir.Value
    column: ir.Value
    lines: ir.Value
    tiles: ir.Value


class Spread(NamedTuple):
    """Where numbers at the points lie: the first, from channel to channel, from point to point."""

    start: ir.Value
    channel: int
    point: int


class PlaneWriter(Writer):
    """Writes a function that works on the tiles of a pass."""

    def __init__(self, function: ir.Function, target: Target, dtype: str, sizes: Pass) -> None:
        super().__init__(function, target, np.dtype(dtype))
        self.sizes, self.points, self.window = sizes, sizes.tile.points, sizes.tile.taps
        down, across = sizes.tile.down, sizes.tile.across
        self.size = down.outputs, across.outputs  # of a tile, in places of the result
        source, result = (sizes.h, sizes.w), (sizes.height, sizes.width)
        before, lines = (sizes.top, sizes.left), sizes.down + sizes.tile.rows - 1
        self.read = self._plane(source, (down.points, across.points), before, lines)
        self.made = self._plane(result, self.size, (0, 0), sizes.down)

    def _plane(
        self, shape: tuple[int, int], size: tuple[int, int], before: tuple[int, int], lines: int
    ) -> Plane:
        counts = lines, self.sizes.across
        whole = [
            [
                0 <= place * self.size[axis] - before[axis] <= shape[axis] - size[axis]
                for place in range(counts[axis])
            ]
            for axis in (0, 1)
        ]
        holds = all(map(any, whole)), all(map(all, whole))
        return Plane(*shape, shape[0] * shape[1] * self.block, size, before, holds)

    # ---- which tiles -----------------------------------------------------------------------------
    def piece(self, cut: Cut, number: ir.Value) -> Piece:
        """Return the tiles of a piece."""
        code, sizes = self.code, self.sizes

        def within(first: Any, most: int, whole: int) -> Any:
            return code.call("llvm.smin", [code.builder.sub(constant(whole), first), constant(most)])

        if not cut.by_rows:
            first = self.counted(number, cut.tiles)
            start = self.unravel(first, sizes.blocks, sizes.down, sizes.across)
            return Piece(first, *start, constant(1), within(first, cut.tiles, sizes.tiles))
        block, band, strip = self.unravel(number, sizes.blocks, cut.bands, cut.strips)
        row, column = self.counted(band, cut.lines), self.counted(strip, cut.tiles)
        counts = within(row, cut.lines, sizes.down), within(column, cut.tiles, sizes.across)
        return Piece(None, block, row, column, *counts)

    def tile(self, cut: Cut, piece: Piece, line: ir.Value, place: ir.Value) -> list[ir.Value]:
        """Return block, row and column of a tile of a piece."""
        builder, sizes = self.code.builder, self.sizes
        if not cut.by_rows:
            number = builder.add(piece.first, place)
            return self.unravel(number, sizes.blocks, sizes.down, sizes.across)
        return [piece.block, builder.add(piece.row, line), builder.add(piece.column, place)]

    def corner(self, pointer: ir.Value, plane: Plane, channels: int, tile: Any) -> Corner:
        """Return where a tile (block, row, column) begins."""
        builder, (number, *places) = self.code.builder, tile
        start = self.code.at(pointer, builder.mul(number, constant(channels * plane.channel)), self.dtype)
        row, column = (
            builder.sub(self.counted(place, step), constant(before))
            for place, step, before in zip(places, self.size, plane.before, strict=True)
        )
        return Corner(plane, row, column, start)

    # ---- their places ----------------------------------------------------------------------------
    def cases(self, corner: Corner) -> Iterator[bool]:
        """Repeat what is written for a tile that lies on its plane as a whole, and for one that may not."""
        code, builder, plane = self.code, self.code.builder, corner.plane
        some, every = plane.holds
        if every or not some:
            yield every
            return
        row, column = constant(plane.height - plane.size[0]), constant(plane.width - plane.size[1])
        whole = builder.and_(
            builder.icmp_unsigned("<=", corner.row, row), builder.icmp_unsigned("<=", corner.column, column)
        )
        with code.only_if(whole):
            yield True
        with code.only_if(builder.not_(whole)):
            yield False

    def places(self, corner: Corner, channel: Any, whole: bool, outside: Any) -> list[list[ir.Value]]:
        """Return pointers to a tile's places of a channel; those off the plane are in a line of `outside`.

        `outside` has as many lines as there are places in a row. A `whole` tile lies on the plane.
        """
        code, builder, plane = self.code, self.code.builder, corner.plane
        height, width = plane.size
        begin = self.place(corner, channel, (constant(0), constant(0)))
        lines = [code.at(begin, i * plane.width * self.block, self.dtype) for i in range(height)]
        if whole:
            return [[code.at(line, j * self.block, self.dtype) for j in range(width)] for line in lines]
        rows, columns = (
            [builder.icmp_unsigned("<", builder.add(first, constant(i)), constant(end)) for i in range(count)]
            for first, count, end in (
                (corner.row, height, plane.height),
                (corner.column, width, plane.width),
            )
        )
        lines = [builder.select(here, line, outside) for here, line in zip(rows, lines, strict=True)]
        return [
            [
                builder.select(here, code.at(line, j * self.block, self.dtype), outside)
                for j, here in enumerate(columns)
            ]
            for line in lines
        ]

    def place(self, corner: Corner, channel: ir.Value, at: tuple[Any, Any]) -> ir.Value:
        """Return a pointer to the place of a channel that is so many rows and columns from the corner."""
        code, builder, plane = self.code, self.code.builder, corner.plane
        row, column = builder.add(corner.row, at[0]), builder.add(corner.column, at[1])
        number = builder.add(self.counted(row, plane.width), column)
        offset = builder.add(self.counted(channel, plane.channel), self.counted(number, self.block))
        return code.at(corner.start, offset, self.dtype)

    def inside(self, corner: Corner, at: tuple[Any, Any]) -> ir.Value:
        """Tell whether a place that is so many rows and columns from the corner is on the plane."""
        builder, plane = self.code.builder, corner.plane
        row, column = builder.add(corner.row, at[0]), builder.add(corner.column, at[1])
        return builder.and_(
            builder.icmp_unsigned("<", row, constant(plane.height)),
            builder.icmp_unsigned("<", column, constant(plane.width)),
        )

    def zeros(self) -> ir.Value:
        """Return a pointer to lines of zeros, as many as there are points in a row."""
        name = f"{self.name}.zeros"
        module, kind = self.code.module, ir.ArrayType(ir.IntType(8), POINTS * BLOCK_BYTES)
        return module.globals.get(name) or ir.Table(module, name, ir.Constant(kind, None), BLOCK_BYTES)

    # ---- at the points ---------------------------------------------------------------------------
    def to_points(
        self, corner: Corner, first: Any, count: Any, ways: tuple[Matrix, Matrix], to: Spread
    ) -> None:
        """Write how a tile of some channels becomes numbers at the points, by matrices down and across."""
        code = self.code
        for whole in self.cases(corner):
            with code.loop(0, count, name="channel") as index:
                channel = code.builder.add(first, index)
                found = self.places(corner, channel, whole, self.zeros())
                self._expect(self.place(corner, channel, (constant(0), constant(0))), corner.plane)
                start = code.at(to.start, self.counted(index, to.channel), self.dtype)
                with self.each(self.block // self.lanes) as some:
                    lane = self.counted(some, self.lanes)
                    grid = [[code.load(each, lane, self.dtype, self.lanes) for each in row] for row in found]
                    here = code.at(start, lane, self.dtype)
                    for point, value in enumerate(chain.from_iterable(both_ways(code, *ways, grid))):
                        code.store(value, here, point * to.point, self.dtype)

    def _expect(self, start: ir.Value, plane: Plane) -> None:
        """Ask for the next channel's places, but for those that the tile before has, too."""
        code, (height, width) = self.code, plane.size
        for row in range(height):
            for column in range(width - self.size[1], width):
                place = row * plane.width + column
                code.prefetch(start, plane.channel + place * self.block, self.dtype)

    def from_points(self, at: ir.Value, step: int, ways: tuple[Matrix, Matrix]) -> list[Any]:
        """Return what a vector at each of the points, `step` numbers apart, becomes: row after row."""
        code, (down, across) = self.code, ways
        width = len(across[0])
        grid = [
            [code.load(at, (i * width + j) * step, self.dtype, self.lanes) for j in range(width)]
            for i in range(len(down[0]))
        ]
        return [*chain.from_iterable(both_ways(code, down, across, grid))]
