"""One graph, ready to be drawn: its parts, their wiring and plans, and scenes made from them.

Plans are made once and kept, so that the same graph may be drawn with other parts open. What a scene
becomes, a file or a page, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.errors import ArgumentError, nearest
from chainrule.inspect.draw.arrange import block, scene
from chainrule.inspect.draw.folding import WHOLE, Fold, boxes, opened
from chainrule.inspect.draw.plan import Plan, plan
from chainrule.inspect.draw.repeats import collapse
from chainrule.inspect.draw.scene import Scene
from chainrule.inspect.draw.tree import Part, place_leaves, tree
from chainrule.inspect.draw.wiring import wire
from chainrule.inspect.gate import Gate

_DIRECTIONS = ("auto", "right", "down")
_SLIDE = 1600.0  # pixels


class Drawing:
    """The drawing of a graph, given its gates in the order they ran, none of them closed."""

    def __init__(self, gates: Sequence[Gate], direction: str = "auto", closed: Iterable[str] = ()) -> None:
        if direction not in _DIRECTIONS:
            raise ArgumentError(
                f"draw: there is no direction {direction!r}", hint=nearest(direction, _DIRECTIONS)
            )
        self.closed = tuple(closed)
        self.root = tree(gates)
        collapse(self.root)
        place_leaves(self.root, gates)
        for i, part in enumerate(self.root.parts()):
            part.key = f"part {i}"
        self.wirings = wire(self.root, gates[-1])
        self._plans: dict[Part, Plan] = {}
        self.right = direction == "right" or (direction == "auto" and self._fits())
        self._plans.clear()

    def _fits(self) -> bool:
        """Say whether the graph is so small that it is read from left to right, as on a slide."""
        self.right = True
        return boxes(self.root, self.opened("auto")) <= WHOLE and self.scene().width <= _SLIDE

    def opened(self, fold: Fold) -> set[Part]:
        """Return the parts that `fold` leaves open."""
        return opened(self.root, fold, self.closed)

    def plan(self, part: Part) -> Plan:
        """Return the layout of one part, made once."""
        if part not in self._plans:
            self._plans[part] = plan(
                part, self.wirings[part], self.right, self.plan(part.parent) if part.parent else None
            )
        return self._plans[part]

    def scene(self, fold: Fold = "auto") -> Scene:
        """Return what is to be drawn where `fold` says what is closed."""
        return scene(block(self.root, self.opened(fold), self.plan, self.right), self.right)
