"""Which parts are drawn as one box: by themselves so many that the drawing stays readable, or as told.

A drawing counts boxes: a closed part is one, an open part as many as what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from chainrule.errors import ArgumentError, UnknownNameError, nearest
from chainrule.inspect.draw.tree import Part

Fold: TypeAlias = "str | int | Iterable[str] | None"

WHOLE, MOST = 24, 40  # boxes of a graph that is drawn in full, and of any drawing


def opened(root: Part, fold: Fold = "auto", closed: Iterable[str] = ()) -> set[Part]:
    """Return the parts to open.

    `fold` is "auto", a depth (parts so deep or deeper are closed), a name or several (of composites,
    modules, their classes), or None to open everything; `closed` are names that "auto" keeps closed.
    Raises UnknownNameError for a name that nothing has.
    """
    if fold == "auto":
        return _automatic(root, set(closed))
    if fold is None:
        return set(root.parts())
    if isinstance(fold, int):
        if fold < 0:
            raise ArgumentError(f"draw: fold must be a depth of 0 or more, got {fold}")
        return {part for part in root.parts() if _depth(part) <= fold and part.kind != "repeat"}
    return _without(root, {fold} if isinstance(fold, str) else set(fold))


def boxes(part: Part, open: set[Part]) -> int:
    """Return how many boxes a part takes."""
    if part not in open:
        return 1
    inner = (boxes(child, open) if isinstance(child, Part) else 1 for child in part.children)
    return len(part.leaves) + sum(inner)


def _depth(part: Part) -> int:
    """Return how many parts are around this one, repetitions not counted."""
    return sum(level.kind not in ("repeat", "stretch") for level in part.chain()) - 1


def _automatic(root: Part, closed: set[str]) -> set[Part]:
    """Open all of a small graph; of others the parts that hold parts, from outside in, while they fit."""
    everything = {part for part in root.parts() if not closed & _names(part)}
    if boxes(root, everything) <= WHOLE:
        return everything
    open = {root}
    total = boxes(root, open)
    holders = [part for part in everything if part is not root and _holds_parts(part)]
    for part in sorted(holders, key=lambda part: (len(part.chain()), -len(part.children), part.key)):
        more = boxes(part, {part}) - 1
        if part.parent in open and total + more < MOST:
            open.add(part)
            total += more
    return open


def _holds_parts(part: Part) -> bool:
    inner = [child for child in part.children if isinstance(child, Part) and child.kind != "composite"]
    return part.kind != "repeat" and (bool(inner) or part.kind == "graph")


def _without(root: Part, names: set[str]) -> set[Part]:
    known = {name for part in root.parts() for name in _names(part)}
    for name in names - known:
        raise UnknownNameError(f"draw: nothing to fold is called {name!r}", hint=nearest(name, known))
    return {part for part in root.parts() if not names & _names(part)}


def _names(part: Part) -> set[str]:
    """Return what a part answers to."""
    if part.kind == "graph":
        return set()
    return {part.name, part.kind if part.kind == "repeat" else part.type} - {""}
