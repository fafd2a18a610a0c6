"""A scene as SVG text: plain shapes and text, no scripts, no fonts or files from elsewhere.

So a picture looks the same everywhere and is safe to embed; every text is escaped. The page uses the same
pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from chainrule.inspect.draw.scene import (
    FAINT,
    GRADIENT,
    INK,
    LEADING,
    LINE,
    LOOKS,
    PALE,
    SMALL,
    TITLE,
    VALUE,
    Box,
    Frame,
    Label,
    Line,
    Look,
    Scene,
)

STYLE = (
    "text{font-family:'DejaVu Sans',Verdana,'Segoe UI',Helvetica,Arial,sans-serif;"
    f"font-size:{SMALL}px;fill:{FAINT}}}"
    f".t{{font-size:{TITLE}px;font-weight:bold;fill:{INK}}}"
    f".v{{fill:{VALUE}}}.g{{fill:{GRADIENT};font-style:italic}}"
    f".e{{fill:none;stroke:{LINE};stroke-width:1.3}}.n{{stroke-dasharray:4 3;stroke:{PALE}}}"
    f".f{{font-weight:bold;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-opacity:.85}}.m{{text-anchor:middle}}"
)
ARROW = (
    f'<marker id="a" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    f'<path d="M0 .8 7.6 4 0 7.2z" fill="{LINE}"/></marker>'
)


def svg(scene: Scene, note: str = "") -> str:
    """Return the drawing as an SVG document, with `note` as its description."""
    width, height = short(scene.width), short(scene.height)
    body = "\n".join(_elements(scene))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">\n<desc>{escape(note)}</desc>\n'
        f'<style>{STYLE}</style>\n<defs>{ARROW}</defs>\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f"{body}\n</svg>\n"
    )


def _elements(scene: Scene) -> Iterator[str]:
    yield from map(_frame, scene.frames)
    yield from (_line(line, scene.right) for line in scene.lines)
    for each in scene.boxes:
        yield f'<g transform="translate({short(each.x)} {short(each.y)})">{box(each)}</g>'
    yield from (_frame_title(frame) for frame in scene.frames)
    for each in scene.labels:
        yield f'<g transform="translate({short(each.x)} {short(each.y)})">{label(each)}</g>'


def box(each: Box) -> str:
    """Return a box with its upper left corner at the origin."""
    shown, look = each.face, LOOKS[each.face.look]
    behind = ""
    if shown.look == "repeat":
        behind = _rectangle(6, 6, shown.width, shown.height, look) + _rectangle(
            3, -3, shown.width, shown.height, look
        )
    middle = short(shown.width / 2)
    texts = [f'<text class="t m" x="{middle}" y="18">{escape(shown.title)}</text>'] + [
        f'<text class="m" x="{middle}" y="{short(18 + LEADING * (k + 1))}">{escape(line)}</text>'
        for k, line in enumerate(shown.lines)
    ]
    return behind + _rectangle(0, 0, shown.width, shown.height, look) + "".join(texts)


def label(each: Label) -> str:
    """Return what is written on an edge, with its upper left corner at the origin."""
    x, anchor = (short(each.width / 2), " m") if each.centred else ("11", "")
    ys = ("11.5", "27") if each.centred else ("11", short(11 + LEADING))
    text = f'<text class="v{anchor}" x="{x}" y="{ys[0]}">{escape(each.value)}</text>'
    if each.gradient is not None:
        text += f'<text class="g{anchor}" x="{x}" y="{ys[1]}">{escape(each.gradient)}</text>'
    return text


def path(line: Line, right: bool) -> str:
    """Return the way of an edge: straight through the rows, smooth between them."""
    x1, y1, x2, y2 = line.stations[0]
    steps = [f"M{short(x1)} {short(y1)}L{short(x2)} {short(y2)}"]
    for a, b, c, d in line.stations[1:]:
        if right:
            middle = short((x2 + a) / 2)
            steps.append(f"C{middle} {short(y2)} {middle} {short(b)} {short(a)} {short(b)}")
        else:
            middle = short((y2 + b) / 2)
            steps.append(f"C{short(x2)} {middle} {short(a)} {middle} {short(a)} {short(b)}")
        if (a, b) != (c, d):
            steps.append(f"L{short(c)} {short(d)}")
        x2, y2 = c, d
    return "".join(steps)


def short(number: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{number:.1f}".removesuffix(".0")


def _line(line: Line, right: bool) -> str:
    tail = "" if line.flows else " n"
    arrow = ' marker-end="url(#a)"' if line.arrow else ""
    return f'<path class="e{tail}" d="{path(line, right)}"{arrow}/>'


def _frame(frame: Frame) -> str:
    look = LOOKS[frame.look]
    dash = ' stroke-dasharray="5 3"' if look.dashed else ""
    return (
        f'<rect x="{short(frame.x)}" y="{short(frame.y)}" width="{short(frame.width)}" '
        f'height="{short(frame.height)}" rx="8" fill="{look.fill}" fill-opacity=".45" '
        f'stroke="{look.stroke}" stroke-opacity=".7"{dash}/>'
    )


def _frame_title(frame: Frame) -> str:
    x, y = short(frame.x + 10), short(frame.y + 17)
    return f'<text class="f" x="{x}" y="{y}">{escape(frame.title)}</text>'


def _rectangle(x: float, y: float, width: float, height: float, look: Look) -> str:
    dash = ' stroke-dasharray="5 3"' if look.dashed else ""
    return (
        f'<rect x="{short(x)}" y="{short(y)}" width="{short(width)}" height="{short(height)}" '
        f'rx="{short(look.round)}" fill="{look.fill}" stroke="{look.stroke}" '
        f'stroke-width="{"1.6" if look.closed else "1.2"}"{dash}/>'
    )
