"""Interventions: read, replace or change values and gradients, and see what comes of it.

An edit is None (only look), a number or array (put it in place), or a function of the tensor. It is
made while a module runs, by path (`intervene`), or on any gate of a recorded graph, whose gates from
there to the output then run again (`edit`). Values are edited by ops, so gradients follow; gradients
are edited by a tap, an op that hands its value through.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.core.mode import mode
from chainrule.core.op import Op, apply
from chainrule.core.spec import Array, Spec
from chainrule.core.tensor import Tensor
from chainrule.errors import GraphError, ShapeError
from chainrule.inspect.gate import Gate

Edit = Callable[[Tensor], Any] | float | Array | None


def tapped(x: Any) -> None:
    """Hand the value through; the gradient is shown to somebody on its way back, who may change it."""


class Tap(Op):
    """An op whose value is its input, and whose gradient is `edit(upstream)`."""

    family = "movement"  # its value is a view of its input's

    def __init__(self, edit: Callable[[Tensor], Tensor]) -> None:
        super().__init__(tapped)
        self.edit = edit

    def value(self, *arrays: Any, **params: Any) -> Any:
        """Return a view of the input."""
        return arrays[0].view()

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        """Return the input's spec."""
        return specs[0]

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        """Return the edited upstream gradient."""
        return (self.edit(g),)

    def reads(self, node: Tensor) -> Sequence[bool]:
        """Tell that the gradient reads no value."""
        return (False,)


@dataclass
class Seen:
    """What passed by during an intervention: for each path, the values and gradients of every call.

    Values are those after the edit, gradients those that leave it for the layers before.
    """

    values: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])
    gradients: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])

    def value(self, path: str) -> Array:
        """Return the value of the latest call; GraphError if there was none."""
        return self._latest(self.values, path, "value", "run the model inside the `with` block")

    def gradient(self, path: str) -> Array:
        """Return the gradient of the latest call; GraphError if there was none."""
        return self._latest(self.gradients, path, "gradient", "call loss.backward() inside the `with` block")

    @staticmethod
    def _latest(found: dict[str, list[Array]], path: str, what: str, hint: str) -> Array:
        if not found.get(path):
            raise GraphError(f"intervene: no {what} of {path!r} was seen", hint=hint)
        return found[path][-1]


@contextmanager
def intervene(
    model: Any, values: Mapping[str, Edit] | None = None, gradients: Mapping[str, Edit] | None = None
) -> Generator[Seen]:
    """Edit the outputs of modules, and the gradients that come back to them, by the modules' paths.

    Inside the `with` block every forward of the model is edited; what passed by is in the object
    that it yields. Raises UnknownNameError for a path that does not exist.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> model, x = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), cr.ones((1, 2))
    >>> with intervene(model, {"1": 0.0}) as seen:
    ...     silenced = model(x)
    >>> bool((silenced.data == model[2].bias.data).all()), seen.value("1").tolist()
    (True, [[0.0, 0.0, 0.0]])
    """
    values, gradients, seen = dict(values or {}), dict(gradients or {}), Seen()
    targets = {path: model.get_submodule(path) for path in {**values, **gradients}}
    handles = [
        module.register_forward_hook(_hook(path, values.get(path), gradients.get(path), seen))
        for path, module in targets.items()
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _hook(path: str, value: Edit, gradient: Edit, seen: Seen) -> Callable[..., Tensor]:
    def hook(module: Any, inputs: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise GraphError(f"intervene: {path!r} gives {type(output).__name__}, only tensors can be edited")
        edited = _edited(output, value, f"the value of {path!r}")
        seen.values.setdefault(path, []).append(edited.data)

        def look(g: Tensor) -> Tensor:
            changed = _edited(g, gradient, f"the gradient of {path!r}")
            seen.gradients.setdefault(path, []).append(changed.data)
            return changed

        return Tap(look)(edited)

    return hook


@dataclass(frozen=True)
class Effect:
    """What an edit of one gate did: the output before and after, and the graph that gives the latter."""

    name: str
    before: Array
    output: Tensor

    @property
    def after(self) -> Array:
        """The output with the edit."""
        return self.output.data

    @property
    def change(self) -> Array:
        """How far the output moved."""
        return self.after - self.before

    def __repr__(self) -> str:
        if self.before.size == 1:
            return f"<effect of {self.name}: {float(self.before):.6g} -> {float(self.after):.6g}>"
        return (
            f"<effect of {self.name}: the output moves by at most {np.abs(self.change).max(initial=0):.6g}>"
        )


def edit(gates: Sequence[Gate], gate: Gate, value: Edit = None, gradient: Edit = None) -> Effect:
    """Return what an edit of `gate` does to the output of a graph, the last of its opened `gates`.

    The graph itself stays as it is: gates after the edited one run again, in a history of their own.
    """
    target = gate.tensor
    edited = _edited(target, value, f"the value of {gate.name!r}")
    if gradient is not None:
        edited = Tap(lambda g: _edited(g, gradient, f"the gradient of {gate.name!r}"))(edited)
    changed: dict[int, Tensor] = {id(target): edited}
    outer = mode.scope
    try:
        for each in gates:
            node = each.tensor
            if node is not target and any(id(x) in changed for x in node.inputs):
                inputs = [changed.get(id(x), x) if isinstance(x, Tensor) else x for x in node.inputs]
                mode.scope = node.scope
                with np.errstate(all="ignore"):
                    fresh = changed[id(node)] = apply(node.op, inputs, node.params)
                fresh.name = node.name
    finally:
        mode.scope = outer
    last = gates[-1].tensor
    return Effect(gate.name, last.data.copy(), changed.get(id(last), last))


def _edited(tensor: Tensor, change: Edit, what: str) -> Tensor:
    """Return the tensor after an edit, in its own shape and dtype."""
    if change is None:
        return tensor
    made = change(tensor) if callable(change) else change
    if isinstance(made, Tensor) and made.shape == tensor.shape and made.dtype == tensor.dtype:
        return made
    array = made.data if isinstance(made, Tensor) else np.asarray(made)
    try:
        return Tensor(np.broadcast_to(array, tensor.shape).astype(tensor.dtype))
    except ValueError:
        raise ShapeError(
            f"intervene: {what} has shape {tensor.shape}, the edit gives {array.shape}"
        ) from None
