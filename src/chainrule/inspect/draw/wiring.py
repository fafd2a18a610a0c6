"""The edges inside each part: between its children, and to and from the outside through ports.

An edge of the graph that crosses the border of a part is cut there. So each part is a small graph of
its own that can be laid out alone, and a closed part has one edge for each value that enters it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from chainrule.core.spec import Array
from chainrule.inspect.draw.tree import Part, homes
from chainrule.inspect.gate import Gate


@dataclass(frozen=True, slots=True)
class Port:
    """Where the value of `gate` enters or leaves a part."""

    gate: Gate
    enters: bool


Item: TypeAlias = "Gate | Part | Port"


@dataclass(slots=True)
class Link:
    """An edge inside one part: the value of `source` goes from item `start` to item `end`."""

    source: Gate
    start: Item
    end: Item
    uses: list[tuple[Gate, int]] = field(default_factory=list[tuple[Gate, int]])

    @property
    def gradient(self) -> Array | None:
        """What comes back over this edge; None until it is computed, or if gradients do not flow here."""
        if not self.source.tracked:
            return None
        if not self.uses:
            return self.source.upstream
        parts = [sent[i] for gate, i in self.uses if (sent := gate.sent()) is not None]
        if len(parts) < len(self.uses):
            return None
        return np.add.reduce([part for part in parts if part is not None])


@dataclass(slots=True)
class Wiring:
    """The graph inside a part."""

    items: list[Item] = field(default_factory=list["Item"])
    links: dict[tuple[Gate, Item, Item], Link] = field(
        default_factory=dict[tuple[Gate, "Item", "Item"], Link]
    )

    def add(self, source: Gate, start: Item, end: Item, use: tuple[Gate, int] | None) -> None:
        """Add one use of a value; uses by the same item share an edge."""
        link = self.links.setdefault((source, start, end), Link(source, start, end))
        if use is not None:
            link.uses.append(use)

    def finish(self, part: Part) -> None:
        """List the items: ports, leaves, children in order."""
        ends = (end for link in self.links.values() for end in (link.start, link.end))
        ports = dict.fromkeys(end for end in ends if isinstance(end, Port))
        entries = [port for port in ports if port.enters]
        exits = [port for port in ports if not port.enters]
        self.items = [*entries, *part.leaves, *part.children, *exits]


def wire(root: Part, output: Gate) -> dict[Part, Wiring]:
    """Return the graph inside every part; `output` leaves the whole."""
    home = homes(root)
    chains = {part: part.chain() for part in root.parts()}
    wirings = {part: Wiring() for part in chains}
    for user in root.gates():
        for i, source in enumerate(user.sources):
            _connect(wirings, (source, chains[home[source]]), (user, chains[home[user]]), (user, i))
    levels = chains[home[output]]
    for part, start in zip(levels, [*levels[1:], output], strict=True):
        wirings[part].add(output, start, Port(output, False), None)
    for part, wiring in wirings.items():
        wiring.finish(part)
    return wirings


def _connect(
    wirings: dict[Part, Wiring],
    begin: tuple[Gate, list[Part]],
    finish: tuple[Gate, list[Part]],
    use: tuple[Gate, int],
) -> None:
    (source, above), (user, below) = begin, finish
    level = sum(1 for _ in _same(above, below))
    starts: list[Item] = [*above[level:], source]
    ends: list[Item] = [*below[level:], user]
    wirings[above[level - 1]].add(source, starts[0], ends[0], use)
    for part, start in zip(above[level:], starts[1:], strict=True):
        wirings[part].add(source, start, Port(source, False), use)
    for part, end in zip(below[level:], ends[1:], strict=True):
        wirings[part].add(source, Port(source, True), end, use)


def _same(a: Iterable[Part], b: Iterable[Part]) -> Iterable[Part]:
    for x, y in zip(a, b, strict=False):
        if x is not y:
            return
        yield x
