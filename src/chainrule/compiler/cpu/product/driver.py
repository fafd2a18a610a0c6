"""The walk over a product's tiles: which of them a part is, what is packed before, and the calls.

Tiles follow each other down a panel of columns, so that a packed panel is used by all of them, and
panels follow each other within a block of rows whose left is packed. Every tile is computed alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from llvmlite import ir

from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.product import tile as tiles
from chainrule.compiler.cpu.product.operands import Operands
from chainrule.compiler.cpu.product.plan import Work, plan
from chainrule.compiler.cpu.product.tile import Destination, Tile
from chainrule.compiler.cpu.target import Target

_WRITTEN_OUT = 160  # multiply-adds of a product that is written without loops over tiles


class Driver:
    """Writes the function of one product."""

    def __init__(self, work: Work, parts: int, function: ir.Function, target: Target) -> None:
        self.work, self.parts, self.code = work, parts, Code(function, target)
        self.plan = plan(work, target)
        self.low, self.high = function.args[-2:]
        self.operands = Operands(self.code, work, self.plan, function.args)
        self.across = -(-work.columns // self.plan.width)  # panels
        self.down = -(-work.rows // self.plan.rows)  # tiles of a panel

    def write(self) -> None:
        """Write everything."""
        total = self.work.batch * self.across * self.down
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
                right = self.operands.right_panel(constant(batch), constant(column), columns, None)
                for row in range(0, self.work.rows, rows):
                    tile = self.operands.tile(min(rows, self.work.rows - row), columns)
                    to = self._to(constant(batch), constant(row), constant(column))
                    left = self.operands.left_rows(batch, row)
                    tiles.emit(self.code, tile, left, right, to)

    def _walk(self, total: int) -> None:
        """Write a loop over the tiles of the parts."""
        code, builder = self.code, self.code.builder
        block = max(1, self.work.block // self.plan.rows) if self.plan.pack_left else self.down
        low, high = (
            builder.udiv(builder.mul(each, constant(total)), constant(self.parts))
            for each in (self.low, self.high)
        )
        with code.loop(low, high, name="tile") as part:
            batch, rest = self._split(part, self.across * self.down)
            block_index, index = self._split(rest, block * self.across)
            first = builder.mul(block_index, constant(block))
            height = code.call("llvm.smin", [constant(block), builder.sub(constant(self.down), first)])
            panel, below = builder.udiv(index, height), builder.urem(index, height)
            key = builder.add(builder.mul(batch, constant(-(-self.down // block))), block_index)
            left = self.operands.left_stripe(batch, first, height, below, key)
            self._tiles(left, batch, builder.add(first, below), panel)

    def _tiles(self, left: ir.Value, batch: ir.Value, tile: ir.Value, panel: ir.Value) -> None:
        """Write the calls for a tile of whatever size it has at its place."""
        builder = self.code.builder
        row = builder.mul(tile, constant(self.plan.rows))
        column = builder.mul(panel, constant(self.plan.width))
        key = builder.add(builder.mul(batch, constant(self.across)), panel)
        for columns, here in self._sizes(panel, self.work.columns, self.plan.width):
            with self.code.only_if(here):
                right = self.operands.right_panel(batch, column, columns, key)
                for rows, there in self._sizes(tile, self.work.rows, self.plan.rows):
                    with self.code.only_if(there):
                        to = self._to(batch, row, column)
                        self._call(self.operands.tile(rows, columns), left, right, to)

    def _to(self, batch: ir.Value, row: ir.Value, column: ir.Value) -> Destination:
        return Destination(self.work.finish, self.operands.pointers, batch, row, column)

    def _split(self, index: ir.Value, size: int) -> tuple[ir.Value, ir.Value]:
        """Return a quotient and the remainder."""
        quotient = self.code.builder.udiv(index, constant(size))
        rest = self.code.builder.sub(index, self.code.builder.mul(quotient, constant(size)))
        return self.code.index(quotient), self.code.index(rest)

    def _sizes(self, index: ir.Value, total: int, size: int) -> Iterator[tuple[int, ir.Value]]:
        """Yield the sizes of pieces of a total, and whether the piece `index` has that size."""
        whole, rest = divmod(total, size)
        if whole:
            yield size, self.code.builder.icmp_signed("<", index, constant(whole))
        if rest:
            yield rest, self.code.builder.icmp_signed("==", index, constant(whole))

    def _call(self, tile: Tile, left: ir.Value, right: ir.Value, to: Destination) -> None:
        """Call the function of a tile, which is written at its first use."""
        name = f"{self.code.function.name}.tile{tile.rows}x{tile.columns}"
        function = self.code.module.globals.get(name)
        if function is None:
            arguments = [POINTER] * (2 + len(to.pointers)) + [INDEX] * 3
            function = ir.Function(self.code.module, ir.FunctionType(ir.VoidType(), arguments), name)
            function.linkage = "internal"
            inner = Code(function, self.code.target)
            a, b, *pointers, batch, row, column = function.args
            tiles.emit(inner, tile, a, b, Destination(to.finish, pointers, batch, row, column))
            inner.finish()
        self.code.builder.call(function, [left, right, *to.pointers, to.batch, to.row, to.column])
