"""Passes: the sizes of a convolution that is computed in tiles, which tiles, and whether that pays.

Forward and gradient of the input are the same sliding of weights over planes, seen from two sides:
`Pass` has their sizes. `Cut` says in which order its tiles are gone through. Plain numbers only: no
code is written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES
from chainrule.compiler.cpu.winograd.matrices import POINTS, Matrices

Direction: TypeAlias = Literal["forward", "input", "weights"]

FEWEST = 16  # channels of the result from which on the lanes of every step are full
_WIDEST = 8  # tiles of a row of tiles that are worked on at once, at most
_PIECES = 8  # pieces at least, where a piece is some rows of tiles
_ONE_WAY = 30  # operations, about, that lead a row or column of a tile to its points, or back
_PLACE = 2  # and to read or write what a point has
_TURN = 6  # and to put channels side by side at a place
_WORTH = 0.9  # of the direct way's operations


@dataclass(frozen=True)
class Tile:
    """The results that are computed at once: `down` x `across`, by products at points.

    The products are summed over `rows` of taps: where these are more than one, `down` is a single row.
    """

    down: Matrices
    across: Matrices
    rows: int = 1

    @property
    def points(self) -> int:
        """Products that give a tile of one channel, for one row of taps."""
        return self.down.points * self.across.points

    @property
    def taps(self) -> tuple[int, int]:
        """The size of the window."""
        return self.rows * self.down.taps, self.across.taps

    @property
    def turned(self) -> Tile:
        """The tile whose results are the taps: sums over what are the results here."""
        return Tile(self.down.turned, self.across.turned, self.rows)

    @property
    def into(self) -> float:
        """Operations, about, with which a tile of one channel becomes points."""
        ways = (self.across.points > 1) * self.down.points + (self.down.points > 1) * self.across.points
        return _ONE_WAY * ways + _PLACE * self.points

    @property
    def out_of(self) -> float:
        """Operations, about, with which the products become results of one channel."""
        ways = (self.across.points > 1) * self.down.points + (self.down.points > 1) * self.across.outputs
        return _ONE_WAY * ways + _PLACE * self.points


@dataclass(frozen=True)
class Pass:
    """From `source` to `result` channels: planes of h x w become `height` x `width`.

    The place (i, j) of a result reads the source from (i - top, j - left) on.
    """

    tile: Tile
    images: int
    block: int  # images in a block
    source: int
    result: int
    h: int
    w: int
    height: int
    width: int
    top: int
    left: int

    @property
    def blocks(self) -> int:
        """Blocks of images."""
        return -(-self.images // self.block)

    @property
    def down(self) -> int:
        """Tiles from top to bottom."""
        return -(-self.height // self.tile.down.outputs)

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width // self.tile.across.outputs)

    @property
    def tiles(self) -> int:
        """Tiles of all blocks."""
        return self.blocks * self.down * self.across

    @property
    def operations(self) -> float:
        """Operations on vectors: multiply-adds, and those that lead from numbers to points and back."""
        tile = self.tile
        products = tile.points * tile.rows * self.source * self.result
        return (products + tile.into * self.source + tile.out_of * self.result) * self.tiles

    @property
    def gradient_operations(self) -> float:
        """The same for the gradient of the weights: results go to points, too, with channels side by side."""
        tile = self.tile
        products = tile.points * tile.rows * self.source * self.result
        turned = tile.turned.into + _TURN * tile.down.outputs * tile.across.outputs
        return (products + tile.into * self.source + turned * self.result) * self.tiles


@dataclass(frozen=True)
class Cut:
    """Pieces of `lines` lines of `tiles` neighbouring tiles, numbered by block, row and column.

    Where rows of taps are added up, a line is a row of tiles or a part of it, and a piece reads so many
    lines more than it makes. Elsewhere a piece is one line, which may go on in the next row or block.
    """

    sizes: Pass
    lines: int
    tiles: int

    @staticmethod
    def of(sizes: Pass, channels: int, near: int, most: int, least: int = 1) -> Cut:
        """Return pieces of `least` to `most` tiles that take about `near` bytes at the points.

        `channels` is how many stand at the points of a tile.
        """
        each = sizes.tile.points * BLOCK_BYTES
        if sizes.tile.rows == 1:
            return Cut(sizes, 1, min(max(least, near // (each * channels)), most, sizes.tiles))
        more, strips = sizes.tile.rows - 1, -(-sizes.across // _WIDEST)

        def lines() -> int:
            return near // (each * channels * -(-sizes.across // strips)) - more

        while lines() <= more and strips < sizes.across:  # what is read again would be most of it
            strips = min(2 * strips, sizes.across)
        bands = max(-(-_PIECES // (sizes.blocks * strips)), -(-sizes.down // max(1, lines())))
        return Cut(sizes, -(-sizes.down // min(bands, sizes.down)), -(-sizes.across // strips))

    @property
    def by_rows(self) -> bool:
        """Whether lines are rows of tiles, or parts of rows."""
        return self.sizes.tile.rows > 1

    @property
    def read(self) -> int:
        """Lines of the source that a piece reads."""
        return self.lines + self.sizes.tile.rows - 1

    @property
    def bands(self) -> int:
        """Pieces from top to bottom, where lines are rows."""
        return -(-self.sizes.down // self.lines)

    @property
    def strips(self) -> int:
        """Pieces beside each other, where lines are rows."""
        return -(-self.sizes.across // self.tiles)

    @cached_property
    def pieces(self) -> int:
        """How many pieces there are."""
        if not self.by_rows:
            return -(-self.sizes.tiles // self.tiles)
        return self.sizes.blocks * self.bands * self.strips


def forward(g: Geometry, tile: Tile, itemsize: int) -> Pass:
    """Return the sizes of a convolution's forward pass."""
    block = BLOCK_BYTES // itemsize
    return Pass(tile, g.n, block, g.c, g.o, g.h, g.w, g.out_h, g.out_w, g.pads[0][0], g.pads[1][0])


def backward(g: Geometry, tile: Tile, itemsize: int) -> Pass:
    """Return the sizes of the gradient of a convolution's input, from that of its output."""
    block, top, left = BLOCK_BYTES // itemsize, g.kh - 1 - g.pads[0][0], g.kw - 1 - g.pads[1][0]
    return Pass(tile, g.n, block, g.o, g.c, g.out_h, g.out_w, g.h, g.w, top, left)


def tile_of(g: Geometry, direction: Direction, itemsize: int) -> Tile | None:
    """Return the tiles with which a direction is clearly less work than with sums of all taps, if any."""
    plain = (g.stride, g.dilation, g.groups) == ((1, 1), (1, 1), 1)
    if not plain or (g.c if direction == "input" else g.o) < FEWEST:
        return None
    direct = g.flops / 2 / g.n * -(-g.n // (BLOCK_BYTES // itemsize))
    costs = {tile: _cost(g, tile, direction, itemsize) for tile in tiles(g)}
    best = min(costs, key=lambda tile: costs[tile], default=None)
    return best if best is not None and costs[best] < _WORTH * direct else None


def tiles(g: Geometry) -> list[Tile]:
    """Return the tiles that a window can be computed in: as large as the points allow."""
    found: list[Tile] = []
    if 1 < g.kw < POINTS:
        across = Matrices(POINTS + 1 - g.kw, g.kw)
        found.append(Tile(Matrices(1, 1), across, g.kh))
        if 1 < g.kh < POINTS:
            found.append(Tile(Matrices(POINTS + 1 - g.kh, g.kh), across))
    return found


def _cost(g: Geometry, tile: Tile, direction: Direction, itemsize: int) -> float:
    if direction == "weights":
        return forward(g, tile, itemsize).gradient_operations
    return (backward if direction == "input" else forward)(g, tile, itemsize).operations
