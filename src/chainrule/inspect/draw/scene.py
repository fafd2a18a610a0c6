"""What is on the paper: boxes, frames, edges and what is written on them, with places in pixels.

Renderers know nothing else; the layout knows nothing of renderers. The y axis points down.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Blue and vermillion of Okabe and Ito: told apart by everyone; in grey, upright and italic differ.
VALUE, GRADIENT = "#0072B2", "#C44E00"
INK, FAINT, LINE, PALE = "#1C2330", "#5B6472", "#4A5160", "#9AA2AE"

TITLE, SMALL = 13.0, 10.5  # font sizes
LEADING = 14.0


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and outline of a kind of box; `closed` says that something is inside."""

    fill: str
    stroke: str
    round: float = 4.0
    dashed: bool = False
    closed: bool = False


LOOKS = {
    "gate": Look("#FFFFFF", "#4A5160"),
    "input": Look("#EEF1F4", "#8A93A0", 13.0),
    "constant": Look("#F7F8F9", "#B6BDC7", 13.0, dashed=True),
    "parameter": Look("#FFF4D6", "#B58900", 13.0),
    "module": Look("#E3F0F8", "#3B7EA6", closed=True),
    "composite": Look("#F3ECF6", "#8C6BA6", dashed=True, closed=True),
    "repeat": Look("#E3F0F8", "#3B7EA6", closed=True),
    "stretch": Look("#F1F1EC", "#85867A", dashed=True, closed=True),
}


@dataclass(frozen=True, slots=True)
class Face:
    """What a box says: a bold title and small lines; `look` is a key of LOOKS."""

    title: str
    lines: tuple[str, ...]
    look: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Box:
    """A box with its upper left corner at (x, y); `key` says which gate or part it is."""

    x: float
    y: float
    face: Face
    key: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The border of an open part, with its title at the top left."""

    x: float
    y: float
    width: float
    height: float
    title: str
    look: str


@dataclass(frozen=True, slots=True)
class Line:
    """An edge: stations (x1, y1, x2, y2) passed straight, with smooth ways between them."""

    stations: tuple[tuple[float, float, float, float], ...]
    arrow: bool
    flows: bool  # whether gradients come back on it


@dataclass(frozen=True, slots=True)
class Label:
    """What is written on an edge: the value, and the gradient (None where none flows)."""

    x: float
    y: float
    width: float
    height: float
    value: str
    gradient: str | None
    centred: bool  # on a level edge, value above and gradient below; else beside an upright one


@dataclass(slots=True)
class Scene:
    """A whole drawing; `right` says that it runs from left to right."""

    right: bool
    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = field(default_factory=list[Box])
    frames: list[Frame] = field(default_factory=list[Frame])
    lines: list[Line] = field(default_factory=list[Line])
    labels: list[Label] = field(default_factory=list[Label])
