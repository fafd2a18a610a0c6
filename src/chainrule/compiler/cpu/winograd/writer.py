"""Writer: what the ways of writing tiles of a convolution share beyond their places.

The product of two matrices whose sums stay in registers while they grow, and numbers that are not finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import type_of
from chainrule.compiler.cpu.convolution.tiles import cut, effort
from chainrule.compiler.cpu.product.tile import Tile, by_columns
from chainrule.compiler.cpu.winograd.planes import PlaneWriter


@dataclass(frozen=True)
class Panel:
    """A product of rows x steps and steps x columns; left strides (row, step), right from step to step."""

    rows: int
    columns: int
    left: tuple[int, int]
    right: int
    out: int  # numbers from row to row
    adds: bool = False


class TileWriter(PlaneWriter):
    """Writes a function that multiplies at the points."""

    def nothing(self) -> ir.Constant:
        """Return zeros in all lanes."""
        return self.code.splat(ir.Constant(type_of(self.dtype), 0.0), self.lanes)

    def any_odd(self, value: Any) -> ir.Value:
        """Tell whether any lane is not a number."""
        builder = self.code.builder
        bits = builder.bitcast(builder.fcmp_unordered("uno", value, value), ir.IntType(self.lanes))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    def product(self, sizes: Panel, left: ir.Value, right: ir.Value, out: ir.Value, depth: Any) -> None:
        """Write the product of a left and a right over `depth` steps into `out`, or add it there."""
        code, lanes = self.code, self.lanes
        across, rows = _tile(self.code.target.registers, sizes.columns // lanes, sizes.rows)
        for wide, high in product(cut(sizes.columns // lanes, across), cut(sizes.rows, rows)):
            tile = Tile(
                high.width, wide.width * lanes, 0, sizes.left, (1, sizes.right), lanes, self.dtype.name,
                padded=True, by_sum=False,
            )  # fmt: skip
            with (
                code.loop(0, wide.count, name="strip") as i,
                code.loop(0, high.count, name="rows") as j,
            ):
                column = self.counted(i, wide.width * lanes, wide.start * lanes)
                row = self.counted(j, high.width, high.start)
                here = code.at(out, code.builder.add(self.counted(row, sizes.out), column), self.dtype)
                from_left = code.at(left, self.counted(row, sizes.left[0]), self.dtype)
                self.grown(tile, sizes, (from_left, code.at(right, column, self.dtype), here), depth)

    def grown(self, tile: Tile, sizes: Panel, at: Any, depth: Any) -> None:
        """Write one tile of a product: its sums from what they were to what they become."""
        code, (left, right, out) = self.code, at
        places = [
            (row * sizes.out + first, lanes)
            for row in range(tile.rows)
            for first, lanes in ((i, self.lanes) for i in range(0, tile.columns, self.lanes))
        ]
        if sizes.adds:
            before: list[Any] = [code.load(out, place, self.dtype, lanes) for place, lanes in places]
        else:
            before = [self.nothing() for _ in places]
        found = by_columns(code, tile, left, right, before, depth)
        values = (value for row in found for *_, value in row)
        for (place, _), value in zip(places, values, strict=True):
            code.store(value, out, place, self.dtype)


def _tile(registers: int, columns: int, rows: int) -> tuple[int, int]:
    """Return the vectors across and the rows of a tile under which all of them cost least.

    Its sums, one step's columns and a number of the left fit the registers. Each kind of tile is code
    of its own: five hundred multiply-adds written out count as twice the work.
    """

    def cost(tile: tuple[int, int]) -> float:
        pieces = [*product(cut(columns, tile[0]), cut(rows, tile[1]))]
        written = sum(a.width * b.width for a, b in pieces)
        return sum(a.count * b.count * effort(a.width, b.width) for a, b in pieces) * (1 + written / 500)

    sizes = product(range(1, columns + 1), range(1, rows + 1))
    return min((each for each in sizes if each[0] * (each[1] + 1) + 1 <= registers), key=cost)
