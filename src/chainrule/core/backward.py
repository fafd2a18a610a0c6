"""The reverse sweep: from an output's gradient to the gradients of all it was computed from.

Results are numbered as they are made, so descending numbers are a topological order, and no
recursion is needed however deep the graph. Rules are written in ops: when the sweep is recorded, the
gradients are tensors with a history of their own and differentiate again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core.mode import mode
from chainrule.core.registry import named, public
from chainrule.core.spec import is_float
from chainrule.core.tensor import Tensor, describe
from chainrule.errors import GraphError, ShapeError


def reachable(output: Tensor) -> list[Tensor]:
    """Return every tensor that `output` was computed from and that has a gradient, in order of making."""
    seen = {id(output)}
    found = [output]
    for node in found:
        for each in node.inputs:
            if isinstance(each, Tensor) and each.requires_grad and id(each) not in seen:
                seen.add(id(each))
                found.append(each)
    return sorted(found, key=_serial)


def _serial(node: Tensor) -> int:
    return node.serial


def sweep(
    graph: Sequence[Tensor], gradient: Tensor, record: bool, only: set[int] | None = None
) -> dict[int, Tensor]:
    """Return the gradient of each node of `graph` (in order of making, the output last), by id.

    `only` limits the sweep to nodes through which the wanted gradients flow; `record` keeps the
    history of the gradients.
    """
    gradients = {id(graph[-1]): gradient}
    before, mode.recording = mode.recording, record
    scope = mode.scope
    try:
        for node in reversed(graph):
            g = gradients.get(id(node))
            if node.op is None or g is None:
                continue
            needs = [
                isinstance(each, Tensor) and each.requires_grad and (only is None or id(each) in only)
                for each in node.inputs
            ]
            _refuse_stale(node, needs)
            mode.scope = node.scope
            for each, need, down in zip(node.inputs, needs, node.op.vjp(g, node, needs), strict=True):
                if need and down is not None:
                    _add(gradients, each, down)
    finally:
        mode.recording, mode.scope = before, scope
    return gradients


def _add(gradients: dict[int, Tensor], x: Tensor, g: Tensor) -> None:
    """Add one more gradient of `x`, in x's dtype: a value used several times sums them."""
    if g._data.dtype != x._data.dtype:
        g = named("astype")(g, dtype=x._data.dtype)
    known = gradients.get(id(x))
    gradients[id(x)] = g if known is None else named("add")(known, g)


def _refuse_stale(node: Tensor, needs: Sequence[bool]) -> None:
    """Raise if an input whose value the gradient reads was changed after `node` was computed."""
    for each, reads in zip(node.inputs, node.op.reads(node), strict=False):
        source = each
        while isinstance(source, Tensor) and source.op is not None and source.op.family == "movement":
            source = source.inputs[0]  # a view shows the changes of what it looks at
        if reads and isinstance(source, Tensor) and source.mutated > node.serial:
            raise GraphError(
                f"backward: {describe(source)} was changed in place after {node.op.name} used it",
                hint="compute the loss again after changing values (or after optimizer.step())",
            )


@public
def backward(output: Tensor, gradient: Any = None) -> None:
    """Put the gradient of `output` into `.grad` of every tensor it was computed from."""
    if not output.requires_grad:
        raise GraphError(
            f"backward: {describe(output)} has no recorded graph",
            hint="give a leaf requires_grad=True, and compute outside `with cr.no_grad():`",
        )
    graph = reachable(output)
    gradients = sweep(graph, upstream(output, gradient), record=False)
    given: set[int] = set()
    for node in graph:
        g = gradients.get(id(node))
        if g is None:
            g = Tensor(np.zeros(node.shape, node.dtype))  # reached, but only through flat functions
        if node.op is None:
            g = _own(g, given)
        g = g if node.grad is None else named("add")(node.grad, g)
        node.grad = g.detach() if g.op is not None else g


def upstream(output: Tensor, gradient: Any) -> Tensor:
    """Return the gradient to start from: ones for a single value, else what the user gives."""
    if gradient is None:
        if output.size != 1:
            raise GraphError(
                f"backward: the output holds {output.size} values, shape {output.shape}, not one",
                hint="reduce it first, as in y.sum().backward(), or give y.backward(gradient)",
            )
        return Tensor(np.ones(output.shape, output.dtype))
    given = gradient if isinstance(gradient, Tensor) else Tensor(np.asarray(gradient, output.dtype))
    if given.shape != output.shape:
        raise ShapeError(f"backward: gradient has shape {given.shape} but the output has {output.shape}")
    if not is_float(given.dtype) or given.dtype != output.dtype:
        given = named("astype")(given, dtype=output.dtype)
    return given


def _own(g: Tensor, given: set[int]) -> Tensor:
    """Return `g` with an array of its own: a leaf's gradient may be changed in place by its user."""
    array = g._data
    shared = id(array) in given or array.base is not None or not array.flags.writeable
    if shared:
        g = Tensor(array.copy())
    given.add(id(g._data))
    return g
