"""Formulas of boxes and of composite ops: the steps inside, one formula after the other.

An op that claims a quicker gradient is one gate in the graph; its own body tells what it means, so
the body is run once more to list its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.core.backward import reachable
from chainrule.core.mode import enable_grad
from chainrule.core.spec import is_float
from chainrule.core.tensor import Tensor, to_array
from chainrule.inspect.explain.formulas.formula import Formula
from chainrule.inspect.explain.formulas.use import Place, Use
from chainrule.inspect.explain.style import Style

_STEPS, _LONG = 8, 240


class Body(Formula):
    """A formula that is a list of the formulas of steps."""

    def __init__(self, use: Use, steps: Sequence[Formula]) -> None:
        super().__init__(use)
        self.steps = steps

    @property
    def symbols(self) -> str:
        called = f"{self.use.output} = {self.use.call}: " if self.use.op is not None else ""
        left_out = len(self.steps) - _STEPS
        more = f"; ... {left_out} more" if left_out > 0 else ""
        return called + "; ".join(step.symbols for step in self.steps[:_STEPS]) + more

    def numbers(self, style: Style, place: Place) -> str:
        if len(self.steps) > _STEPS or not all(style.fits(*s.use.arrays, s.use.value) for s in self.steps):
            return ""
        steps = "; ".join(step.numbers(style, (0,) * step.use.value.ndim) for step in self.steps)
        return steps if len(steps) <= _LONG else ""


def steps_of(use: Use) -> list[Use]:
    """Return what the body of a composite does to the arrays of `use`, as far as gradients flow."""
    op: Any = use.op
    given = {
        name: Tensor(array, requires_grad=is_float(array.dtype))
        for name, array in zip(use.arguments, use.arrays, strict=True)
    }
    with enable_grad():
        output = op.open([given.get(name) for name in op.inputs], use.params)
    made = [node for node in reachable(output) if node.op is not None]
    names = {id(given[argument]): name for argument, name in zip(use.arguments, use.sources, strict=True)}
    counts: dict[str, int] = {}
    for node in made:
        number = counts[node.op.name] = counts.get(node.op.name, 0) + 1
        names[id(node)] = node.op.name if number == 1 else f"{node.op.name}_{number}"
    names[id(output)] = use.output
    return [_step(node, names) for node in made]


def _step(node: Tensor, names: dict[int, str]) -> Use:
    pairs = zip(node.op.inputs, node.inputs, strict=False)
    given = [(name, each) for name, each in pairs if each is not None]
    arrays = tuple(to_array(each) for _, each in given)
    sources = tuple(
        names.get(id(each)) or Style(limit=4).array(array)
        for (_, each), array in zip(given, arrays, strict=True)
    )
    arguments = tuple(name for name, _ in given)
    return Use(node.op, node.params, arguments, sources, arrays, names[id(node)], node.data)
