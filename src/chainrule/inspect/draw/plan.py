"""The layout of one part, with everything in it closed: rows, places, and where edges dock.

Opening what is inside keeps rows and order, and only pushes things apart (`arrange.py`); so one plan
of each part serves every drawing, and the page too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from chainrule.inspect.draw.face import face, written
from chainrule.inspect.draw.layered import Edge, Layers, Node, layered
from chainrule.inspect.draw.scene import LEADING, SMALL, Face
from chainrule.inspect.draw.text import width
from chainrule.inspect.draw.tree import Part
from chainrule.inspect.draw.wiring import Item, Link, Port, Wiring
from chainrule.inspect.gate import Gate

GAP = 12.0
_LAST = 1e9


@dataclass(slots=True)
class Plan:
    """Layers of one part: node i is item i, further nodes are bends and labels.

    `texts` is what is written on each edge, `gaps` the room before each row.
    """

    part: Part
    items: list[Item]
    faces: list[Face | None]
    layers: Layers
    links: list[Link]
    texts: list[tuple[str, str | None] | None]
    gaps: list[float]
    right: bool

    def arrivals(self, part: Part) -> dict[Item, float]:
        """Return where each value arrives at a part within this one."""
        return {
            Port(link.source, True): edge.in_
            for link, edge in zip(self.links, self.layers.edges, strict=True)
            if link.end is part
        }


def plan(part: Part, wiring: Wiring, right: bool, outer: Plan | None = None) -> Plan:
    """Lay out the inside of a part; `right` runs from left to right, else from top to bottom.

    What enters is tried first in the order in which it arrives in `outer`, the plan around.
    """
    arrive = outer.arrivals(part) if outer else {}
    items = sorted(wiring.items, key=lambda item: arrive.get(item, _LAST))
    links = list(wiring.links.values())
    place = {item: i for i, item in enumerate(items)}
    faces = [None if isinstance(item, Port) else face(item, _short(item, part)) for item in items]
    nodes = [_node(each, right) for each in faces]
    texts = [written(link) if _labelled(link, links, part) else None for link in links]
    edges = [
        Edge(place[link.start], place[link.end], _label(text, right), link.source)
        for link, text in zip(links, texts, strict=True)
    ]
    ports = [(i, item.enters) for i, item in enumerate(items) if isinstance(item, Port)]
    layers = layered(
        nodes, edges, {i for i, enters in ports if enters}, {i for i, enters in ports if not enters}
    )
    return Plan(part, items, faces, layers, links, texts, _gaps(layers), right)


def _short(item: Item, part: Part) -> str:
    """Return a leaf's name without the path of the module that it is drawn in."""
    if isinstance(item, Gate) and item.is_leaf:
        around = [level.name for level in part.chain() if level.kind == "module" and level.name]
        return item.name.removeprefix(f"{around[-1]}.") if around else item.name
    return ""


def _node(shown: Face | None, right: bool) -> Node:
    if shown is None:
        return Node(6.0, 6.0, 0.0, weight=2.0)
    across, along = (shown.height, shown.width) if right else (shown.width, shown.height)
    return Node(across / 2, across / 2, along)


def _labelled(link: Link, links: list[Link], part: Part) -> bool:
    """Say whether an edge is written on: not where it only continues one that is, outside."""
    if isinstance(link.end, Port):
        return part.kind == "graph"
    if isinstance(link.start, Port):
        return sum(other.start == link.start for other in links) > 1
    return not (isinstance(link.start, Gate) and link.start.op == "constant")


def _label(text: tuple[str, str | None] | None, right: bool) -> Node | None:
    if text is None:
        return None
    wide = max(width(each, SMALL) for each in text if each is not None) + 8
    if right:
        return Node(16.0, 16.0, wide, weight=4.0)
    return Node(5.0, wide + 4, LEADING * (1 if text[1] is None else 2) + 2, weight=4.0)


def _gaps(layers: Layers) -> list[float]:
    """Return the room before each row: more where edges go far across."""
    gaps = [GAP] * len(layers.rows)
    for edge in layers.edges:
        for a, b in pairwise(edge.path):
            one, other = layers.nodes[a], layers.nodes[b]
            gaps[other.row] = max(gaps[other.row], min(GAP + 0.07 * (abs(one.x - other.x) - 30), 3 * GAP))
    return gaps
