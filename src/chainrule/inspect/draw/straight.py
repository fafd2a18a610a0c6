"""Places across a row: edges as straight as the order and the sizes allow.

Each node would like to stand at the weighted mean of its neighbours. Under the order, with every
distance at least what the sizes ask for, the closest such places in the least-squares sense are an
isotonic regression, found exactly by pooling neighbours that push each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple, Protocol

_GAP = 16.0
_SWEEPS = 12


class Placed(Protocol):
    """What has a place across, and reaches `low` and `high` from there."""

    low: float
    high: float
    x: float
    weight: float


class Pair(NamedTuple):
    """An edge from node `a` to node `b` in the next row, docking at some distance from their anchors."""

    a: int
    b: int
    out: float = 0.0
    in_: float = 0.0


def straighten(nodes: Sequence[Placed], rows: Sequence[Sequence[int]], pairs: Sequence[Pair]) -> None:
    """Set `x` of every node; those in a row keep their order and do not touch."""
    ups: list[list[tuple[int, float]]] = [[] for _ in nodes]
    downs: list[list[tuple[int, float]]] = [[] for _ in nodes]
    for a, b, out, in_ in pairs:
        ups[b].append((a, out - in_))
        downs[a].append((b, in_ - out))
    both = [up + down for up, down in zip(ups, downs, strict=True)]
    for row in rows:
        _spread(nodes, row, [nodes[i].x for i in row])
    for sweep in range(_SWEEPS):
        near = (ups, downs) if sweep < _SWEEPS - 4 else (both, both)
        for joined, order in zip(near, (rows, rows[::-1]), strict=True):
            for row in order:
                _spread(nodes, row, [_wish(nodes, joined[i] or both[i], i) for i in row])
    for row in rows:  # at last, what passes and what has a single input goes straight on
        _spread(nodes, row, [_wish(nodes, ups[i] if len(ups[i]) == 1 else [], i) for i in row])


def _wish(nodes: Sequence[Placed], joined: Sequence[tuple[int, float]], i: int) -> float:
    if not joined:
        return nodes[i].x
    total = sum(nodes[j].weight for j, _ in joined)
    return sum((nodes[j].x + shift) * nodes[j].weight for j, shift in joined) / total


def _spread(nodes: Sequence[Placed], row: Sequence[int], wishes: Sequence[float]) -> None:
    """Give the nodes of one row the places closest to their wishes that keep them apart."""
    offset, offsets = 0.0, [0.0]
    for a, b in itertools.pairwise(row):
        offset += nodes[a].high + _GAP + nodes[b].low
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # mean, weight, count; the means ascend
    for i, wish, shift in zip(row, wishes, offsets, strict=False):
        mean, weight, count = wish - shift, nodes[i].weight, 1
        while pools and pools[-1][0] >= mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * weight) / (heavy + weight)
            weight, count = heavy + weight, many + count
        pools.append((mean, weight, count))
    places = [mean for mean, _, count in pools for _ in range(count)]
    for i, place, shift in zip(row, places, offsets, strict=False):
        nodes[i].x = place + shift
