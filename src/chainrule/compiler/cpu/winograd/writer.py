"""Writer: what the ways of writing tiles of a convolution share.

Where a tile reads and writes, with places outside of a plane led elsewhere; and the product of two
matrices whose sums stay in registers while they grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant, type_of
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES, cut, effort
from chainrule.compiler.cpu.convolution.writer import Writer
from chainrule.compiler.cpu.product.tile import Tile, by_columns
from chainrule.compiler.cpu.winograd.matrices import POINTS, Matrix
from chainrule.compiler.cpu.winograd.transform import both_ways


class Plane(NamedTuple):
    """Planes of so many rows and columns of blocks; `channel` numbers lie from one to the next."""

    height: int
    width: int
    channel: int


class Corner(NamedTuple):
    """The first row and column of a tile on its plane, and where the block's first plane begins."""

    row: ir.Value
    column: ir.Value
    start: ir.Value


class TileWriter(Writer):
    """Writes a function that works on tiles of the planes of blocks of images."""

    def plane(self, height: int, width: int) -> Plane:
        """Return planes of this size."""
        return Plane(height, width, height * width * self.block)

    def corner(self, pointer: ir.Value, plane: Plane, channels: int, tile: Any, first: Any) -> Corner:
        """Return where a tile (block, row, column) begins, if each is so many places behind the one before.

        `first` is (places, places above and left of the plane that the first tile begins at).
        """
        builder, (step, above, left) = self.code.builder, first
        number, row, column = tile
        start = self.code.at(pointer, builder.mul(number, constant(channels * plane.channel)), self.dtype)
        row = builder.sub(builder.mul(row, constant(step)), constant(above))
        column = builder.sub(builder.mul(column, constant(step)), constant(left))
        return Corner(row, column, start)

    def places(self, corner: Corner, plane: Plane, channel: ir.Value, size: int, outside: Any) -> Any:
        """Return pointers to size x size places of a channel; those off the plane are in a line of `outside`.

        `outside` has as many lines as there are places in a row.
        """
        code, builder = self.code, self.code.builder
        begin = self.place(corner, plane, channel, (constant(0), constant(0)))
        rows, columns = (
            [
                builder.icmp_unsigned("<", builder.add(first, constant(i)), constant(length))
                for i in range(size)
            ]
            for first, length in ((corner.row, plane.height), (corner.column, plane.width))
        )
        found: list[list[ir.Value]] = []
        for i, row in enumerate(rows):
            line = code.at(begin, i * plane.width * self.block, self.dtype)
            line = builder.select(row, line, outside)
            places = [code.at(line, j * self.block, self.dtype) for j in range(size)]
            found.append([builder.select(*each, outside) for each in zip(columns, places, strict=True)])
        return found

    def to_points(
        self, corner: Corner, plane: Plane, channel: ir.Value, matrix: Matrix, to: tuple[ir.Value, int]
    ) -> None:
        """Write how a tile of all images becomes numbers at the points, which lie `to[1]` numbers apart."""
        code, size, (start, step) = self.code, len(matrix[0]), to
        found = self.places(corner, plane, channel, size, self.zeros())
        later = self.place(corner, plane, code.builder.add(channel, constant(1)), (constant(0), constant(0)))
        with code.loop(0, size, name="ahead") as row:
            line = code.at(later, self.counted(row, plane.width * self.block), self.dtype)
            for column in range(size):
                code.prefetch(line, column * self.block, self.dtype)
        with self.each(self.block // self.lanes) as some:
            lane = self.counted(some, self.lanes)
            grid = [[code.load(each, lane, self.dtype, self.lanes) for each in row] for row in found]
            there = code.at(start, lane, self.dtype)
            for i, row in enumerate(both_ways(code, matrix, grid)):
                for j, value in enumerate(row):
                    code.store(value, there, (i * POINTS + j) * step, self.dtype)

    def place(self, corner: Corner, plane: Plane, channel: ir.Value, at: tuple[Any, Any]) -> ir.Value:
        """Return a pointer to the place of a channel that is so many rows and columns from the corner."""
        code, builder = self.code, self.code.builder
        row, column = builder.add(corner.row, at[0]), builder.add(corner.column, at[1])
        number = builder.add(self.counted(row, plane.width), column)
        offset = builder.add(self.counted(channel, plane.channel), self.counted(number, self.block))
        return code.at(corner.start, offset, self.dtype)

    def inside(self, corner: Corner, plane: Plane, at: tuple[Any, Any]) -> ir.Value:
        """Tell whether a place that is so many rows and columns from the corner is on the plane."""
        builder = self.code.builder
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

    def counted(self, index: Any, step: int, first: int = 0) -> Any:
        """Return index * step + first."""
        builder = self.code.builder
        found = builder.mul(index, constant(step), flags=("nsw",))
        return builder.add(found, constant(first)) if first else found


@dataclass(frozen=True)
class Panel:
    """A product of rows x steps and steps x columns; left strides (row, step), right from step to step."""

    rows: int
    columns: int
    left: tuple[int, int]
    right: int
    out: int  # numbers from row to row
    adds: bool = False


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
