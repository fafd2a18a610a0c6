"""A box: gates that belong together, closed into one gate.

The lecture's "group these gates into one sigmoid gate". A box adds no arithmetic of its own: forward
and backward run the gates inside, and its local gradient is that of the whole inside, by the chain
rule. It closes over what a composite op or a module computed in one call.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.core.op import apply
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.inspect.gate import Gate, Sweep


class Box(Gate):
    """One gate that stands for the gates `inside`; the last of them is its output."""

    def __init__(
        self, inside: list[Gate], sources: tuple[Gate, ...], op: str, name: str, sweep: Sweep
    ) -> None:
        super().__init__(inside[-1].tensor, name, sweep)
        self.op = op
        self.inside, self.users = inside, inside[-1].users
        self.sources = self.inputs = sources
        self._edges: list[list[tuple[Gate, int]]] = [[] for _ in sources]  # those that come in, by source
        place = {source: i for i, source in enumerate(sources)}
        for gate in inside:
            for i, source in enumerate(gate.sources):
                if source in place:
                    self._edges[place[source]].append((gate, i))

    @property
    def upstream(self) -> Array | None:
        """The gradient that has arrived at the output of the box; None until all of it has."""
        return self.inside[-1].upstream

    @property
    def elementwise(self) -> bool:
        """Whether every gate inside is elementwise."""
        return all(gate.elementwise for gate in self.inside)

    def sent(self) -> tuple[Array | None, ...] | None:
        """Return, for each input, the sum of what the gates inside sent to it."""
        if any(gate.sent() is None for gate in self.inside):
            return None
        return tuple(
            _total(sent[i] for gate, i in edges if (sent := gate.sent()) is not None)
            if source.tracked
            else None
            for source, edges in zip(self.sources, self._edges, strict=True)
        )

    def forward(self) -> Array:
        """Run every gate inside, and return the value of the last."""
        for gate in self.inside:
            gate.forward()
        return self.value

    def backward(self, gradient: Any = None) -> None:
        """Run every gate inside in reverse."""
        for gate in reversed(self.inside):
            gate.backward(gradient if gate is self.inside[-1] else None)

    def run(self, i: int, value: Tensor) -> Tensor:
        """Return the box's output if input i were `value`: the gates that it reaches run again."""
        changed = {id(self.sources[i].tensor): value}
        for gate in self.inside:
            inputs = gate.tensor.inputs
            if any(id(each) in changed for each in inputs):
                fresh = [
                    changed.get(id(each), each.detach()) if isinstance(each, Tensor) else each
                    for each in inputs
                ]
                changed[id(gate.tensor)] = apply(gate.tensor.op, fresh, gate.tensor.params)
        return changed[id(self.tensor)]


def _total(parts: Iterable[Array | None]) -> Array | None:
    return functools.reduce(np.add, [part for part in parts if part is not None])
