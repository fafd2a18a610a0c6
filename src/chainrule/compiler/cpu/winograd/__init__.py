"""Convolutions by fewer multiplications: tiles of results, computed at points."""

from chainrule.compiler.cpu.winograd.filters import Filters
from chainrule.compiler.cpu.winograd.gradient import Joined, Shards
from chainrule.compiler.cpu.winograd.passes import Direction, Tile, tile_of
from chainrule.compiler.cpu.winograd.sliding import Slid

__all__ = ["Direction", "Filters", "Joined", "Shards", "Slid", "Tile", "tile_of"]
