"""A layered layout: things in rows, every edge from a row to one further on, few crossings.

The method of Sugiyama, Tagawa and Toda (1981): rows by longest path; a bend in every row that an edge
passes, its label in the last; the order in the rows by barycentres; places by least squares
under the order (`straight.py`). It knows numbers only: extents across and along, and who is joined.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from chainrule.inspect.draw.crossing import untangle
from chainrule.inspect.draw.straight import Pair, straighten

_PITCH = 18.0


@dataclass(slots=True)
class Node:
    """A thing to place: `low` and `high` reach across from its anchor, `deep` along the direction.

    `row` and `x` are what is found; `weight` says how much a straight edge is worth here.
    """

    low: float
    high: float
    deep: float
    weight: float = 1.0
    row: int = 0
    x: float = 0.0


@dataclass(slots=True)
class Edge:
    """From node `start` to node `end`; `label` has the size of what is written on it, if anything.

    Edges of one `group` leave their start at the same point.

    `path` is what is found: the nodes that the edge passes, one in each row, ends included.
    """

    start: int
    end: int
    label: Node | None = None
    group: object = None
    path: list[int] = field(default_factory=list[int])
    labelled: int = -1  # the label's node
    begin: int = 0  # from where on it is its own, and not a trunk that was there before
    out: float = 0.0  # where it docks, counted from the anchors of its ends
    in_: float = 0.0


@dataclass(slots=True)
class Layers:
    """The nodes (bends and labels after those given), the edges, and each row from left to right."""

    nodes: list[Node]
    edges: list[Edge]
    rows: list[list[int]]


def layered(nodes: list[Node], edges: list[Edge], first: set[int], last: set[int]) -> Layers:
    """Place `nodes`, given so that every edge leads to a later one.

    Those in `first` and `last` get the outermost rows to themselves. Things lie in even rows,
    labels in odd ones.
    """
    _rank(nodes, edges, first, last)
    _bend(nodes, edges)
    rows: list[list[int]] = [[] for _ in range(1 + max((node.row for node in nodes), default=0))]
    passed = dict.fromkeys(i for edge in edges for i in edge.path)  # in the order of the arguments
    for i in (*passed, *(i for i in range(len(nodes)) if i not in passed)):
        rows[nodes[i].row].append(i)
    rows = untangle(rows, [(pair.a, pair.b) for pair in _pairs(edges)])
    straighten(nodes, rows, _pairs(edges))
    _dock(nodes, edges)
    straighten(nodes, rows, _pairs(edges))
    return Layers(nodes, edges, rows)


def _pairs(edges: list[Edge]) -> list[Pair]:
    found = (
        Pair(a, b, edge.out if a == edge.start else 0.0, edge.in_ if b == edge.end else 0.0)
        for edge in edges
        for a, b in pairwise(edge.path)
    )
    return list(dict.fromkeys(found))


def _dock(nodes: list[Node], edges: list[Edge]) -> None:
    """Let edges arrive side by side, in the order from which they come; all of one group leave as one."""
    leaving: dict[int, dict[object, list[Edge]]] = {}
    arriving: dict[int, list[Edge]] = {}
    for edge in edges:
        leaving.setdefault(edge.start, {}).setdefault(edge.group, []).append(edge)
        arriving.setdefault(edge.end, []).append(edge)
    for i, groups in leaving.items():
        for k, own in enumerate(groups.values()):
            for edge in own:
                edge.out = _place(nodes[i], k, len(groups))
    for i, own in arriving.items():
        own.sort(key=lambda edge: nodes[edge.path[-2]].x)
        for k, edge in enumerate(own):
            edge.in_ = _place(nodes[i], k, len(own))


def _place(node: Node, k: int, count: int) -> float:
    pitch = min(_PITCH, (node.low + node.high) / (count + 1))
    return (k - (count - 1) / 2) * pitch if node.deep else 0.0


def _rank(nodes: list[Node], edges: list[Edge], first: set[int], last: set[int]) -> None:
    """Give each node its row: after all that it needs, and sources right before what needs them."""
    ins: list[list[int]] = [[] for _ in nodes]
    outs: list[list[int]] = [[] for _ in nodes]
    for edge in edges:
        ins[edge.end].append(edge.start)
        outs[edge.start].append(edge.end)
    for i, node in enumerate(nodes):
        lowest = 0 if i in first or not first else 2
        node.row = max((nodes[j].row + 2 for j in ins[i]), default=lowest)
    for i in reversed(range(len(nodes))):
        users = [nodes[j].row for j in outs[i] if j not in last]
        if users and i not in first and len(outs[i]) > len(ins[i]):
            nodes[i].row = min(users) - 2
    bottom = max((node.row for i, node in enumerate(nodes) if i not in last), default=0) + 2
    for i in last:
        nodes[i].row = bottom


def _bend(nodes: list[Node], edges: list[Edge]) -> None:
    """Put a bend into every row that an edge passes; the last of them is its label, if it has one.

    Edges of one group share their bends up to the last, as one trunk with branches.
    """
    trunks: dict[tuple[int, object], list[int]] = {}
    for edge in edges:
        trunk = trunks.setdefault((edge.start, edge.group), [])
        first, last = nodes[edge.start].row + 1, nodes[edge.end].row - 1
        edge.begin = min(len(trunk), last - first)
        for row in range(first + len(trunk), last):
            trunk.append(_added(nodes, Node(5.0, 5.0, 0.0, weight=6.0), row))
        own = _added(nodes, edge.label or Node(5.0, 5.0, 0.0, weight=6.0), last)
        edge.path = [edge.start, *trunk[: last - first], own, edge.end]
        edge.labelled = own if edge.label else -1


def _added(nodes: list[Node], node: Node, row: int) -> int:
    node.row = row
    nodes.append(node)
    return len(nodes) - 1
