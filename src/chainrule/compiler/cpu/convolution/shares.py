"""Shares: how the weights of a convolution are cut into the parts of their gradient.

A share is some channels times some outputs of a group, for all rows of taps (or for one, where
parts would be few). Few weights are summed up over shares of the images, each by itself. Parts must
not depend on the target, so tiles are guessed for one kind of processor. Plain numbers only: no code
is written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import prod
from typing import NamedTuple

from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.tiles import cut, effort, panel

NARROW = 7  # column taps that a tile may hold at once
PLACES = 128  # places that a tile goes through, about, before its sums are put back: they stay near
SUMS = 4096  # vectors of sums that are worked on at once
REGISTERS = 32  # for which tiles are guessed
THREADS = 1, 2, 4, 8  # for which parts are counted
_IMAGES, _SUMMED = 8, 1 << 18  # shares of the images, and sums of all of them, at most
_FAR = 8.0  # cycles to bring a vector of x or y from where another thread, or an earlier kernel, left it


class Share(NamedTuple):
    """What a part owns: so many channels, outputs and rows of taps."""

    channels: int
    outputs: int
    rows: int


@dataclass(frozen=True)
class Shares:
    """The cut of a convolution's weights into equal shares.

    Channels and outputs are counted in a group. Where a group has one of each (depthwise), the
    groups count as channels, and a tile holds the pairs of equals only.
    """

    geometry: Geometry
    block: int  # images in a block

    @property
    def depthwise(self) -> bool:
        """Whether every group has one channel and one output."""
        return 1 < self.geometry.groups == self.geometry.c == self.geometry.o

    @property
    def groups(self) -> int:
        """Groups that are worked on one by one."""
        return 1 if self.depthwise else self.geometry.groups

    @property
    def taps(self) -> int:
        """Column taps in a tile."""
        return self.geometry.kw if self.geometry.kw <= NARROW else 1

    @property
    def whole(self) -> Share:
        """All weights of a group."""
        g = self.geometry
        return Share(g.c // self.groups, 1 if self.depthwise else g.o // g.groups, g.kh)

    @property
    def blocks(self) -> int:
        """Blocks of images."""
        return -(-self.geometry.n // self.block)

    @property
    def weights(self) -> int:
        """All weights, of all groups."""
        g = self.geometry
        return g.o * (g.c // g.groups) * g.kh * g.kw

    @property
    def images(self) -> int:
        """Shares of the images: a power of two, so that two threads and four have equal ones."""
        most = max(1, min(_IMAGES, self.blocks, _SUMMED // self.weights))
        return 1 << (most.bit_length() - 1)

    @property
    def near(self) -> tuple[int, int]:
        """Blocks, and rows of y, that all parts at once go through before any goes on."""
        g = self.geometry
        rows = max(1, min(g.out_h, -(-PLACES // max(1, g.out_w))))
        return max(1, min(self.blocks, PLACES // max(1, rows * g.out_w))), rows

    @cached_property
    def share(self) -> Share:
        """The share under which the gradient costs least."""
        whole = self.whole
        sizes = _divisors(whole.channels), _divisors(whole.outputs), (whole.rows, 1)
        return min((Share(*each) for each in product(*sizes)), key=self._cost)

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """How many groups, shares of outputs, channels and rows of taps, and column taps, make the parts."""
        return self._counts(self.share)

    def _counts(self, share: Share) -> tuple[int, int, int, int, int]:
        (channels, outputs, rows), whole = share, self.whole
        across = self.geometry.kw // self.taps
        return self.groups, whole.outputs // outputs, whole.channels // channels, whole.rows // rows, across

    @property
    def sums(self) -> int:
        """Sums of a part."""
        return prod(self.share) * self.taps

    @property
    def at_once(self) -> int:
        """Parts that go through the images together, so that these are read from near."""
        return max(1, min(prod(self.counts), SUMS // self.sums))

    def _cost(self, share: Share) -> float:
        """Return the cycles, about, of all threads, waiting ones too, for a place of a share of images."""
        tile = panel(REGISTERS, share.channels, share.outputs, self.taps)
        pieces = product(cut(share.channels, tile[0]), cut(share.outputs, tile[1]))
        each = sum(a.count * b.count * effort(a.width * self.taps, b.width) for a, b in pieces)
        each *= share.rows * self.taps / self.geometry.kw
        groups, outputs, channels, *rest = self._counts(share)
        of_output, of_channel = channels * prod(rest), prod(rest)
        parts, total = groups * outputs * of_output, 0.0
        for threads in THREADS:
            bounds = [parts * thread // threads for thread in range(threads + 1)]
            slowest = 0.0
            for low, high in pairwise(bounds):
                across = (high - 1) // of_output - low // of_output + 1
                down = min(channels, (high - 1) // of_channel - low // of_channel + 1)
                far = across * share.outputs + down * share.channels
                slowest = max(slowest, (high - low) * each + _FAR * far * (high > low))
            total += threads * slowest
        return total


def _divisors(number: int) -> Iterator[int]:
    return (each for each in range(1, number + 1) if number % each == 0)
