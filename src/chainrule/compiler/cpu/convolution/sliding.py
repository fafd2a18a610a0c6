"""Sliding: the code that forward and input gradient share, one tile of sums in registers at a time.

Both are one thing, seen from two sides: every place of the result adds up products over the
source's channels and the taps that meet it. The images of a block fill the lanes, so a weight is
one number for all lanes. Taps on padding are no work: rows look up their taps in a table, columns
are unrolled in runs of alike tiles (or looked up too, where the window is wide).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant, type_of
from chainrule.compiler.cpu.convolution.geometry import Reads
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES, Run, cut, runs, strip
from chainrule.compiler.cpu.convolution.writer import Spot, Writer
from chainrule.compiler.cpu.target import Target

ENOUGH = 16  # parts that keep four threads evenly busy
AHEAD = 1200  # cycles between asking for numbers and needing them
NEXT = 6  # channels that are asked for ahead at most: their lines may fall on the same places of a cache
FEW = 7  # taps of a row whose weights stay in registers at once, where a tile has one channel
UNROLLED = 1000  # multiply-adds that are written out at most; beyond, columns are looked up


@dataclass(frozen=True)
class Steps:
    """How far apart weights are that are neighbours by group, source or result channel, or row of taps."""

    group: int
    source: int
    result: int
    row: int


@dataclass(frozen=True)
class Sliding:
    """A pass from `source` to `result` channels of each group, over planes as `rows` and `columns` say.

    `inputs` are the rows and columns of the source. A part is one row of the result in one block of
    images; where these are few, of a band of its columns and a share of its channels only.
    """

    images: int
    groups: int
    source: int
    result: int
    inputs: tuple[int, int]
    rows: Reads
    columns: Reads
    weights: Steps
    dtype: np.dtype[Any]

    @property
    def blocks(self) -> int:
        """Blocks of images."""
        return -(-self.images // (BLOCK_BYTES // self.dtype.itemsize))

    @property
    def height(self) -> int:
        """Rows of the result."""
        return len(self.rows.places)

    @property
    def width(self) -> int:
        """Columns of the result."""
        return len(self.columns.places)

    @property
    def bands(self) -> int:
        """Into how many bands the columns of a row are cut."""
        return max(1, min(ENOUGH // max(1, self.blocks * self.height), self.width // 32))

    @property
    def shares(self) -> int:
        """Into how many shares the groups, or the channels of the only group, are cut."""
        whole = self.groups if self.groups > 1 else self.result
        others = self.blocks * self.height * self.bands
        divisors = [each for each in range(1, whole + 1) if whole % each == 0]
        return next((each for each in divisors if each * others >= ENOUGH), whole)

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return self.blocks * self.height * self.bands * self.shares if self.width else 0

    @property
    def scratch(self) -> int:
        """Bytes of working space."""
        return 0

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the function: operands source, weight, result."""
        _Writer(self, function, target).write()


class Stretch(NamedTuple):
    """Neighbouring taps in which columns start <= i < stop take part; where their source and weight begin."""

    taps: int | ir.Value
    source: Any
    weight: Any
    start: int
    stop: int


Meets = dict[int, list[tuple[int, int]]]  # where a number lies -> the (column, weight) pairs that it meets


class _Writer(Writer):
    """Writes one `Sliding` as code for a target."""

    def __init__(self, plan: Sliding, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, plan.dtype)
        (h, w), block, self.plan = plan.inputs, self.block, plan
        self.source_row, self.source_channel = w * block, h * w * block
        self.result_row, self.result_channel = plan.width * block, plan.height * plan.width * block
        self.group = plan.source * self.source_channel, plan.weights.group, plan.result * self.result_channel
        self.channel = 0, plan.weights.result, self.result_channel  # from result channel to result channel
        self.tap = plan.columns.source_step * self.block, plan.columns.tap_step, 0  # from tap to tap of a row
        self.taps = max((len(each) for each in plan.rows.places), default=0)  # rows of taps, at most
        self.channels = plan.result if plan.groups > 1 else plan.result // plan.shares
        self.runs, self.depth = self.tiling(target.registers)

    def tiling(self, registers: int) -> tuple[list[Run], int]:
        """Return the runs of tiles of a row (none where columns are looked up) and the channels of a tile."""
        columns = self.plan.columns
        taps = max((len(each) for each in columns.places), default=1)
        spared = min(FEW, taps) - 1 if self.channels == 1 else 0  # all weights of a row stay in registers
        width, depth = strip(registers - spared, -(-self.plan.width // columns.phases), self.channels)
        found = runs(columns, width)
        if sum(run.width * len(run.segments) for run in found) * depth <= UNROLLED:
            return found, depth
        return [], strip(registers, 1, self.channels)[1]

    def write(self) -> None:
        """Write the loop over the parts."""
        plan, code = self.plan, self.code
        groups = plan.groups // plan.shares if plan.groups > 1 else 1
        with code.loop(*self.args[-2:], name="part") as part:
            spot, taps, band = self.part(part)
            with code.loop(0, groups, name="group") as index:
                self.row(self.moved(spot, index, self.group), taps, band)
        code.finish()

    def part(self, part: ir.Value) -> tuple[Spot, ir.Value, ir.Value]:
        """Return where a part works, how many taps its row has, and its band."""
        plan = self.plan
        number, row, band, index = self.unravel(part, plan.blocks, plan.height, plan.bands, plan.shares)
        images = plan.groups * self.group[0], 0, plan.groups * self.group[2]
        spot = self.moved(Spot(*self.args[:3]), number, images)
        if plan.groups > 1:
            spot = self.moved(spot, index, [plan.groups // plan.shares * each for each in self.group])
        else:
            spot = self.moved(spot, index, [self.channels * each for each in self.channel])
        taps, source, weight = self.looked_up("rows", plan.rows, row, self.source_row, plan.weights.row)
        spot = self.moved(spot, 1, (source, weight, 0))
        return self.moved(spot, row, (0, 0, self.result_row)), taps, band

    def row(self, spot: Spot, taps: ir.Value, band: ir.Value) -> None:
        """Write one row of the results of one group."""
        for piece in cut(self.channels, self.depth):
            first = self.moved(spot, piece.start, self.channel)
            with self.code.loop(0, piece.count, name="channels") as index:
                place = self.moved(first, index, [piece.width * each for each in self.channel])
                if self.runs:
                    self.unrolled(place, taps, band, piece.width)
                else:
                    self.by_table(place, taps, band, piece.width)

    def unrolled(self, spot: Spot, taps: ir.Value, band: ir.Value, depth: int) -> None:
        """Write the columns of a row: code for each run of tiles."""
        columns, tiles, before = self.plan.columns, sum(run.count for run in self.runs), 0
        for run in self.runs:
            low, high = self.share(band, tiles, before, before + run.count)
            before += run.count
            begin = run.origin * self.block, 0, run.place * self.block
            beside = run.width * columns.pace * self.block, 0, run.width * columns.phases * self.block
            stretches = [
                Stretch(each.taps, each.source * self.block, each.tap, each.start, each.stop)
                for each in run.segments
            ]
            first = self.moved(spot, 1, begin)
            with self.code.loop(low, high, name="tile") as index:
                self.tiles(self.moved(first, index, beside), taps, stretches, run.width, depth)

    def by_table(self, spot: Spot, taps: ir.Value, band: ir.Value, depth: int) -> None:
        """Write the columns of a row: one at a time, its taps looked up."""
        plan = self.plan
        with self.code.loop(*self.share(band, plan.width, 0, plan.width), name="column") as column:
            met = self.looked_up("columns", plan.columns, column, self.block, 1)
            place = self.moved(spot, column, (0, 0, self.block))
            self.tiles(place, taps, [Stretch(*met, 0, 1)], 1, depth)

    def tiles(self, spot: Spot, taps: ir.Value, stretches: Sequence[Stretch], width: int, depth: int) -> None:
        """Write one tile for all images of a block, as many at a time as a vector holds."""
        with self.each(self.block // self.lanes) as index:
            self.tile(self.moved(spot, index, (self.lanes, 0, self.lanes)), taps, stretches, width, depth)

    def tile(self, spot: Spot, taps: ir.Value, stretches: Sequence[Stretch], width: int, depth: int) -> None:
        """Write one tile: its sums over the source's channels, the row's taps and the columns' taps."""
        plan, code, steps = self.plan, self.code, self.plan.weights
        down = plan.rows.source_step * self.source_row, plan.rows.tap_step * steps.row, 0
        nothing = code.splat(ir.Constant(type_of(self.dtype), 0.0), self.lanes)
        sums = [[code.variable(nothing) for _ in range(depth)] for _ in range(width)]
        meets = self.meets(stretches)
        with code.loop(0, plan.source, name="source") as channel:
            inner = self.moved(spot, channel, (self.source_channel, steps.source, 0))
            later = self.later(channel, sum(map(len, meets.values())) * depth, width) if depth > 1 else None
            with code.loop(0, taps, name="down") as row:
                line = self.moved(inner, row, down)
                if later is not None:
                    for source in meets:
                        code.prefetch(code.at(line.first, later, self.dtype), source, self.dtype)
                if depth == 1 and 0 < sum(each.taps for each in stretches if meets) <= FEW:
                    self.multiply_by_source(line, sums, meets)
                else:
                    self.multiply_by_tap(line, sums, stretches)
        for i, places in enumerate(sums):
            for j, place in enumerate(places):
                offset = i * plan.columns.phases * self.block + j * self.result_channel
                code.store(code.get(place), spot.third, offset, self.dtype)

    def multiply_by_tap(self, spot: Spot, sums: list[list[ir.Value]], stretches: Sequence[Stretch]) -> None:
        """Write the taps of a row one after the other: each number meets the weights of all channels."""
        code, pace, channels = self.code, self.plan.columns.pace * self.block, range(len(sums[0]))
        for each in stretches:
            start = self.moved(spot, 1, (each.source, each.weight, 0))
            with self.each(each.taps) as index:
                here = self.moved(start, index, self.tap)
                active = {(i, j): sums[i][j] for i in range(each.start, each.stop) for j in channels}
                self.multiply(
                    active,
                    lambda i, at=here.first: code.load(at, i * pace, self.dtype, self.lanes),
                    lambda j, at=here.second: self.weight(at, j * self.channel[1]),
                )

    def multiply_by_source(self, spot: Spot, sums: list[list[ir.Value]], meets: Meets) -> None:
        """Write the taps of a row for one channel: a number meets all its taps while it is in a register."""
        code = self.code
        known = sorted({at for pairs in meets.values() for _, at in pairs})
        weights = {at: self.weight(spot.second, at) for at in known}
        for source, pairs in meets.items():
            number = code.load(spot.first, source, self.dtype, self.lanes)
            for i, at in pairs:
                place = sums[i][0]
                code.set(place, code.call("llvm.fmuladd", [number, weights[at], code.get(place)]))

    def weight(self, pointer: ir.Value, offset: int) -> ir.Value:
        """Return a weight in all lanes."""
        return self.code.splat(self.code.load(pointer, offset, self.dtype), self.lanes)

    def meets(self, stretches: Sequence[Stretch]) -> Meets:
        """Return what a tile reads in a row of a channel, from the left; nothing where taps are looked up."""
        pace, found = self.plan.columns.pace * self.block, dict[int, list[tuple[int, int]]]()
        for each in stretches:
            for tap in range(each.taps if isinstance(each.taps, int) else 0):
                for i in range(each.start, each.stop):
                    source = each.source + tap * self.tap[0] + i * pace
                    found.setdefault(source, []).append((i, each.weight + tap * self.tap[1]))
        return dict(sorted(found.items()))

    def later(self, channel: ir.Value, steps: int, width: int) -> ir.Value | None:
        """Return how far away the numbers lie that are needed `AHEAD` cycles later."""
        code, channels = self.code, self.plan.source
        ahead = min(-(-AHEAD // max(1, steps * self.taps)), channels // 2, NEXT)
        if ahead == 0 or steps == 0:
            return None
        near = ahead * self.source_channel
        beside = near - channels * self.source_channel + width * self.plan.columns.pace * self.block
        inside = code.builder.icmp_signed("<", channel, constant(channels - ahead))
        return code.builder.select(inside, constant(near), constant(beside))

    def share(self, band: ir.Value, tiles: int, first: int, last: int) -> tuple[Any, Any]:
        """Return which of the tiles first <= i < last of a row lie in a band, counted from the first."""
        code, bands = self.code, self.plan.bands
        if bands == 1:
            return 0, last - first

        def inside(band: Any) -> Any:
            end = code.builder.udiv(code.builder.mul(band, constant(tiles)), constant(bands))
            raised = code.call("llvm.smax", [end, constant(first)])
            return code.builder.sub(code.call("llvm.smin", [raised, constant(last)]), constant(first))

        return inside(band), inside(code.builder.add(band, constant(1)))
