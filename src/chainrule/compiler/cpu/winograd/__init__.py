"""Convolutions of 3 x 3 taps by fewer multiplications: tiles of results, computed at points."""

from chainrule.compiler.cpu.winograd.filters import Filters
from chainrule.compiler.cpu.winograd.gradient import Joined, Shards
from chainrule.compiler.cpu.winograd.passes import pays
from chainrule.compiler.cpu.winograd.sliding import Slid

__all__ = ["Filters", "Joined", "Shards", "Slid", "pays"]
