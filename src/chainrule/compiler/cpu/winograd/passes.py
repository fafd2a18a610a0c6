"""Passes: the sizes of a convolution that is computed in tiles of 4 x 4 results, and whether that pays.

Forward and gradient of the input are the same sliding of 3 x 3 weights over planes, seen from two
sides: `Pass` has their sizes. Plain numbers only: no code is written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.tiles import BLOCK_BYTES
from chainrule.compiler.cpu.winograd.matrices import POINTS

TAPS = 3
TILE = POINTS + 1 - TAPS  # results in a row of a tile
PRODUCTS = POINTS * POINTS
FEWEST = 16  # channels on either side from which on the lanes of every step are full
_NEAR = 1 << 18  # bytes of tiles that are worked on at once: they stay in the second cache
_AT_ONCE = 4  # tiles of a chunk, at most
_PANEL = 64  # result channels whose sums are kept at once
_INTO, _OUT_OF = 150, 170  # operations, about, with which a tile of one channel becomes points, and back
_WORTH = 0.8  # of the direct way's operations


@dataclass(frozen=True)
class Pass:
    """From `source` to `result` channels: planes of h x w become `height` x `width`.

    The place (i, j) of a result reads the source from (i - top, j - left) on. A chunk is some
    tiles, numbered by block of images, row and column; it is what a part computes.
    """

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
    def down(self) -> int:
        """Tiles from top to bottom."""
        return -(-self.height // TILE)

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width // TILE)

    @property
    def tiles(self) -> int:
        """Tiles of all blocks."""
        return -(-self.images // self.block) * self.down * self.across

    @property
    def panel(self) -> int:
        """Result channels that are computed before they are written."""
        return min(self.result, _PANEL)

    @cached_property
    def chunk(self) -> int:
        """Tiles of a chunk."""
        each = PRODUCTS * (self.source + self.panel) * BLOCK_BYTES
        return max(1, min(_AT_ONCE, self.tiles, _NEAR // each))

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.tiles // self.chunk)

    @property
    def operations(self) -> int:
        """Operations on vectors: multiply-adds, and those that lead from numbers to points and back."""
        products = PRODUCTS * self.source * self.result
        each = products + _INTO * self.source + _OUT_OF * self.result
        return each * self.tiles


def forward(g: Geometry, itemsize: int) -> Pass:
    """Return the sizes of a convolution's forward pass."""
    block = BLOCK_BYTES // itemsize
    return Pass(g.n, block, g.c, g.o, g.h, g.w, g.out_h, g.out_w, g.pads[0][0], g.pads[1][0])


def backward(g: Geometry, itemsize: int) -> Pass:
    """Return the sizes of the gradient of a convolution's input, from that of its output."""
    block, reach = BLOCK_BYTES // itemsize, TAPS - 1
    top, left = reach - g.pads[0][0], reach - g.pads[1][0]
    return Pass(g.n, block, g.o, g.c, g.out_h, g.out_w, g.h, g.w, top, left)


def pays(g: Geometry, itemsize: int) -> bool:
    """Tell whether tiles are clearly less work than sums of all taps, in all three directions."""
    plain = (g.kh, g.kw, g.stride, g.dilation, g.groups) == (TAPS, TAPS, (1, 1), (1, 1), 1)
    if not plain or min(g.c, g.o) < FEWEST:
        return False
    direct = g.flops / 2 / g.n * -(-g.n // (BLOCK_BYTES // itemsize))
    return all(way(g, itemsize).operations < _WORTH * direct for way in (forward, backward))
