"""From what the engine recorded to gates: one for each tensor behind an output, each with a name.

A tensor that was computed without a gradient has no history, so it is a leaf here: the mask `x > 0`,
labels, a drawn dropout mask, and all that was detached keep the value that they had.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from chainrule.core.backward import reachable
from chainrule.core.mode import module_path
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor, to_array
from chainrule.inspect.gate import Gate, Sweep


class Names:
    """Hands out names, each once: 'add', 'add_2', 'add_3'."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: Counter[str] = Counter()

    def unique(self, name: str) -> str:
        """Return `name`, numbered if it is taken."""
        number = self._counts[name] + 1
        while (found := name if number == 1 else f"{name}_{number}") in self._taken:
            number += 1
        self._counts[name] = number
        self._taken.add(found)
        return found


def recorded(output: Tensor, names: Names, sweep: Sweep) -> list[Gate]:
    """Return the gates behind `output`: leaves, then constants, then ops in the order they ran."""
    nodes = reachable(output)
    made: dict[int, Gate] = {}
    constants: list[Gate] = []
    leaves = {id(node): node for node in nodes if node.op is None}
    for node in nodes:
        for each in node.inputs:
            if isinstance(each, Tensor) and each.op is None:
                leaves.setdefault(id(each), each)
    paths = _paths(nodes)
    for leaf in sorted(leaves.values(), key=lambda leaf: leaf.serial):
        made[id(leaf)] = Gate(leaf, names.unique(_leaf_name(leaf, paths)), sweep)
    computed = [node for node in nodes if node.op is not None]
    for node in computed:
        path = module_path(node.scope)
        name = node.name or (f"{path}.{node.op.name}" if path else node.op.name)
        made[id(node)] = Gate(node, names.unique(name), sweep)
    for node in computed:
        constants += _connected(node, made, sweep)
    count = len(leaves)
    gates = list(made.values())
    return [*gates[:count], *constants, *gates[count:]]


def _connected(node: Tensor, made: dict[int, Gate], sweep: Sweep) -> list[Gate]:
    """Connect the gate of `node` to its inputs, and return the gates of its plain numbers and arrays."""
    constants: list[Gate] = []
    sources: list[Gate] = []
    places: list[int] = []
    for place, each in enumerate(node.inputs):
        if each is None:
            continue
        if isinstance(each, Tensor):
            source = made[id(each)]
        else:
            source = Gate(Tensor(to_array(each)), _constant_name(each), sweep, "constant")
            constants.append(source)
        sources.append(source)
        places.append(place)
    made[id(node)].connect(tuple(sources), tuple(places))
    return constants


def _paths(nodes: list[Tensor]) -> dict[int, str]:
    """Return the path of the module that first uses each tracked leaf, by the leaf's id."""
    found: dict[int, str] = {}
    for node in nodes:
        if node.scope is not None:
            for each in node.inputs:
                if isinstance(each, Tensor) and each.op is None and each.requires_grad:
                    found.setdefault(id(each), module_path(node.scope))
    return found


def _leaf_name(leaf: Tensor, paths: dict[int, str]) -> str:
    path = paths.get(id(leaf), "")
    if leaf.name is None:
        return "input"
    return f"{path}.{leaf.name}" if path else leaf.name


def _constant_name(value: float | Array) -> str:
    return str(value.shape) if isinstance(value, np.ndarray) and value.ndim else str(value)
