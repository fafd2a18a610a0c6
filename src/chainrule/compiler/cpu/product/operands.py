"""The two operands of a product as the tiles read them: in place, or packed into the scratch.

The scratch holds a panel of the right, and behind it either the packed rows of a block of the left
or, where sums are computed slice by slice, the sums so far of all its tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, constant
from chainrule.compiler.cpu.product.matrix import Ahead, Matrix, Spot
from chainrule.compiler.cpu.product.pack import Lines, Panel, pack, panel_width
from chainrule.compiler.cpu.product.plan import Plan, Work
from chainrule.compiler.cpu.product.tile import Tile


class Operands:
    """Addresses of tiles' operands, and the code that packs them."""

    def __init__(
        self, code: Code, work: Work, plan: Plan, args: Sequence[ir.Value], ahead: Ahead | None
    ) -> None:
        self.code, self.work, self.plan = code, work, plan
        self.left, self.right, *others, scratch, _, _ = args
        own = len(others) - (ahead.operands if ahead else 0)
        self.pointers, self.ahead = others[:own], others[own:]
        if work.exchanged:
            self.left, self.right = self.right, self.left
        width = panel_width(max(1, min(plan.width, work.columns)), plan.lanes)
        room = plan.slice * width if plan.pack_right else 0
        self.stripe = panel_width(plan.rows, plan.lanes)
        self.panel, self.behind = scratch, code.at(scratch, -(-room // 16) * 16, work.dtype)

    def tile(self, rows: int, columns: int) -> Tile:
        """Return a tile with the strides of its operands."""
        left, right = self.work.left, self.work.right
        packed = self.plan.pack_right
        return Tile(
            rows,
            columns,
            self.work.depth,
            (1, self.stripe) if self.plan.pack_left else (left.row, left.column),
            (1, panel_width(columns, self.plan.lanes)) if packed else (right.column, right.row),
            self.plan.lanes,
            self.work.dtype,
            padded=packed,
            by_sum=self.plan.by_sum,
        )

    def panel_at(self, batch: Any, step: Any, column: Any, columns: int, steps: Any) -> ir.Value:
        """Return the address of some steps of a panel of the right, packed where that is the plan."""
        here = self._at(self.right, self.work.right, batch, step, column)
        if not self.plan.pack_right:
            return here
        panel = Panel(self.panel, panel_width(columns, self.plan.lanes))
        pack(self.code, self._lines(self.work.right.transposed, steps), here, columns, panel)
        return self.panel

    def rows_at(self, batch: Any, row: Any, step: Any) -> ir.Value:
        """Return the address of a row of the left from a step on, in place."""
        return self._at(self.left, self.work.left, batch, row, step)

    def stripe_at(self, below: ir.Value) -> ir.Value:
        """Return the address of a tile's rows in the packed block."""
        offset = self.code.builder.mul(below, constant(self.stripe * self.work.depth))
        return self.code.at(self.behind, offset, self.work.dtype)

    def kept_at(self, below: ir.Value) -> ir.Value:
        """Return the address of a tile's sums so far."""
        offset = self.code.builder.mul(below, constant(self.plan.rows * self.plan.width))
        return self.code.at(self.behind, offset, self.work.dtype)

    def pack_block(self, batch: ir.Value, first: ir.Value, ours: tuple[ir.Value, ir.Value]) -> None:
        """Write the packing of the left's rows of our tiles, counted from `first` on."""
        rows, builder = self.plan.rows, self.code.builder
        lines = self._lines(self.work.left, self.work.depth)
        with self.code.loop(*ours, name="stripe") as stripe:
            tile = builder.add(first, stripe)
            here = self.rows_at(batch, builder.mul(tile, constant(rows)), 0)
            for count, there in sizes(self.code, tile, self.work.rows, rows):
                with self.code.only_if(there):
                    pack(self.code, lines, here, count, Panel(self.stripe_at(stripe), self.stripe))

    def _at(self, pointer: ir.Value, matrix: Matrix, batch: Any, row: Any, column: Any) -> ir.Value:
        return self.code.at(pointer, matrix.offset(self.code, Spot(batch, row, column)), self.work.dtype)

    def _lines(self, matrix: Matrix, steps: Any) -> Lines:
        return Lines(matrix.row, matrix.column, steps, self.work.dtype, self.plan.lanes)


def sizes(code: Code, index: ir.Value, total: int, size: int) -> list[tuple[int, Any]]:
    """Return the sizes of the pieces of a total, and whether piece `index` has that size."""
    whole, rest = divmod(total, size)
    full = [(size, code.builder.icmp_signed("<", index, constant(whole)))] if whole else []
    last = [(rest, code.builder.icmp_signed("==", index, constant(whole)))] if rest else []
    return full + last
