"""Weight gradient: every weight's sum over all images and places, tile by tile in registers.

A part owns a share of the weights, and where these are few, sums over a share of the images: the
result is then a gradient for each. As many parts as the scratch has room for go through their images
together: for each few rows of them every tile takes its sums from the scratch, adds, and puts them
back, so that planes are read from near. The lanes hold images and are added up last.
Taps on padding are no work: a row of taps looks up its rows, columns come in runs of places with
the same taps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant, type_of
from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.shares import Shares
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES, Piece, cut, panel
from chainrule.compiler.cpu.convolution.writer import Spot, Writer
from chainrule.compiler.cpu.target import Target


class Cell(NamedTuple):
    """One sum of a tile: which channel, column tap and output it belongs to."""

    channel: int
    tap: int
    output: int


class Tiles(NamedTuple):
    """Equal tiles of a share, and how many sums lie before theirs in the scratch (for one row of taps)."""

    channels: Piece
    outputs: Piece
    before: int


class Near(NamedTuple):
    """How many blocks are gone through at once, and which of their rows: from `row` to below `stop`."""

    blocks: ir.Value
    row: ir.Value
    stop: ir.Value


class Columns(NamedTuple):
    """`places` neighbouring columns, the first, and the column taps that they have (of those of a tile)."""

    places: int | ir.Value
    first: int
    taps: Sequence[int]


class Work(NamedTuple):
    """Where a part works (or a tile of it): its pointers, its row of taps, its columns, and its sums."""

    spot: Spot
    down: ir.Value
    columns: Sequence[Columns]
    kept: ir.Value


@dataclass(frozen=True)
class Weights:
    """The plan of a weight gradient."""

    geometry: Geometry
    dtype: np.dtype[Any]

    @cached_property
    def shares(self) -> Shares:
        """How the weights are cut into parts."""
        return Shares(self.geometry, BLOCK_BYTES // self.dtype.itemsize)

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.shares.images * prod(self.shares.counts)

    @property
    def scratch(self) -> int:
        """Bytes of working space."""
        return self.shares.sums * self.shares.at_once * BLOCK_BYTES

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the function: operands gradient of y, x, gradients of the weights (shares of images, ...)."""
        _Writer(self, function, target).write()


class _Writer(Writer):
    """Writes one `Weights` as code for a target."""

    def __init__(self, plan: Weights, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, plan.dtype)
        g, block, self.geometry, self.shares = plan.geometry, self.block, plan.geometry, plan.shares
        self.x_row, self.x_channel = g.w * block, g.h * g.w * block
        self.g_row, self.g_channel = g.out_w * block, g.out_h * g.out_w * block
        c, o, window = g.c // g.groups, g.o // g.groups, g.kh * g.kw
        self.left = g.pads[1][0] if self.shares.taps == g.kw else 0  # tables begin on the image
        self.group = o * self.g_channel, c * self.x_channel, o * c * window
        self.channel = self.group if self.shares.depthwise else (0, self.x_channel, window)
        self.output = self.g_channel, 0, c * window
        self.image = g.o * self.g_channel, g.c * self.x_channel, 0  # from block to block
        self.nothing = self.code.splat(ir.Constant(type_of(plan.dtype), 0.0), self.lanes)
        self.channels, self.outputs, self.rows = self.shares.share
        self.tiles = self.cut(target)

    def cut(self, target: Target) -> list[Tiles]:
        """Cut a part's share into tiles."""
        taps, found, before = self.shares.taps, list[Tiles](), 0
        most = panel(target.registers, self.channels, self.outputs, taps)
        for channels, outputs in product(cut(self.channels, most[0]), cut(self.outputs, most[1])):
            found.append(Tiles(channels, outputs, before))
            before += channels.count * channels.width * outputs.count * outputs.width * taps
        return found

    def write(self) -> None:
        """Write the loops over the shares of images and over the parts of each, so many at once."""
        code, size = self.code, self.shares.sums * self.lanes
        with self.some_images() as (origin, blocks, low, high):
            with code.loop(low, high, self.shares.at_once, name="parts") as start:
                stop = code.builder.add(start, constant(self.shares.at_once))
                stop = code.call("llvm.smin", [high, stop])
                length = code.builder.mul(code.builder.sub(stop, start), constant(size))
                with code.loop(0, length, self.lanes, name="clear") as at:
                    code.store(self.nothing, self.args[3], at, self.dtype)
                with self.images(origin, blocks) as (here, near), self.parts(here, start, stop) as part:
                    for tiles in self.tiles:
                        with self.rows_of_tiles(part, tiles) as row:
                            self.tile(row, near, self.cells(tiles))
                with self.parts(origin, start, stop) as part:
                    for tiles in self.tiles:
                        with self.rows_of_tiles(part, tiles) as row:
                            self.totals(row, tiles)
        code.finish()

    @contextmanager
    def some_images(self) -> Iterator[tuple[Spot, ir.Value, ir.Value, ir.Value]]:
        """Repeat what is written inside for each share of images that has parts of ours.

        Yields where it begins, how many blocks it is, and the first of its parts and the one behind them.
        """
        code, builder, shares, (low, high) = self.code, self.code.builder, self.shares, self.args[-2:]
        each = prod(shares.counts)
        last = builder.udiv(builder.add(high, constant(each - 1)), constant(each))
        with code.loop(builder.udiv(low, constant(each)), last, name="images") as share:
            before = builder.mul(share, constant(each))
            first, behind = (
                builder.udiv(builder.mul(number, constant(shares.blocks)), constant(shares.images))
                for number in (share, builder.add(share, constant(1)))
            )
            spot = self.moved(Spot(*self.args[:3]), share, (0, 0, shares.weights))
            start = code.call("llvm.smax", [builder.sub(low, before), constant(0)])
            stop = code.call("llvm.smin", [builder.sub(high, before), constant(each)])
            yield self.moved(spot, first, self.image), builder.sub(behind, first), start, stop

    @contextmanager
    def parts(self, spot: Spot, start: ir.Value, stop: ir.Value) -> Iterator[Work]:
        """Repeat what is written inside for each part."""
        code, size = self.code, self.shares.sums * self.lanes
        with code.loop(start, stop, name="part") as part:
            number = code.builder.sub(part, start)
            kept = code.at(self.args[3], code.builder.mul(number, constant(size)), self.dtype)
            yield self.part(spot, part, kept)

    def part(self, spot: Spot, part: ir.Value, kept: ir.Value) -> Work:
        """Return where a part works."""
        g = self.geometry
        group, output, channel, down, across = self.unravel(part, *self.shares.counts)
        spot = self.moved(spot, group, self.group)
        spot = self.moved(spot, output, [self.outputs * each for each in self.output])
        spot = self.moved(spot, channel, [self.channels * each for each in self.channel])
        if self.shares.taps == g.kw:
            return Work(spot, down, self.columns(), kept)
        count, source, y = self.looked_up("columns", g.across.shared(), across, self.block, self.block)
        return Work(self.moved(spot, 1, (y, source, across)), down, [Columns(count, 0, range(1))], kept)

    def columns(self) -> list[Columns]:
        """Return the columns of y in runs with the same column taps."""
        places = enumerate(self.geometry.across.forward().places)
        found: list[Columns] = []
        for taps, group in groupby(places, lambda place: [tap for tap, _ in place[1]]):
            members = [place for place, _ in group]
            if taps:
                found.append(Columns(len(members), members[0], taps))
        return found

    @contextmanager
    def images(self, spot: Spot, blocks: ir.Value) -> Iterator[tuple[Spot, Near]]:
        """Repeat what is written inside for some blocks and rows after others; yields the blocks' spot."""
        code, height, (size, rows) = self.code, self.geometry.out_h, self.shares.near
        with (
            code.loop(0, blocks, size, name="near") as start,
            code.loop(0, height, rows, name="band") as row,
        ):
            here = self.moved(spot, start, self.image)
            rest, stop = code.builder.sub(blocks, start), code.builder.add(row, constant(rows))
            yield here, Near(code.call("llvm.smin", [rest, constant(size)]), row, stop)

    @contextmanager
    def rows_of_tiles(self, part: Work, tiles: Tiles) -> Iterator[Work]:
        """Repeat what is written inside for each tile of a part and each row of taps."""
        code, (channels, outputs, before) = self.code, tiles
        size = len(self.cells(tiles)) * self.lanes
        corner = self.moved(self.moved(part.spot, channels.start, self.channel), outputs.start, self.output)
        with (
            code.loop(0, channels.count, name="channels") as channel,
            code.loop(0, outputs.count, name="outputs") as output,
            code.loop(0, self.rows, name="down") as row,
        ):
            spot = self.moved(corner, channel, [channels.width * each for each in self.channel])
            spot = self.moved(spot, output, [outputs.width * each for each in self.output])
            kept = code.at(part.kept, before * self.rows * self.lanes, self.dtype)
            for index, count in ((channel, outputs.count * self.rows), (output, self.rows), (row, 1)):
                kept = code.at(kept, code.builder.mul(index, constant(count * size)), self.dtype)
            yield Work(spot, code.builder.add(part.down, row), part.columns, kept)

    def cells(self, tiles: Tiles) -> list[Cell]:
        """Return the sums of a tile in the order in which they are kept."""
        taps, channels = range(self.shares.taps), range(tiles.channels.width)
        if self.shares.depthwise:
            return [Cell(channel, tap, channel) for channel in channels for tap in taps]
        return [Cell(*each) for each in product(channels, taps, range(tiles.outputs.width))]

    def tile(self, work: Work, near: Near, cells: Sequence[Cell]) -> None:
        """Write what some blocks and rows add to the sums of a tile."""
        (spot, down, columns, kept), code, g, block = work, self.code, self.geometry, self.block
        places = [(cell, i * self.lanes) for i, cell in enumerate(cells)]
        sums = {cell: code.variable(code.load(kept, at, self.dtype, self.lanes)) for cell, at in places}
        count, source, y = self.looked_up("rows", g.down.shared(), down, self.x_row, 1)
        first = self.moved(self.moved(spot, 1, (0, source, 0)), y, (self.g_row, 0, 0))
        begin = code.call("llvm.smax", [code.builder.sub(near.row, y), constant(0)])
        end = code.call("llvm.smin", [code.builder.sub(near.stop, y), count])
        above, beside = (self.g_row, g.stride[0] * self.x_row, 0), (block, g.stride[1] * block, 0)
        with code.loop(0, near.blocks, name="block") as number, code.loop(begin, end, name="row") as row:
            line = self.moved(self.moved(first, number, self.image), row, above)
            for run in columns:
                start = self.moved(line, run.first, beside)
                active = {cell: place for cell, place in sums.items() if cell.tap in run.taps}
                for column in self.several(run.places, len(active)):
                    with self.each(self.block // self.lanes) as some:
                        here = self.moved(start, column, beside)
                        self.add(self.moved(here, some, (self.lanes, self.lanes, 0)), active)
        for cell, at in places:
            code.store(code.get(sums[cell]), kept, at, self.dtype)

    def add(self, spot: Spot, sums: dict[Cell, ir.Value]) -> None:
        """Write one step of a tile: what a column adds to its sums."""
        code, step = self.code, self.geometry.dilation[1] * self.block

        def number(channel: int, tap: int) -> ir.Value:
            offset = channel * self.x_channel + tap * step - self.left * self.block
            return code.load(spot.second, offset, self.dtype, self.lanes)

        self.multiply(
            {((cell.channel, cell.tap), cell.output): place for cell, place in sums.items()},
            lambda source: number(*source),
            lambda output: code.load(spot.first, output * self.g_channel, self.dtype, self.lanes),
        )

    def totals(self, work: Work, tiles: Tiles) -> None:
        """Write the weights' gradients that the sums of a tile come to."""
        code, taps, outputs = self.code, self.shares.taps, tiles.outputs.width
        with (
            code.loop(0, tiles.channels.width, name="channel") as channel,
            code.loop(0, taps, name="tap") as tap,
            code.loop(0, outputs, name="output") as output,
        ):
            at, place = constant(0), self.moved(work.spot, work.down, (0, 0, self.geometry.kw))
            for index, step, move in (
                (channel, taps * outputs, self.channel),
                (tap, outputs, (0, 0, 1)),
                (output, 1, self.output),
            ):
                at = code.builder.add(at, code.builder.mul(index, constant(step * self.lanes)))
                place = self.moved(place, index, move)
            code.store(
                self.total(code.load(work.kept, at, self.dtype, self.lanes)), place.third, 0, self.dtype
            )

    def total(self, vector: Any) -> Any:
        """Return the sum of the lanes of a vector, halves first."""
        builder, kind = self.code.builder, ir.I32
        lanes = self.lanes
        while lanes > 1:
            lanes //= 2
            picks = ir.VectorType(kind, lanes)
            halves = [
                builder.shuffle_vector(vector, vector, ir.Constant(picks, list(range(start, start + lanes))))
                for start in (0, lanes)
            ]
            vector = builder.fadd(*halves)
        return builder.extract_element(vector, ir.Constant(kind, 0))
