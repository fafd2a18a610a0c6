"""What the page knows: every part's layout, what each box says, every gate's card; as plain data.

The script in the page reads it (`page.js`); what it draws is `draw`'s, what its cards say `explain`'s and
`summary`'s.
"""

from __future__ import annotations

from typing import Any

from chainrule.inspect.draw import arrange
from chainrule.inspect.draw.drawing import Drawing
from chainrule.inspect.draw.face import written
from chainrule.inspect.draw.plan import Plan
from chainrule.inspect.draw.scene import LOOKS, Box, Label
from chainrule.inspect.draw.svg import STYLE, box, label
from chainrule.inspect.draw.tree import Part, homes
from chainrule.inspect.draw.wiring import Item, Port
from chainrule.inspect.gate import Gate
from chainrule.inspect.page.summary import card, summary


def contents(drawing: Drawing, open: set[Part]) -> dict[str, Any]:
    """Return the data of the page: gates are numbered in topological order, leaves first."""
    parts = list(drawing.root.parts())
    gates = [*drawing.root.all_leaves(), *drawing.root.gates()]
    number = {gate: i for i, gate in enumerate(gates)}
    place = homes(drawing.root)
    return {
        "right": drawing.right,
        "style": STYLE,
        "looks": {name: [look.fill, look.stroke, look.dashed] for name, look in LOOKS.items()},
        "sizes": {"strip": arrange.STRIP, "pad": arrange.PAD, "margin": arrange.MARGIN},
        "root": drawing.root.key,
        "open": [part.key for part in parts if part in open],
        "parts": {part.key: _part(drawing.plan(part), number) for part in parts},
        "gates": [
            {
                "name": gate.name,
                "op": gate.op,
                "leaf": gate.is_leaf,
                "parts": [part.key for part in place[gate].chain()],
                "card": card(gate, len(gates)),
            }
            for gate in gates
        ],
    }


def _part(plan: Plan, number: dict[Gate, int]) -> dict[str, Any]:
    part = plan.part
    return {
        "kind": part.kind,
        "name": part.name,
        "title": arrange.frame_title(part),
        "wide": arrange.title_width(part),
        "parent": part.parent.key if part.parent else None,
        "card": summary(part),
        "rows": plan.layers.rows,
        "gaps": _rounded(plan.gaps),
        "nodes": [
            [*_rounded([node.x, node.low, node.high, node.deep]), node.row] for node in plan.layers.nodes
        ],
        "items": [_item(plan, i, number) for i in range(len(plan.items))],
        "edges": [_edge(plan, k, number) for k in range(len(plan.links))],
    }


def _item(plan: Plan, i: int, number: dict[Gate, int]) -> dict[str, Any]:
    item, shown = plan.items[i], plan.faces[i]
    if isinstance(item, Port) or shown is None:
        assert isinstance(item, Port)
        return {"port": number[item.gate], "enters": item.enters}
    return {
        "key": _key(item, number),
        "leaf": isinstance(item, Gate) and item.is_leaf,
        "part": isinstance(item, Part),
        "wide": round(shown.width, 2),
        "svg": box(Box(0.0, 0.0, shown, "")),
    }


def _edge(plan: Plan, k: int, number: dict[Gate, int]) -> dict[str, Any]:
    edge, link = plan.layers.edges[k], plan.links[k]
    found: dict[str, Any] = {
        "path": edge.path,
        "begin": edge.begin,
        "out": round(edge.out, 2),
        "in": round(edge.in_, 2),
        "source": number[link.source],
        "first": min((number[gate] for gate, _ in link.uses), default=None),
        "arrow": arrange.points(plan.part, link),
        "flows": link.source.tracked,
        "hint": " / ".join(each for each in written(link) if each),
    }
    text = plan.texts[k]
    if text is not None:
        node = plan.layers.nodes[edge.labelled]
        wide = node.deep if plan.right else node.low + node.high
        found |= {"label": edge.labelled, "svg": label(Label(0.0, 0.0, wide, 0.0, *text, centred=plan.right))}
    return found


def _key(item: Item, number: dict[Gate, int]) -> str:
    return item.key if isinstance(item, Part) else f"gate {number[item]}"  # pyright: ignore


def _rounded(numbers: list[float]) -> list[float]:
    return [round(each, 2) for each in numbers]
