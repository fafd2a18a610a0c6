"""Weight gradient: every weight's sum over all images and places, kept in registers to the end.

A part owns the weights of a panel: a few outputs times a few channels for one row tap and (in
narrow windows) all column taps. The lanes hold images and are added up last. Taps on padding are
no work: a row tap looks up its rows, columns come in runs of places with the same taps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from chainrule.compiler.cpu.code import constant, type_of
from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.tiles import Piece, cut, panel
from chainrule.compiler.cpu.convolution.writer import Spot, Writer
from chainrule.compiler.cpu.target import Target

NARROW = 7  # column taps that a tile may hold at once
REGISTERS = 32  # for which panels are made; a target with fewer cuts them again


class Panel(NamedTuple):
    """Equal panels: `channels` and `outputs` say where they start, how many there are, and how wide."""

    channels: Piece
    outputs: Piece


class Cell(NamedTuple):
    """One sum of a tile: which channel, column tap and output it belongs to."""

    channel: int
    tap: int
    output: int


class Columns(NamedTuple):
    """`places` neighbouring columns, the first, and the column taps that they have (of those of a tile)."""

    places: int | ir.Value
    first: int
    taps: Sequence[int]


@dataclass(frozen=True)
class Weights:
    """The plan of a weight gradient.

    Channels and outputs are counted in a group. Where a group has one of each (depthwise), the
    groups take their place, and a tile holds the pairs of equals only.
    """

    geometry: Geometry
    dtype: np.dtype[Any]

    @property
    def depthwise(self) -> bool:
        """Whether every group has one channel and one output."""
        return 1 < self.geometry.groups == self.geometry.c == self.geometry.o

    @property
    def groups(self) -> int:
        """Groups that are worked on one by one."""
        return 1 if self.depthwise else self.geometry.groups

    @property
    def taps(self) -> int:
        """Column taps in a tile."""
        return self.geometry.kw if self.geometry.kw <= NARROW else 1

    @property
    def panels(self) -> list[Panel]:
        """The panels into which channels and outputs are cut: at most four kinds."""
        g = self.geometry
        if self.depthwise:
            return [Panel(piece, piece) for piece in cut(g.c, max(1, 18 // self.taps))]
        c, o = g.c // g.groups, g.o // g.groups
        most = panel(REGISTERS, c, o, self.taps)
        return [Panel(*pair) for pair in product(cut(c, most[0]), cut(o, most[1]))]

    def count(self, kind: Panel) -> int:
        """Return how many parts the panels of one kind make."""
        g = self.geometry
        pairs = kind.channels.count * (1 if self.depthwise else kind.outputs.count)
        return pairs * self.groups * g.kh * (g.kw // self.taps)

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        return sum(self.count(kind) for kind in self.panels)

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the function: operands gradient of y, x, gradient of the weights."""
        _Writer(self, function, target).write()


class _Writer(Writer):
    """Writes one `Weights` as code for a target."""

    def __init__(self, plan: Weights, function: ir.Function, target: Target) -> None:
        super().__init__(function, target, plan.dtype)
        g, block, self.plan, self.target = plan.geometry, self.block, plan, target
        self.blocks = -(-g.n // block)
        self.x_row, self.x_channel = g.w * block, g.h * g.w * block
        self.g_row, self.g_channel = g.out_w * block, g.out_h * g.out_w * block
        c, o, filter_ = g.c // g.groups, g.o // g.groups, g.kh * g.kw
        self.left = g.pads[1][0] if plan.taps == g.kw else 0  # tables begin on the image
        self.group = o * self.g_channel, c * self.x_channel, o * c * filter_
        self.channel = self.group if plan.depthwise else (0, self.x_channel, filter_)
        self.output = (0, 0, 0) if plan.depthwise else (self.g_channel, 0, c * filter_)

    def write(self) -> None:
        """Write a loop over the parts of each kind of panel."""
        low, high = self.args[-2:]
        before = 0
        for kind in self.plan.panels:
            after = before + self.plan.count(kind)
            first = self.code.call("llvm.smax", [low, constant(before)])
            last = self.code.call("llvm.smin", [high, constant(after)])
            with self.code.loop(first, last, name="part") as part:
                self.part(kind, self.code.builder.sub(part, constant(before)))
            before = after
        self.code.finish()

    def part(self, kind: Panel, index: ir.Value) -> None:
        """Write the work of one part: the tiles of its panel, for its row tap (and column tap)."""
        plan, g, (channels, outputs) = self.plan, self.plan.geometry, kind
        pairs = (1, channels.count) if plan.depthwise else (outputs.count, channels.count)
        sizes = *pairs, g.kh, g.kw // plan.taps
        group, output, channel, down, across = self.unravel(index, plan.groups, *sizes)
        spot = self.moved(Spot(*self.args[:3]), group, self.group)
        for piece, number, step in ((channels, channel, self.channel), (outputs, output, self.output)):
            start = self.moved(spot, piece.start, step)
            spot = self.moved(start, number, [piece.width * each for each in step])
        rows, source, y = self.looked_up("rows", g.down.shared(), down, self.x_row, self.g_row)
        spot = self.moved(spot, 1, (y, source, self.code.builder.mul(down, constant(g.kw))))
        if plan.taps == g.kw:
            columns = self.runs()
        else:
            count, source, y = self.looked_up("columns", g.across.shared(), across, self.block, self.block)
            spot = self.moved(spot, 1, (y, source, across))
            columns = [Columns(count, 0, range(1))]
        for cells in self.tiles(kind):
            self.tile(spot, rows, columns, cells)

    def runs(self) -> list[Columns]:
        """Return the columns of y in runs with the same column taps."""
        places = enumerate(self.plan.geometry.across.forward().places)
        found: list[Columns] = []
        for taps, group in groupby(places, lambda place: [tap for tap, _ in place[1]]):
            members = [place for place, _ in group]
            if taps:
                found.append(Columns(len(members), members[0], taps))
        return found

    def tiles(self, kind: Panel) -> Iterator[list[Cell]]:
        """Yield the tiles of a panel: the whole panel, where the target's registers hold it."""
        plan, (channels, outputs) = self.plan, (kind.channels.width, kind.outputs.width)
        taps = range(plan.taps)
        if plan.depthwise:
            most = max(1, (self.target.registers - 4) // plan.taps)
            for start in range(0, channels, most):
                yield [Cell(c, tap, c) for c in range(start, min(channels, start + most)) for tap in taps]
            return
        most = panel(self.target.registers, channels, outputs, plan.taps)
        for c, o in product(range(0, channels, most[0]), range(0, outputs, most[1])):
            inside = range(c, min(channels, c + most[0])), taps, range(o, min(outputs, o + most[1]))
            yield [Cell(*each) for each in product(*inside)]

    def tile(self, spot: Spot, rows: ir.Value, columns: Sequence[Columns], cells: Sequence[Cell]) -> None:
        """Write one tile: the sums of its cells over lanes, images, rows and columns, and their totals."""
        code, g, block = self.code, self.plan.geometry, self.block
        nothing = code.splat(ir.Constant(type_of(self.dtype), 0.0), self.lanes)
        sums = {cell: code.variable(nothing) for cell in cells}
        images = g.o * self.g_channel, g.c * self.x_channel, 0
        line = self.g_row, g.stride[0] * self.x_row, 0
        column = block, g.stride[1] * block, 0
        with (
            code.loop(0, block, self.lanes, name="lane") as lane,
            code.loop(0, self.blocks, name="block") as number,
        ):
            first = self.moved(self.moved(spot, lane, (1, 1, 0)), number, images)
            with code.loop(0, rows, name="row") as row:
                start = self.moved(first, row, line)
                for run in columns:
                    begin = self.moved(start, run.first, column)
                    with self.each(run.places) as index:
                        active = {cell: place for cell, place in sums.items() if cell.tap in run.taps}
                        self.multiply(self.moved(begin, index, column), active)
        for cell, place in sums.items():
            offset = cell.channel * self.channel[2] + cell.output * self.output[2] + cell.tap
            code.store(self.total(code.get(place)), spot.third, offset, self.dtype)

    def multiply(self, spot: Spot, sums: dict[Cell, ir.Value]) -> None:
        """Write one step of a tile: what a column adds to its sums."""
        code, g = self.code, self.plan.geometry
        upstream: dict[int, ir.Value] = {}
        numbers: dict[tuple[int, int], ir.Value] = {}
        for cell, place in sums.items():
            if cell.output not in upstream:
                upstream[cell.output] = code.load(
                    spot.first, cell.output * self.g_channel, self.dtype, self.lanes
                )
            source = cell.channel, cell.tap
            if source not in numbers:
                offset = cell.channel * self.x_channel + (cell.tap * g.dilation[1] - self.left) * self.block
                numbers[source] = code.load(spot.second, offset, self.dtype, self.lanes)
            product = code.call("llvm.fmuladd", [upstream[cell.output], numbers[source], code.get(place)])
            code.set(place, product)

    def total(self, vector: Any) -> Any:
        """Return the sum of the lanes of a vector, halves first."""
        builder, kind = self.code.builder, ir.IntType(32)
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
