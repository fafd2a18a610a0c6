"""From plans to a scene: open parts become frames around their own plan, and push the rest apart.

A row with a frame in it grows, and what stands left and right of the frame moves outwards; the order
never changes, so nothing can overlap. The page does the same when a part is opened there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chainrule.inspect.draw.layered import Edge
from chainrule.inspect.draw.plan import Plan
from chainrule.inspect.draw.scene import SMALL, Box, Frame, Label, Line, Scene
from chainrule.inspect.draw.text import width
from chainrule.inspect.draw.tree import Part
from chainrule.inspect.draw.wiring import Link, Port
from chainrule.inspect.gate import Gate

STRIP, PAD = 32.0, 18.0  # a frame's title, its other borders
MARGIN = 20.0


@dataclass(slots=True)
class Block:
    """A part's inside with sizes: anchors across, rows along, and the frame around them."""

    plan: Plan
    xs: list[float]
    sizes: list[tuple[float, float, float]]  # low, high, deep
    tops: list[float]
    thick: list[float]
    low: float = 0.0  # the frame's ends across
    high: float = 0.0
    deep: float = 0.0
    anchor: float = 0.0
    inner: dict[int, Block] = field(default_factory=dict[int, "Block"])

    def port(self, gate: Gate, enters: bool) -> float:
        """Return where the value of `gate` crosses the frame, counted from the anchor."""
        return self.xs[self.plan.items.index(Port(gate, enters))] - self.anchor


def block(part: Part, open: set[Part], plans: Callable[[Part], Plan], right: bool) -> Block:
    """Return the inside of an open part, with the parts in `open` opened."""
    plan = plans(part)
    nodes = plan.layers.nodes
    inner = {
        i: block(item, open, plans, right)
        for i, item in enumerate(plan.items)
        if isinstance(item, Part) and item in open
    }
    sizes = [(node.low, node.high, node.deep) for node in nodes]
    for i, each in inner.items():
        sizes[i] = (each.anchor - each.low, each.high - each.anchor, each.deep)
    made = Block(plan, _pushed(plan, sizes, inner), sizes, [], [], inner=inner)
    for edge, link in zip(plan.layers.edges, plan.links, strict=True):
        _dock_straight(made, edge, link)
    _stack(made, right)
    _frame(made, right)
    return made


def _dock_straight(made: Block, edge: Edge, link: Link) -> None:
    """Put a port that is alone on its side in line with what it is joined to."""
    rows, nodes = made.plan.layers.rows, made.plan.layers.nodes
    alone = all(len(rows[nodes[i].row]) == 1 for i in edge.path[1:-1])
    if alone and isinstance(link.end, Port) and len(rows[-1]) == 1:
        for i in edge.path[1:]:
            made.xs[i] = made.xs[edge.start] + _leaves(made, edge, link)
    elif alone and isinstance(link.start, Port) and len(rows[0]) == 1:
        for i in edge.path[:-1]:
            made.xs[i] = made.xs[edge.end] + _arrives(made, edge, link)


def _leaves(made: Block, edge: Edge, link: Link) -> float:
    """Return where an edge leaves its start, counted from the anchor."""
    inner = made.inner.get(edge.start)
    return inner.port(link.source, False) if inner else edge.out


def _arrives(made: Block, edge: Edge, link: Link) -> float:
    """Return where an edge arrives at its end, counted from the anchor."""
    inner = made.inner.get(edge.end)
    return inner.port(link.source, True) if inner else edge.in_


def _pushed(plan: Plan, sizes: list[tuple[float, float, float]], inner: dict[int, Block]) -> list[float]:
    """Return the places across: in each row, what is beside an open part moves out of its way."""
    nodes = plan.layers.nodes
    xs = [node.x for node in nodes]
    for row in plan.layers.rows:
        for k, i in enumerate(row):
            if i in inner:
                for j in row[:k]:
                    xs[j] -= sizes[i][0] - nodes[i].low
                for j in row[k + 1 :]:
                    xs[j] += sizes[i][1] - nodes[i].high
    return xs


def _stack(made: Block, right: bool) -> None:
    """Set the rows' places along; ports lie on the frame itself."""
    plan = made.plan
    ports = [item for item in plan.items if isinstance(item, Port)]
    enters, leaves = any(port.enters for port in ports), any(not port.enters for port in ports)
    before, after = _pads(plan.part, right)[:2]
    along = 0.0 if enters else before
    for r, row in enumerate(plan.layers.rows):
        if r:
            along = before if r == 1 and enters else along + plan.gaps[r]
        made.tops.append(along)
        made.thick.append(max((made.sizes[i][2] for i in row), default=0.0))
        along += made.thick[-1]
    made.deep = along + (0.0 if leaves else after)
    if leaves:
        made.deep = made.tops[-1] = made.tops[-2] + made.thick[-2] + after


def _frame(made: Block, right: bool) -> None:
    _, _, low, high = _pads(made.plan.part, right)
    made.low = min(x - size[0] for x, size in zip(made.xs, made.sizes, strict=True)) - low
    made.high = max(x + size[1] for x, size in zip(made.xs, made.sizes, strict=True)) + high
    title = title_width(made.plan.part)
    if right:
        made.deep = max(made.deep, title)
        if isinstance(made.plan.items[-1], Port):
            made.tops[-1] = made.deep
    elif made.high - made.low < title:
        short = title - (made.high - made.low)
        made.low, made.high = made.low - short / 2, made.high + short / 2
    docks = [x for x, item in zip(made.xs, made.plan.items, strict=False) if isinstance(item, Port)]
    made.anchor = (docks[0] + docks[-1]) / 2 if docks else (made.low + made.high) / 2


def _pads(part: Part, right: bool) -> tuple[float, float, float, float]:
    """Return the borders: before and after along, low and high across."""
    if part.kind == "graph":
        return MARGIN, MARGIN, MARGIN, MARGIN
    return (PAD, PAD, STRIP, PAD) if right else (STRIP, PAD, PAD, PAD)


def frame_title(part: Part) -> str:
    """Return what stands on the frame of an open part."""
    kind = part.type if part.type != part.name else ""
    name = part.name
    return "  ".join(each for each in (kind, name) if each)


def title_width(part: Part) -> float:
    """Return the room that the title of a frame needs."""
    return 0.0 if part.kind == "graph" else width(frame_title(part), SMALL, bold=True) + 36


def scene(root: Block, right: bool) -> Scene:
    """Return the drawing of a whole graph."""
    made = Scene(right)
    _put(made, root, -root.low, 0.0)
    across, along = root.high - root.low, root.deep
    made.width, made.height = (along, across) if right else (across, along)
    return made


def _put(made: Scene, of: Block, across: float, along: float) -> None:
    """Add what is in a block, whose coordinates begin at (across, along)."""
    plan = of.plan
    for i, item in enumerate(plan.items):
        x, top = across + of.xs[i], along + _top(of, i)
        low, high, deep = of.sizes[i]
        shown = plan.faces[i]
        if i in of.inner:
            inner = of.inner[i]
            made.frames.append(_framed(inner, _rect(made, x - low, top, low + high, deep)))
            _put(made, inner, x - inner.anchor, top)
        elif shown is not None:
            left, upper, _, _ = _rect(made, x - low, top, low + high, deep)
            made.boxes.append(Box(left, upper, shown, item.key if isinstance(item, Part) else item.name))  # pyright: ignore
    for k in range(len(plan.links)):
        _draw(made, of, k, across, along)


def _draw(made: Scene, of: Block, k: int, across: float, along: float) -> None:
    """Add one edge of a block, and its label."""
    plan = of.plan
    edge, link, text = plan.layers.edges[k], plan.links[k], plan.texts[k]
    begin, end = _leaves(of, edge, link), _arrives(of, edge, link)
    stations: list[tuple[float, float, float, float]] = []
    for i in edge.path[edge.begin :]:
        row = plan.layers.nodes[i].row
        top, bottom = of.tops[row], of.tops[row] + of.thick[row]
        x = of.xs[i] + (begin if i == edge.start else end if i == edge.end else 0.0)
        if i == edge.start:
            top = _top(of, i) + of.sizes[i][2]
        elif i == edge.end:
            bottom = _top(of, i)
        a, b = (across + x, along + top), (across + x, along + bottom)
        stations.append((a[1], a[0], b[1], b[0]) if made.right else (*a, *b))
    arrow = points(plan.part, link) and edge.end not in of.inner
    made.lines.append(Line(tuple(stations), arrow, link.source.tracked))
    if text is not None:
        i = edge.labelled
        low, high, deep = of.sizes[i]
        rect = _rect(made, across + of.xs[i] - low, along + _top(of, i), low + high, deep)
        made.labels.append(Label(*rect, *text, centred=made.right))


def points(part: Part, link: Link) -> bool:
    """Say whether an edge ends in an arrow: at a box, and where the graph's value leaves."""
    return not isinstance(link.end, Port) or part.kind == "graph"


def _top(of: Block, i: int) -> float:
    """Return where node i begins along: in the middle of its row, a leaf at the end of it."""
    row = of.plan.layers.nodes[i].row
    room = of.thick[row] - of.sizes[i][2]
    item = of.plan.items[i] if i < len(of.plan.items) else None
    return of.tops[row] + (room if isinstance(item, Gate) and item.is_leaf else room / 2)


def _rect(
    made: Scene, across: float, along: float, wide: float, deep: float
) -> tuple[float, float, float, float]:
    return (along, across, deep, wide) if made.right else (across, along, wide, deep)


def _framed(inner: Block, rect: tuple[float, float, float, float]) -> Frame:
    part = inner.plan.part
    return Frame(*rect, frame_title(part), part.kind)
