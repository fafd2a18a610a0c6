"""The lecture's ComputationalGraph: gates in topological order, run forward and in reverse.

It is made from any tensor that was computed with a gradient. Nothing here multiplies gradients: the
gates do, with the engine's rules. Grouping changes what is shown, never what is computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.mode import Scope, module_path
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor, describe
from chainrule.errors import DTypeError, GraphError, UnknownNameError, nearest
from chainrule.inspect.box import Box
from chainrule.inspect.check import check
from chainrule.inspect.checking.report import CheckReport
from chainrule.inspect.draw import Drawing, Fold, check_format, save
from chainrule.inspect.explain import Explanation, explain
from chainrule.inspect.gate import Gate, Sweep, shown
from chainrule.inspect.grouping import boxed, hidden, scopes
from chainrule.inspect.intervene import Edit, Effect, edit
from chainrule.inspect.page import Page, page
from chainrule.inspect.recording import Names, recorded

_SHOWN = 40


class ComputationalGraph:
    """The graph behind `output`, gate by gate.

    >>> import chainrule as cr
    >>> leaves = {"x": -2.0, "y": 5.0, "z": -4.0}
    >>> x, y, z = (cr.tensor(value, requires_grad=True, name=name) for name, value in leaves.items())
    >>> graph = ComputationalGraph((x + y) * z)
    >>> float(graph.output.value)
    -12.0
    >>> {name: float(gradient) for name, gradient in graph.backward().items()}
    {'x': -4.0, 'y': -4.0, 'z': 3.0}
    >>> float(graph.forward({"x": 1.0}))
    -24.0
    """

    def __init__(self, output: Tensor) -> None:
        if not isinstance(output, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DTypeError(
                f"ComputationalGraph: needs the tensor that was computed, got {type(output).__name__}",
                hint="give the loss itself, without .item(), .numpy() or float()",
            )
        if not output.requires_grad:
            raise GraphError(
                f"ComputationalGraph: {describe(output)} has no recorded graph",
                hint="give a leaf requires_grad=True, and compute outside `with cr.no_grad():`",
            )
        self._names, self._sweep = Names(), Sweep()
        self._gates = recorded(output, self._names, self._sweep)
        self._closed: dict[int, Scope] = {}
        self._boxes: dict[int, Box] = {}
        self._shown = self._gates
        self._users: dict[Gate, list[tuple[Gate, int]]] = {}

    # ---- what is in it ---------------------------------------------------------------------------
    def nodes_topologically_sorted(self) -> list[Gate]:
        """Return the gates, leaves first, every gate after its inputs, the output last."""
        return list(self._shown)

    @property
    def inputs(self) -> list[Gate]:
        """The leaves that are tensors: data and parameters, in the order they were made."""
        return [gate for gate in self._shown if gate.op == "input"]

    @property
    def parameters(self) -> list[Gate]:
        """The inputs that gradients flow to."""
        return [gate for gate in self._gates if gate.is_leaf and gate.tracked]

    @property
    def output(self) -> Gate:
        """The gate whose value is the graph's."""
        return self._shown[-1]

    def consumers(self, gate: Gate) -> list[tuple[Gate, int]]:
        """Return the edges that leave a gate: (the gate it leads to, which of its inputs)."""
        if not self._users:
            for user in self._shown:
                for i, each in enumerate(user.inputs):
                    self._users.setdefault(each, []).append((user, i))
        return list(self._users.get(gate, ()))

    def __getitem__(self, key: str | Tensor) -> Gate:
        """Return the gate with a name, or that of a tensor, whether inside a closed box or not."""
        gates = {gate.name: gate for gate in (*self._gates, *self._shown) if gate.op != "constant"}
        found = (
            gates.get(key)
            if isinstance(key, str)
            else next((gate for gate in (*self._shown, *self._gates) if gate.tensor is key), None)
        )
        if found is None:
            wanted = describe(key) if isinstance(key, Tensor) else repr(key)
            hint = nearest(wanted.strip("'"), gates)
            raise UnknownNameError(
                f"graph: there is no gate for {wanted}",
                hint=f"{hint} (in the graph is what came from a tensor with requires_grad, and met it)",
            )
        return found

    def __iter__(self) -> Iterator[Gate]:
        return iter(self.nodes_topologically_sorted())

    def __len__(self) -> int:
        return len(self._shown)

    # ---- running it ------------------------------------------------------------------------------
    def forward(self, inputs: Mapping[str | Tensor, Any] | None = None) -> Array:
        """Set the given leaves (by name or tensor), compute every gate anew, and return the value.

        Leaves get new arrays of their own shape and dtype; captured constants stay as they are.
        """
        for key, value in (inputs or {}).items():
            gate = self[key]
            if gate.op != "input":
                raise GraphError(f"forward: {gate.name!r} is computed by {gate.op}, so it cannot be given")
            array = np.array(value.data if isinstance(value, Tensor) else value, gate.value.dtype)
            gate.check_shape(array.shape)
            gate.tensor.data = array
        for gate in self._shown:
            gate.forward()
        return self.output.value

    def backward(self, gradient: Any = None) -> dict[str, Array]:
        """Sweep back from the output, and return the gradient of each tracked leaf by its name.

        `gradient` is the output's upstream gradient (ones for a single value). Every call starts
        anew: gates' gradients and tensors' `.grad` are set, where `tensor.backward()` adds.
        """
        self.output.backward(gradient)
        for gate in reversed(self._shown[:-1]):
            gate.backward()
        return {gate.name: gate.upstream for gate in self.parameters}  # pyright: ignore

    def check(self, **options: Any) -> CheckReport:
        """Compare the rule of every gate with finite differences; see `chainrule.inspect.check`."""
        return check(self, **options)

    def edit(self, name: str | Tensor, value: Edit = None, gradient: Edit = None) -> Effect:
        """Return what an edit of a gate's value, or of the gradient that comes back to it, would do.

        An edit is a number or array to put in place, or a function of the tensor. The graph stays as
        it is; `effect.output` is the output with the edit, from which `backward` runs.
        """
        return edit(self._gates, self[name], value, gradient)

    def replace(self, name: str | Tensor, value: Any) -> Effect:
        """Return what the output would be if a gate had this value."""
        return self.edit(name, value)

    def scale(self, name: str | Tensor, factor: float) -> Effect:
        """Return what the output would be if a gate's value were multiplied by `factor`."""
        return self.edit(name, lambda t: t * factor)

    def ablate(self, name: str | Tensor) -> Effect:
        """Return what the output would be if a gate's value were 0."""
        return self.edit(name, 0.0)

    def explain(self) -> Explanation:
        """Return the cards of all gates as they stand: a table, a page, JSON; see `Gate.explain`."""
        return explain(self._shown, self.consumers)

    # ---- looking at it ---------------------------------------------------------------------------
    def draw(self, path: str | os.PathLike[str], fold: Fold = "auto", direction: str = "auto") -> Path:
        """Draw the graph into a file that ends in .svg, .png or .pdf; return its path.

        `fold` says what is drawn closed: "auto" (so much that the drawing stays readable), a depth,
        a name or several (composites, modules, their classes), or None for nothing. `direction` is
        "right", "down" or "auto". Raises ArgumentError for another ending or direction.
        """
        target = check_format(path)
        return save(self._drawing(direction).scene(fold), target)

    def show(
        self, path: str | os.PathLike[str] | None = None, fold: Fold = "auto", direction: str = "auto"
    ) -> Page:
        """Write one HTML page to look around in, to `path` or a temporary file, and return it.

        A notebook displays what is returned; `.open()` shows it in a browser.
        """
        return page(self._drawing(direction), path, fold)

    def _drawing(self, direction: str) -> Drawing:
        return Drawing(self._gates, direction, {label(scope) for scope in self._closed.values()})

    # ---- closing and opening ---------------------------------------------------------------------
    def group(self, name: str | None = None, kind: str = "composite") -> ComputationalGraph:
        """Close what was computed in one call of a composite op (or a module) into one gate.

        `name` is that of an op, or a module's path; None closes all of the `kind` "composite" or
        "module". Only calls with a single output close. Returns the graph itself.
        """
        found = {id(each): each for each in scopes(self._gates) if self._means(each, name, kind)}
        if name is not None and not found:
            known = {label(each) for each in scopes(self._gates)}
            raise UnknownNameError(f"group: nothing is called {name!r}", hint=nearest(name, known))
        self._closed.update(found)
        self._arrange()
        return self

    def ungroup(self, name: str | None = None) -> ComputationalGraph:
        """Open the boxes with a name (None: all); boxes inside them that were closed are then shown."""
        self._closed = {
            key: each for key, each in self._closed.items() if name is not None and label(each) != name
        }
        self._arrange()
        return self

    @staticmethod
    def _means(scope: Scope, name: str | None, kind: str) -> bool:
        return label(scope) == name if name is not None else scope.kind == kind and bool(label(scope))

    def _arrange(self) -> None:
        """Find what is shown: boxes for the closed scopes, and every gate outside them."""
        computed = [gate for gate in self._gates if not gate.is_leaf]
        box = boxed(computed, list(self._closed.values())) if computed else {}
        members: dict[int, list[Gate]] = {}
        for gate, scope in box.items():
            members.setdefault(id(scope), []).append(gate)
        unseen = hidden(computed, box)
        seen: list[Gate] = []
        for gate in self._gates:
            scope = box.get(gate)
            if scope is None and gate not in unseen:
                seen.append(gate)
            elif scope is not None and gate is members[id(scope)][-1]:
                seen.append(self._box(scope, members[id(scope)], unseen))
        self._shown, self._users = seen, {}
        for gate in (*seen, *computed):
            own = None if isinstance(gate, Box) else box.get(gate)
            gate.inputs = tuple(self._seen(each, box, own) for each in gate.sources)

    def _seen(self, source: Gate, box: dict[Gate, Scope], own: Scope | None) -> Gate:
        """Return the gate as which `source` is seen: its box, unless looked at from inside that box."""
        scope = box.get(source)
        return source if scope is None or scope is own else self._boxes[id(scope)]

    def _box(self, scope: Scope, inside: list[Gate], unseen: set[Gate]) -> Box:
        if id(scope) not in self._boxes:
            own = {*inside, *unseen}
            sources = dict.fromkeys(each for gate in inside for each in gate.sources if each not in own)
            op = scope.label if scope.kind == "composite" else type(scope.owner).__name__
            name = self._names.unique(label(scope) or op)
            self._boxes[id(scope)] = Box(inside, tuple(sources), op, name, self._sweep)
        return self._boxes[id(scope)]

    def __repr__(self) -> str:
        leaves = sum(gate.is_leaf for gate in self._shown)
        lines = [f"ComputationalGraph: {leaves} leaves, {len(self) - leaves} gates"]
        rows = (
            self._shown
            if len(self) <= _SHOWN
            else [*self._shown[: _SHOWN // 2], *self._shown[-_SHOWN // 2 :]]
        )
        width = max(len(_title(gate)) for gate in rows)
        for i, gate in enumerate(rows):
            if i == _SHOWN // 2 and len(rows) < len(self):
                lines.append(f"  ... {len(self) - len(rows)} more")
            gradient = f"    gradient {shown(gate.upstream)}" if gate.upstream is not None else ""
            lines.append(f"  {_title(gate):<{width}}  {shown(gate.value)}{gradient}")
        return "\n".join(lines)


def label(scope: Scope) -> str:
    """Return what a scope is called: a composite's name, or a module's path."""
    return scope.label if scope.kind == "composite" else module_path(scope)


def _title(gate: Gate) -> str:
    if not gate.inputs:
        return gate.name
    return f"{gate.name} = {gate.op}({', '.join(each.name for each in gate.inputs)})"
