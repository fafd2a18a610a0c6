"""The order in each row, so that few edges cross: barycentre sweeps, the best order seen is kept.

Rows of numbers and pairs of them are all that is known here; places within a row are found by `straight`.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections.abc import Sequence

_SWEEPS = 12
_LARGE = 4_000  # nodes, beyond which fewer sweeps must do


def untangle(rows: list[list[int]], pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the rows, reordered; every pair joins a node to one in the next row."""
    ups: dict[int, list[int]] = {}
    downs: dict[int, list[int]] = {}
    for a, b in pairs:
        downs.setdefault(a, []).append(b)
        ups.setdefault(b, []).append(a)
    best, fewest = rows, crossings(rows, downs)
    sweeps = _SWEEPS if sum(map(len, rows)) <= _LARGE else 4
    for sweep in range(sweeps):
        if fewest == 0:
            break
        rows = _swept(rows, ups) if sweep % 2 == 0 else _swept(rows[::-1], downs)[::-1]
        if (found := crossings(rows, downs)) < fewest:
            best, fewest = rows, found
    return best


def crossings(rows: Sequence[Sequence[int]], downs: dict[int, list[int]]) -> int:
    """Return how many pairs of edges cross."""
    total = 0
    for row, following in itertools.pairwise(rows):
        place = {node: i for i, node in enumerate(following)}
        passed: list[int] = []
        for node in row:
            ends = [place[end] for end in downs.get(node, ())]
            total += sum(len(passed) - bisect_left(passed, end + 1) for end in ends)
            for end in ends:
                insort(passed, end)
    return total


def _swept(rows: list[list[int]], before: dict[int, list[int]]) -> list[list[int]]:
    """Sort each row by the mean place of what its nodes are joined to in the row before."""
    found = [rows[0]]
    for row in rows[1:]:
        place = {node: (i + 0.5) / len(found[-1]) for i, node in enumerate(found[-1])}
        own = {node: (i + 0.5) / len(row) for i, node in enumerate(row)}
        centre = {node: _mean([place[each] for each in before.get(node, ())], own[node]) for node in row}
        found.append(sorted(row, key=lambda node: centre[node]))
    return found


def _mean(places: list[float], own: float) -> float:
    return sum(places) / len(places) if places else own
