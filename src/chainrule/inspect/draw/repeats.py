"""What comes several times in a row is one part: the three equal blocks of a stage, a loop's steps.

Two stretches are equal if they do the same ops with the same settings on the same shapes, wired in
the same way; each must hang together and feed on the one before. Long lists without any structure
are cut into stretches, so that a drawing has something to close there too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count, pairwise

from chainrule.inspect.draw.tree import Part
from chainrule.inspect.gate import Gate

_LONGEST = 24  # children in one repetition
_FEWEST = 8  # gates in all repetitions together
_LIST = 60  # children of one part


def collapse(root: Part) -> None:
    """Put runs of equal children into parts of their own, and cut long lists, everywhere in the tree."""
    order = {gate: i for i, gate in enumerate(root.gates())}
    marks = {gate: _mark(gate, order) for gate in order}
    numbers: dict[object, int] = {}
    fresh = count()
    for part in list(root.parts()):
        signs = [_number(_sign(child, marks), numbers, fresh) for child in part.children]
        part.adopt(_cut(_runs(part.children, signs, order)))


def _mark(gate: Gate, order: dict[Gate, int]) -> object:
    """Return what must agree in two gates: op, settings, shape, and where the inputs come from."""
    sources = tuple(
        (source.op, source.value.shape) if source.is_leaf else order[gate] - order[source]
        for source in gate.sources
    )
    return gate.op, repr(gate.tensor.params), gate.value.shape, sources


def _sign(child: Part | Gate, marks: dict[Gate, object]) -> object:
    if isinstance(child, Gate):
        return marks[child]
    return child.type, tuple(marks[gate] for gate in child.gates())


def _number(sign: object, numbers: dict[object, int], fresh: count[int]) -> int:
    if sign not in numbers:
        numbers[sign] = next(fresh)
    return numbers[sign]


def _runs(children: Sequence[Part | Gate], signs: Sequence[int], order: dict[Gate, int]) -> list[Part | Gate]:
    """Return the children, with every run of repetitions put into one part."""
    found: list[Part | Gate] = []
    sizes = [1 if isinstance(child, Gate) else sum(1 for _ in child.gates()) for child in children]
    i = 0
    while i < len(children):
        period, times = _best(signs, sizes, i)
        block = [children[i + k * period : i + (k + 1) * period] for k in range(times)]
        feeding = all(_feeds(a, b, order) for a, b in pairwise(block))
        if times > 1 and feeding and _hangs_together(block[0]):
            found.append(_repeat(block))
            i += period * times
        else:
            found.append(children[i])
            i += 1
    return found


def _best(signs: Sequence[int], sizes: Sequence[int], start: int) -> tuple[int, int]:
    """Return the period and number of the repetitions from `start` on that cover most; 1, 1 if none."""
    best, covered = (1, 1), 1
    for period in range(1, min(_LONGEST, (len(signs) - start) // 2) + 1):
        end = start + period
        while end < len(signs) and signs[end] == signs[end - period]:
            end += 1
        times = (end - start) // period
        whole = start + times * period
        if times > 1 and times * period > covered and sum(sizes[start:whole]) >= _FEWEST:
            best, covered = (period, times), times * period
    return best


def _hangs_together(children: Sequence[Part | Gate]) -> bool:
    """Say whether the children are joined by edges, whichever way these run."""
    place = {gate: i for i, child in enumerate(children) for gate in _gates(child)}
    group = list(range(len(children)))
    for gate, i in place.items():
        for source in gate.sources:
            if source in place and group[place[source]] != group[i]:
                old = group[place[source]]
                group = [group[i] if each == old else each for each in group]
    return len(set(group)) == 1


def _feeds(before: Sequence[Part | Gate], after: Sequence[Part | Gate], order: dict[Gate, int]) -> bool:
    first, last = _span(before, order)
    return any(
        first <= order[source] <= last
        for child in after
        for gate in _gates(child)
        for source in gate.sources
        if not source.is_leaf
    )


def _span(children: Sequence[Part | Gate], order: dict[Gate, int]) -> tuple[int, int]:
    return order[_gates(children[0])[0]], order[_gates(children[-1])[-1]]


def _gates(child: Part | Gate) -> list[Gate]:
    return [child] if isinstance(child, Gate) else list(child.gates())


def _repeat(blocks: Sequence[Sequence[Part | Gate]]) -> Part:
    """Return the part of equal blocks; a block of several children becomes a part itself."""
    parts = [_block(i, block) for i, block in enumerate(blocks)]
    first, last = parts[0], parts[-1]
    name = f"{first.name} … {last.name}" if first.kind == "module" else ""
    unit = first.type if isinstance(blocks[0][0], Part) and len(blocks[0]) == 1 else "steps"
    repeat = Part("repeat", name, f"{unit} × {len(parts)}")
    inner = first.children if isinstance(first, Part) else [first]
    repeat.each = ", ".join(child.op if isinstance(child, Gate) else child.type for child in inner)
    repeat.adopt(_cut(list(parts)))
    return repeat


def _block(i: int, children: Sequence[Part | Gate]) -> Part:
    if len(children) == 1 and isinstance(children[0], Part):
        return children[0]
    stretch = Part("stretch", f"step {i + 1}", _summary(children))
    stretch.adopt(children)
    return stretch


def _cut(children: list[Part | Gate]) -> list[Part | Gate]:
    """Return at most `_LIST` children: longer lists in stretches of about the root of their length."""
    if len(children) <= _LIST:
        return children
    size = max(24, math.isqrt(len(children)))
    cut: list[Part | Gate] = []
    for i in range(0, len(children), size):
        piece = children[i : i + size]
        stretch = Part("stretch", _summary(piece), f"{i + 1} to {i + len(piece)}")
        stretch.adopt(piece)
        cut.append(stretch)
    return _cut(cut)


def _summary(children: Sequence[Part | Gate]) -> str:
    """Return the most frequent things, such as 'add, multiply, tanh'."""
    names = [child.op if isinstance(child, Gate) else child.type for child in children]
    often = sorted(dict.fromkeys(names), key=lambda name: -names.count(name))
    return ", ".join(often[:3]) + (", …" if len(often) > 3 else "")
