"""A scene as PNG or PDF, drawn by matplotlib with the very shapes of the SVG.

Units of the scene are points of the page. What is drawn is known by `scene` alone.
"""

from __future__ import annotations

from typing import Any

from chainrule.errors import need
from chainrule.figures import literal, saved
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

_SHARP, _LARGEST = 2.0, 16_000  # pixels of a PNG for each unit, and along a side at most


def png(scene: Scene) -> bytes:
    """Return the drawing as a PNG, two pixels a unit unless that were too many."""
    sharp = min(_SHARP, _LARGEST / max(scene.width, scene.height))
    return _saved(scene, "png", 72 * sharp)


def pdf(scene: Scene) -> bytes:
    """Return the drawing as a PDF of one page, its text as text."""
    return _saved(scene, "pdf", 72)


def _saved(scene: Scene, format: str, dpi: float) -> bytes:
    figures = need("matplotlib.figure", for_=f"drawing a graph as {format.upper()}")
    matplotlib = need("matplotlib", for_="drawing")
    with matplotlib.rc_context({"pdf.fonttype": 42, "font.family": "DejaVu Sans"}):
        figure = figures.Figure(figsize=(scene.width / 72, scene.height / 72), facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, scene.width), ylim=(scene.height, 0))
        axes.axis("off")
        _Canvas(axes).draw(scene)
        metadata = {"CreationDate": None} if format == "pdf" else None
        return saved(figure, format, dpi=dpi, metadata=metadata)


class _Canvas:
    def __init__(self, axes: Any) -> None:
        self.axes = axes
        self.patches = need("matplotlib.patches", for_="drawing")
        self.halo = need("matplotlib.patheffects", for_="drawing").withStroke(linewidth=3, foreground="white")
        self.paths = need("matplotlib.path", for_="drawing")

    def draw(self, scene: Scene) -> None:
        for frame in scene.frames:
            self.frame(frame)
        for line in scene.lines:
            self.line(line, scene.right)
        for box in scene.boxes:
            self.box(box)
        for label in scene.labels:
            self.label(label)

    def text(self, x: float, y: float, text: str, size: float = SMALL, **style: Any) -> None:
        style = {"color": FAINT, "ha": "center", **style}
        self.axes.text(x, y, literal(text), fontsize=size, va="baseline", zorder=5, **style)

    def rectangle(self, x: float, y: float, wide: float, high: float, look: Look, **style: Any) -> None:
        shape = f"round,pad=0,rounding_size={look.round}"
        dash = {"linestyle": (0, (4, 2.5))} if look.dashed else {}
        style = {
            "facecolor": look.fill,
            "edgecolor": look.stroke,
            "linewidth": 1.2,
            "zorder": 3,
            **dash,
            **style,
        }
        self.axes.add_patch(self.patches.FancyBboxPatch((x, y), wide, high, boxstyle=shape, **style))

    def frame(self, frame: Frame) -> None:
        look = LOOKS[frame.look]
        self.rectangle(frame.x, frame.y, frame.width, frame.height, look, alpha=0.45, zorder=1)
        self.text(frame.x + 10, frame.y + 17, frame.title, ha="left", weight="bold", path_effects=[self.halo])

    def box(self, box: Box) -> None:
        shown, look = box.face, LOOKS[box.face.look]
        for shift in (6, 3, 0) if shown.look == "repeat" else (0,):
            self.rectangle(box.x + shift, box.y + shift, shown.width, shown.height, look)
        middle = box.x + shown.width / 2
        self.text(middle, box.y + 18, shown.title, TITLE, color=INK, weight="bold")
        for k, line in enumerate(shown.lines):
            self.text(middle, box.y + 18 + LEADING * (k + 1), line)

    def label(self, label: Label) -> None:
        x, side = (label.x + label.width / 2, "center") if label.centred else (label.x + 11, "left")
        below = 15.5 if label.centred else LEADING
        self.text(x, label.y + 11.5, label.value, color=VALUE, ha=side)
        if label.gradient is not None:
            self.text(x, label.y + 11.5 + below, label.gradient, color=GRADIENT, ha=side, style="italic")

    def line(self, line: Line, right: bool) -> None:
        path = self.paths.Path
        x, y = line.stations[0][2:]
        points, codes = [line.stations[0][:2], (x, y)], [path.MOVETO, path.LINETO]
        for a, b, c, d in line.stations[1:]:
            bend = [((x + a) / 2, y), ((x + a) / 2, b)] if right else [(x, (y + b) / 2), (a, (y + b) / 2)]
            points += [*bend, (a, b), (c, d)]
            codes += [path.CURVE4] * 3 + [path.LINETO]
            x, y = c, d
        style: dict[str, Any] = {"color": LINE} if line.flows else {"color": PALE, "ls": (0, (3, 2))}
        way = path(points, codes)
        self.axes.add_patch(self.patches.PathPatch(way, fill=False, lw=1.3, zorder=2, **style))
        if line.arrow:
            sides = [(-6.0, -2.6), (0.0, 0.0), (-6.0, 2.6)]
            tips = [(x + a, y + b) if right else (x + b, y + a) for a, b in sides]
            self.axes.add_patch(self.patches.Polygon(tips, closed=True, color=LINE, lw=0, zorder=2))
