"""The walk over a product's tiles: which of them a part is, what is packed before, and the calls.

Tiles follow each other down a panel of columns, so that a packed panel is used by all of them, and
panels follow each other within a block of rows. Every tile is computed alone, whoever computes it.
A part is an equal share of the walk, in which a tile is as long as it has vectors in a row; or, where
that keeps the largest operand together, an equal share of the rows, for all panels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import POINTER, Code, constant, type_of
from chainrule.compiler.cpu.product import tile as tiles
from chainrule.compiler.cpu.product.matrix import Ahead, Spot
from chainrule.compiler.cpu.product.operands import Operands, sizes
from chainrule.compiler.cpu.product.plan import Work, pieces, plan
from chainrule.compiler.cpu.product.tile import Destination, Meanwhile, Slice, Tile
from chainrule.compiler.cpu.target import Target

_WRITTEN_OUT = 160  # multiply-adds of a product that is written without loops over tiles
_EVEN = 12  # rows of tiles that can be shared evenly, about


@dataclass(frozen=True)
class _Block:
    """Rows of a batch: their first tile, how many tiles high, and rows of tiles before it in the walk."""

    batch: ir.Value
    first: ir.Value
    height: ir.Value
    above: ir.Value


@dataclass(frozen=True)
class _Stretch:
    """Our tiles of a panel: from `top` to the one before `end`; `before` are those of a block before it."""

    panel: ir.Value
    columns: int
    before: ir.Value
    top: ir.Value
    end: ir.Value


@dataclass(frozen=True)
class _Steps:
    """Steps of the sums that are computed at a time, and whether they are the last."""

    first: ir.Value
    count: Any
    last: Any = None


class Driver:
    """Writes the function of one product."""

    def __init__(
        self, work: Work, parts: int, function: ir.Function, target: Target, ahead: Ahead | None
    ) -> None:
        self.parts, self.code = parts, Code(function, target)
        self.work, self.plan = plan(work, target)
        self.low, self.high = function.args[-2:]
        self.operands, self.ahead = Operands(self.code, self.work, self.plan, function.args, ahead), ahead
        self.asks = 1 + ahead.operands if ahead else 0
        self.sliced = self.plan.slice < self.work.depth
        self.across = -(-self.work.columns // self.plan.width)  # panels
        self.down = -(-self.work.rows // self.plan.rows)  # tiles of a panel
        self.by_rows = self.work.by_rows and self.down >= _EVEN
        widths = pieces(self.work.columns, self.plan.width)
        self.length = 1 if self.by_rows else sum(count * self._vectors(size) for size, count in widths)

    def write(self) -> None:
        """Write everything."""
        total = self.work.batch * self.down * self.length
        if total and self.parts == 1 and self._steps() <= _WRITTEN_OUT and not self.plan.pack_left:
            with self.code.only_if(self.code.builder.icmp_signed("<", self.low, self.high)):
                self._write_out()
        elif total:
            self._walk(total)
        self.code.finish()

    def _steps(self) -> int:
        runs = -(-self.work.columns // self.plan.lanes)
        return self.work.batch * self.work.rows * runs * max(1, self.work.depth)

    def _write_out(self) -> None:
        """Write all tiles one after the other."""
        rows, width = self.plan.rows, self.plan.width
        for batch in range(self.work.batch):
            for column in range(0, self.work.columns, width):
                columns = min(width, self.work.columns - column)
                right = self.operands.panel_at(batch, 0, column, columns, self.work.depth)
                for row in range(0, self.work.rows, rows):
                    tile = self.operands.tile(min(rows, self.work.rows - row), columns)
                    to = self._to(constant(batch), constant(row), constant(column))
                    tiles.emit(self.code, tile, self.operands.rows_at(batch, row, 0), right, to)

    # ---- the walk: batches, blocks of rows, slices of the sums, panels, tiles --------------------
    def _walk(self, total: int) -> None:
        builder, down = self.code.builder, constant(self.down)
        self.low, self.high = (
            builder.udiv(builder.mul(bound, constant(total)), constant(self.parts))
            for bound in (self.low, self.high)
        )
        each = self.down * self.length
        first = builder.udiv(self.low, constant(each))
        last = builder.udiv(builder.add(self.high, constant(each - 1)), constant(each))
        block = max(1, self.work.block // self.plan.rows)
        with self.code.loop(first, last, name="batch") as batch:
            above = builder.mul(batch, down)
            if block >= self.down:
                self._block(_Block(batch, constant(0), down, above))
                return
            with self.code.loop(0, self.down, block, "block") as row:
                height = self._least(constant(block), builder.sub(down, row))
                self._block(_Block(batch, row, height, builder.add(above, row)))

    def _block(self, block: _Block) -> None:
        """Write all that is ours in a block of rows."""
        builder = self.code.builder
        start, size = (builder.mul(rows, constant(self.length)) for rows in (block.above, block.height))
        low = self._most(builder.sub(self.low, start), constant(0))
        high = self._least(builder.sub(self.high, start), size)
        with self.code.only_if(builder.icmp_signed("<", low, high)):
            if self.plan.pack_left:
                ours = (low, high) if self.by_rows else (constant(0), block.height)
                self.operands.pack_block(block.batch, block.first, ours)
            if not self.sliced:
                self._panels(block, low, high, _Steps(constant(0), self.work.depth))
                return
            self._clear(block, low, high)
            with self.code.loop(0, self.work.depth, self.plan.slice, "slice") as step:
                left = builder.sub(constant(self.work.depth), step)
                count = self._least(constant(self.plan.slice), left)
                last = builder.icmp_signed("==", count, left)
                self._panels(block, low, high, _Steps(step, count, last))

    def _stretches(self, block: _Block, low: ir.Value, high: ir.Value) -> Iterator[_Stretch]:
        """Repeat what is written inside for the panels of a block whose places `low` to `high` are ours."""
        builder = self.code.builder
        with self.code.loop(0, self.across, name="panel") as panel:
            before = builder.mul(panel, block.height)
            start = builder.mul(before, constant(self._vectors(self.plan.width)))
            for columns, there in sizes(self.code, panel, self.work.columns, self.plan.width):
                top, end = (
                    bound if self.by_rows else self._tiles(builder.sub(bound, start), columns)
                    for bound in (low, high)
                )
                end = self._least(end, block.height)
                with self.code.only_if(builder.and_(there, builder.icmp_signed("<", top, end))):
                    yield _Stretch(panel, columns, before, top, end)

    def _tiles(self, place: ir.Value, columns: int) -> ir.Value:
        """Return how many tiles of so many columns begin before a place of the walk along a panel."""
        builder, vectors = self.code.builder, self._vectors(columns)
        end = builder.add(self._most(place, constant(0)), constant(vectors - 1))
        return builder.udiv(end, constant(vectors))

    def _panels(self, block: _Block, low: ir.Value, high: ir.Value, steps: _Steps) -> None:
        """Write the tiles of a block whose places `low` to `high` are ours."""
        builder = self.code.builder
        for stretch in self._stretches(block, low, high):
            columns, column = stretch.columns, builder.mul(stretch.panel, constant(self.plan.width))
            right = self.operands.panel_at(block.batch, steps.first, column, columns, steps.count)
            with self.code.loop(stretch.top, stretch.end, name="tile") as below:
                number = builder.add(stretch.before, below)
                kept = self.operands.kept_at(number)
                turn = builder.add(builder.mul(block.above, constant(self.across)), number)
                self._tile(block, below, (column, columns), right, (steps, kept, turn))

    def _vectors(self, columns: int) -> int:
        """Return the vectors in a row of a tile, or its columns where terms of the sum fill the lanes."""
        return columns if self.plan.by_sum else -(-columns // self.plan.lanes)

    def _tile(
        self,
        block: _Block,
        below: ir.Value,
        across: tuple[ir.Value, int],
        right: ir.Value,
        part: tuple[_Steps, ir.Value, ir.Value],
    ) -> None:
        """Write the calls for a tile of whatever height it has at its place."""
        (column, columns), (steps, kept, turn) = across, part
        tile = self.code.builder.add(block.first, below)
        row = self.code.builder.mul(tile, constant(self.plan.rows))
        if self.plan.pack_left:
            left = self.operands.stripe_at(below)
        else:
            left = self.operands.rows_at(block.batch, row, steps.first)
        sliced = [kept, steps.count, steps.last] if self.sliced else []
        asked = [turn, *self.operands.ahead] if self.ahead else []
        for rows, there in sizes(self.code, tile, self.work.rows, self.plan.rows):
            with self.code.only_if(there):
                shape, to = self.operands.tile(rows, columns), self._to(block.batch, row, column)
                self._call(shape, [left, right, *asked, *sliced], to)

    def _asking(self, turn: ir.Value, operands: list[ir.Value]) -> Meanwhile:
        """Return what asks, in each stretch of a tile, for the next that is wanted ahead."""
        ahead, stretches = self.ahead, self.plan.rows
        turns = self.work.batch * self.across * self.down * stretches

        def begin(code: Code, which: ir.Value) -> None:
            now = code.builder.add(code.builder.mul(turn, constant(stretches)), which)
            ahead.ask(code, operands, now, turns)

        return Meanwhile(stretches, begin)

    def _clear(self, block: _Block, low: ir.Value, high: ir.Value) -> None:
        """Write zeros where the sums of a block's tiles are kept."""
        builder, dtype = self.code.builder, self.work.dtype
        zeros = ir.Constant(ir.VectorType(type_of(dtype), self.plan.lanes), None)
        for stretch in self._stretches(block, low, high):
            start = self.operands.kept_at(builder.add(stretch.before, stretch.top))
            size = builder.mul(
                builder.sub(stretch.end, stretch.top), constant(self.plan.rows * self.plan.width)
            )
            with self.code.loop(0, size, self.plan.lanes, "zero") as place:
                self.code.store(zeros, start, place, dtype)

    # ---- small things ----------------------------------------------------------------------------
    def _call(self, tile: Tile, given: list[ir.Value], to: Destination) -> None:
        """Call the function of a tile, which is written at its first use."""
        name = f"{self.code.function.name}.tile{tile.rows}x{tile.columns}"
        function = self.code.module.globals.get(name)
        args = [*given, *to.pointers, *to.first]
        if function is None:
            kinds = [each.type for each in args]
            kind = ir.FunctionType(ir.VoidType(), kinds)
            function = ir.Function(self.code.module, kind, name, internal=True)
            for each in function.args:
                each.noalias = each.type.text == POINTER.text
            inner = Code(function, self.code.target)
            left, right, *rest = function.args
            asked, rest = rest[: self.asks], rest[self.asks :]
            meanwhile = self._asking(*asked[:1], asked[1:]) if asked else None
            part = Slice(*rest[:3]) if self.sliced else None
            *pointers, batch, row, column = rest[3:] if self.sliced else rest
            here = Destination(to.finish, pointers, Spot(batch, row, column), to.turned)
            tiles.emit(inner, tile, left, right, here, part, meanwhile)
            inner.finish()
        self.code.builder.call(function, args)

    def _to(self, batch: ir.Value, row: ir.Value, column: ir.Value) -> Destination:
        row, column = (column, row) if self.work.turned else (row, column)
        spot = Spot(batch, row, column)
        return Destination(self.work.finish, self.operands.pointers, spot, self.work.turned)

    def _least(self, a: Any, b: Any) -> ir.Value:
        return self.code.call("llvm.smin", [a, b])

    def _most(self, a: Any, b: Any) -> ir.Value:
        return self.code.call("llvm.smax", [a, b])
