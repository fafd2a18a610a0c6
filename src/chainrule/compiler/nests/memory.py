"""Memory: one block for all that a program computes on the way, each value where room is free.

A value has room from its first to its last use. Arguments, states and results lie elsewhere. What the
values are is not known here, only their sizes and when they are touched.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.compiler.nests.buffer import Buffer
from chainrule.core.memory import LINE


def arranged(uses: Sequence[Sequence[Buffer]]) -> tuple[dict[Buffer, int], int]:
    """Return the offset of every inner buffer in a shared block, and the size of the block.

    `uses` are the buffers that each piece of work touches, in the order of work. A buffer takes room
    from its first use to its last: the lowest gap that is wide enough.
    """
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for place, buffers in enumerate(uses):
        for each in buffers:
            if each.role == "inner":
                first.setdefault(each, place)
                last[each] = place
    rooms = {each: _room(each) for each in first}
    offsets: dict[Buffer, int] = {}
    total = 0
    living: list[Buffer] = []  # by their offsets
    for each in sorted(first, key=lambda buffer: (first[buffer], -rooms[buffer])):
        living = [other for other in living if last[other] >= first[each]]
        start, place = 0, 0
        for place, other in enumerate(living):  # noqa: B007
            if start + rooms[each] <= offsets[other]:
                break
            start = max(start, offsets[other] + rooms[other])
        else:
            place = len(living)
        offsets[each] = start
        total = max(total, start + rooms[each])
        living.insert(place, each)
    return offsets, total


def _room(buffer: Buffer) -> int:
    return -(-max(buffer.bytes, 1) // LINE) * LINE
