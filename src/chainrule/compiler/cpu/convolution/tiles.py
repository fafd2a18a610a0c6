"""Tiles: how rows of places and channels are cut into pieces that fit the registers.

A tile is `width` columns times `channels` channels whose sums stay in registers. Columns that
read the same way share their code, so a row is cut into few `Run`s of equal tiles. Plain numbers
only: no code is written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, product

from chainrule.compiler.cpu.convolution.geometry import Reads

BLOCK_BYTES = 64  # one place of all images of a block: a line of a cache


@dataclass(frozen=True)
class Piece:
    """`count` neighbouring tiles of `width` from `start` on."""

    start: int
    count: int
    width: int


def cut(size: int, most: int) -> list[Piece]:
    """Cut a length into the fewest tiles of at most `most`, as even as can be: at most two widths."""
    if size == 0:
        return []
    tiles = -(-size // most)
    narrow, wide = size // tiles, size % tiles
    pieces = Piece(0, wide, narrow + 1), Piece(wide * (narrow + 1), tiles - wide, narrow)
    return [piece for piece in pieces if piece.count]


@dataclass(frozen=True)
class Segment:
    """Neighbouring taps of a tile that the same columns take part in: columns start <= i < stop.

    `source` is what column 0 would read with the first of the taps, from the tile's own origin.
    """

    tap: int
    taps: int
    source: int
    start: int
    stop: int


@dataclass(frozen=True)
class Run:
    """`count` neighbouring tiles that read alike; their first column is `place`, its origin `origin`."""

    place: int
    origin: int
    count: int
    width: int
    segments: tuple[Segment, ...]


def runs(reads: Reads, most: int) -> list[Run]:
    """Cut the columns of a row into runs of alike tiles of at most `most` columns."""
    found: list[Run] = []
    for phase in range(min(reads.phases, len(reads.places))):
        row = reads.places[phase :: reads.phases]
        for piece in cut(len(row), most):
            starts = range(piece.start, piece.start + piece.count * piece.width, piece.width)
            alike = groupby(starts, lambda start: _segments(reads, row, start, piece.width))  # noqa: B023
            for segments, group in alike:
                members = list(group)
                place = phase + members[0] * reads.phases
                found.append(Run(place, members[0] * reads.pace, len(members), piece.width, segments))
    return found


def _segments(
    reads: Reads, row: tuple[tuple[tuple[int, int], ...], ...], start: int, width: int
) -> tuple[Segment, ...]:
    """Return what the tile of `width` columns from `start` of a phase's row reads."""
    columns: dict[int, list[tuple[int, int]]] = {}
    for column in range(width):
        for tap, source in row[start + column]:
            columns.setdefault(tap, []).append((column, source - (start + column) * reads.pace))
    segments: list[Segment] = []
    for tap, members in sorted(columns.items()):
        first, last, source = members[0][0], members[-1][0] + 1, members[0][1]
        before = segments[-1] if segments else None
        if before and (before.start, before.stop) == (first, last):
            segments[-1] = Segment(before.tap, before.taps + 1, before.source, first, last)
        else:
            segments.append(Segment(tap, 1, source, first, last))
    return tuple(segments)


def fits(registers: int, rows: int, columns: int) -> bool:
    """Return whether the sums of a tile, its shorter row of factors and one more fit the registers."""
    return rows * columns + min(rows, columns) + 1 <= registers


def strip(registers: int, columns: int, channels: int) -> tuple[int, int]:
    """Return the tile (columns, channels) under which all columns times all channels cost least.

    Each kind of tile is code of its own: a thousand multiply-adds written out count as twice the work.
    """

    def cost(tile: tuple[int, int]) -> float:
        pieces = [*product(cut(columns, tile[0]), cut(channels, tile[1]))]
        written = sum(a.width * b.width for a, b in pieces)
        return sum(a.count * b.count * effort(a.width, b.width) for a, b in pieces) * (1 + written / 1000)

    sizes = (range(1, min(registers, max(1, size)) + 1) for size in (columns, channels))
    return min((each for each in product(*sizes) if fits(registers, *each)), key=cost)


@lru_cache(maxsize=4096)  # asked again for every cut of every convolution
def panel(registers: int, channels: int, outputs: int, taps: int) -> tuple[int, int]:
    """Return the tile (channels, outputs) that costs least where a channel counts once for each tap."""

    def cost(tile: tuple[int, int]) -> float:
        pieces = product(cut(channels, tile[0]), cut(outputs, tile[1]))
        each = ((a.count * b.count, a.width, b.width) for a, b in pieces)
        return sum(count * (effort(c * taps, o) + 0.25 * (c + o)) for count, c, o in each)

    sizes = (range(1, min(registers, size) + 1) for size in (channels, outputs))
    return min((each for each in product(*sizes) if fits(registers, each[0] * taps, each[1])), key=cost)


def effort(rows: int, columns: int) -> float:
    """Return the cycles, about, of one step of a tile: its sums (or their latency) and its loads."""
    return max(rows * columns, 8) + 0.25 * (rows + columns)
