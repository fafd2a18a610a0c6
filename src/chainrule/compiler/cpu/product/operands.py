"""The two operands of a product as the tiles read them: in place, or packed into the scratch.

What was packed last is remembered, so that the tiles that follow each other use it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

from chainrule.compiler.cpu.code import Code, constant
from chainrule.compiler.cpu.product.matrix import Matrix
from chainrule.compiler.cpu.product.pack import Lines, Panel, pack, panel_width
from chainrule.compiler.cpu.product.plan import Plan, Work
from chainrule.compiler.cpu.product.tile import Tile


class Operands:
    """Addresses of tiles' operands, and the code that packs them."""

    def __init__(self, code: Code, work: Work, plan: Plan, args: Sequence[ir.Value]) -> None:
        self.code, self.work, self.plan = code, work, plan
        self.left, self.right, *self.pointers, scratch, _, _ = args
        if work.exchanged:
            self.left, self.right = self.right, self.left
        room = work.depth * panel_width(plan.width, plan.lanes) if plan.pack_right else 0
        self.stripe = panel_width(plan.rows, plan.lanes)
        self.panel, self.stripes = scratch, code.at(scratch, -(-room // 16) * 16, work.dtype)
        self.in_panel, self.in_stripes = (code.variable(constant(-1)) for _ in range(2))

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

    def right_panel(self, batch: ir.Value, column: ir.Value, columns: int, key: ir.Value | None) -> ir.Value:
        """Return the address of a panel; `key` tells it from the others (None: pack it always)."""
        here = self._at(self.right, self.work.right, batch, 0, column)
        if not self.plan.pack_right:
            return here
        with self._unless(self.in_panel, key):
            width = panel_width(columns, self.plan.lanes)
            pack(self.code, self._lines(self.work.right.transposed), here, columns, Panel(self.panel, width))
        return self.panel

    def left_rows(self, batch: ir.Value | int, row: ir.Value | int) -> ir.Value:
        """Return the address of a row of the left, in place."""
        return self._at(self.left, self.work.left, batch, row, 0)

    def left_stripe(
        self, batch: ir.Value, first: ir.Value, height: ir.Value, below: ir.Value, key: ir.Value
    ) -> ir.Value:
        """Return the address of tile `first + below`'s rows, in a packed block of `height` tiles."""
        rows, builder = self.plan.rows, self.code.builder
        if not self.plan.pack_left:
            tile = builder.add(first, below)
            return self.left_rows(batch, builder.mul(tile, constant(rows)))
        whole, rest = divmod(self.work.rows, rows)
        with self._unless(self.in_stripes, key), self.code.loop(0, height, name="stripe") as stripe:
            tile = builder.add(first, stripe)
            here = self.left_rows(batch, builder.mul(tile, constant(rows)))
            for count, full in ((rows, True), (rest, False)):
                if count and (whole or not full):
                    sign = "<" if full else "=="
                    with self.code.only_if(builder.icmp_signed(sign, tile, constant(whole))):
                        pack(
                            self.code,
                            self._lines(self.work.left),
                            here,
                            count,
                            Panel(self._stripe(stripe), self.stripe),
                        )
        return self._stripe(below)

    def _stripe(self, index: ir.Value) -> ir.Value:
        offset = self.code.builder.mul(index, constant(self.stripe * self.work.depth))
        return self.code.at(self.stripes, offset, self.work.dtype)

    def _at(self, pointer: ir.Value, matrix: Matrix, *place: ir.Value | int) -> ir.Value:
        return self.code.at(pointer, matrix.offset(self.code, *place), self.work.dtype)

    def _lines(self, matrix: Matrix) -> Lines:
        return Lines(matrix.row, matrix.column, self.work.depth, self.work.dtype, self.plan.lanes)

    @contextmanager
    def _unless(self, last: ir.Value, key: ir.Value | None) -> Iterator[None]:
        """Run what is written inside where the key is not the last one."""
        if key is None:
            yield
            return
        with self.code.only_if(self.code.builder.icmp_signed("!=", self.code.get(last), key)):
            self.code.set(last, key)
            yield
