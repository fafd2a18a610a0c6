"""Folding a graph until it can be read: modules and composites closed, opened again while there is room.

What is closed, and whether it can be, is the graph's business (`inspect.grouping`).
"""

from __future__ import annotations

from typing import Any


def fold(graph: Any, limit: int = 40) -> Any:
    """Close boxes of a ComputationalGraph so that at most `limit` gates show, where that can be had.

    Outer boxes are opened again, the largest first, as long as what then shows stays within the limit.
    """
    if len(graph) <= limit:
        return graph
    graph.group(kind="module").group()
    tried: set[str] = set()
    while True:
        boxes = [gate for gate in graph if gate.inside and gate.name not in tried]
        if not boxes:
            return graph
        box = max(boxes, key=lambda gate: len(gate.inside))
        tried.add(box.name)
        graph.ungroup(box.name)
        if len(graph) > limit:
            graph.group(box.name)
