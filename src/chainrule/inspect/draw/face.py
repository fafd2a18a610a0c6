"""What is written on a gate, on a closed part, on an edge; and the room that it takes.

Words and sizes only: where a box stands is the layout's business, how it is drawn that of the renderers.
"""

from __future__ import annotations

from chainrule.inspect.draw.scene import LEADING, LOOKS, SMALL, TITLE, Face
from chainrule.inspect.draw.text import UNKNOWN, fitted, number, numbers, shape_text, width
from chainrule.inspect.draw.tree import Part
from chainrule.inspect.draw.wiring import Link
from chainrule.inspect.gate import Gate

_WIDEST = 210.0
_SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "negative": "−( )"}


def face(item: Gate | Part, short: str = "") -> Face:
    """Return what the box of a gate or of a closed part says; `short` replaces a leaf's long name."""
    if isinstance(item, Part):
        return part_face(item)
    return _leaf_face(item, short or item.name) if item.is_leaf else _gate_face(item)


def _gate_face(gate: Gate) -> Face:
    title = f"{_SIGNS[gate.op]}  {gate.op}" if gate.op in _SIGNS else gate.op
    return sized(title, [settings(gate), shape_text(gate.value.shape)], "gate")


def _leaf_face(leaf: Gate, name: str) -> Face:
    shape = shape_text(leaf.value.shape)
    if leaf.op == "constant":
        return sized(name if leaf.value.ndim else f"{leaf.value.item():g}", [], "constant")
    if leaf.tracked and leaf.value.ndim:
        return sized(name, [f"{shape}  ·  {counted(leaf.value.size)}"], "parameter")
    return sized(name, [shape], "parameter" if leaf.tracked else "input")


def part_face(part: Part) -> Face:
    """Return what a closed part says: what it is, where, its contents if repeated, shape, parameters."""
    output = list(part.gates())[-1]
    count = part.count
    lines = [part.name if part.kind != "composite" else ""]
    if part.kind == "repeat":
        lines.append(f"each: {part.each}")
    if part.kind == "stretch":
        lines.append(f"{sum(1 for _ in part.gates())} gates")
    lines += [shape_text(output.value.shape), counted(count) if count else ""]
    return sized(part.type or part.name, lines, part.kind)


def sized(title: str, lines: list[str], look: str) -> Face:
    """Return a face with the room that its text needs."""
    title = fitted(title, TITLE, _WIDEST, bold=True)
    shown = tuple(fitted(line, SMALL, _WIDEST) for line in lines if line)
    widest = max([width(title, TITLE, bold=True), *(width(line, SMALL) for line in shown)])
    room = 48 if LOOKS[look].closed else 20  # for the sign that opens it
    return Face(title, shown, look, max(widest + room, 34.0), 26.0 + LEADING * len(shown))


def settings(gate: Gate) -> str:
    """Return an op's static parameters, those that say something."""
    shown = (f"{key} {_plain(value)}" for key, value in gate.tensor.params.items() if _told(value))
    return ", ".join(shown)


def counted(count: int) -> str:
    """Return '4,640 parameters'."""
    return f"{count:,} parameter{'s' if count != 1 else ''}"


def written(link: Link) -> tuple[str, str | None]:
    """Return what stands on an edge: its value, and its gradient, None where none flows."""
    gradient = link.gradient
    if not link.source.tracked:
        return numbers(link.source.value), None
    return numbers(link.source.value), numbers(gradient) if gradient is not None else UNKNOWN


def _told(value: object) -> bool:
    return isinstance(value, (int, float, str, tuple)) and value is not False and value not in ("", ())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, tuple):
        return "(" + ", ".join(_plain(each) for each in value) + ")"
    return number(value) if isinstance(value, float) else str(value)
