"""The reverse sweep: from an output's gradient to the gradients of all it was computed from.

Results are numbered as they are made, so descending numbers are a topological order, and no
recursion is needed however deep the graph. Rules are written in ops: when the sweep is recorded, the
gradients are tensors with a history of their own and differentiate again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.core.mode import mode
from chainrule.core.registry import named, public
from chainrule.core.spec import is_float
from chainrule.core.tensor import Tensor, describe
from chainrule.errors import GraphError, ShapeError


def forget(tensors: Iterable[Tensor], to_none: bool = True) -> None:
    """Forget the gradients of `tensors`: set them to None, or to zeros where there are some."""
    for each in tensors:
        if to_none:
            each.grad = None
        elif each.grad is not None:
            each.grad.assign(0.0)


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
    before, scope = mode.recording, mode.scope
    mode.recording = record
    try:
        with np.errstate(all="ignore"):  # NaN and infinity are results; the forward pass has warned
            for node in reversed(graph):
                g = gradients.get(id(node))
                if node.op is not None and g is not None:
                    mode.scope = node.scope
                    needs = [_wanted(each, only) for each in node.inputs]
                    for each, down in zip(node.inputs, downstream(node, g, needs), strict=True):
                        if down is not None:
                            _add(gradients, each, down)
    finally:
        mode.recording, mode.scope = before, scope
    return gradients


def _wanted(x: Any, only: set[int] | None) -> bool:
    return isinstance(x, Tensor) and x.requires_grad and (only is None or id(x) in only)


def _add(gradients: dict[int, Tensor], x: Tensor, g: Tensor) -> None:
    """Add one more gradient of `x`: a value used several times sums them."""
    known = gradients.get(id(x))
    gradients[id(x)] = g if known is None else named("add")(known, g)


def downstream(node: Tensor, g: Tensor, needs: Sequence[bool]) -> list[Tensor | None]:
    """Return what the upstream gradient `g` of `node` gives each needed input, in the input's dtype.

    None stands for inputs that are not needed, and for a gradient that is zero everywhere.
    """
    _refuse_stale(node)
    given = list(node.op.vjp(g, node, needs))
    for place, (x, need) in enumerate(zip(node.inputs, needs, strict=True)):
        down = given[place]
        if not need:
            given[place] = None
        elif down is not None and down._data.dtype != x._data.dtype:
            given[place] = named("astype")(down, dtype=x._data.dtype)
    return given


def _refuse_stale(node: Tensor) -> None:
    """Raise if an input whose value the gradient reads was changed after `node` was computed."""
    computed = node.mutated or node.serial  # a graph may have computed it anew since it was made
    for each, reads in zip(node.inputs, node.op.reads(node), strict=False):
        source = each
        while isinstance(source, Tensor) and source.op is not None and source.op.family == "movement":
            source = source.inputs[0]  # a view shows the changes of what it looks at
        if reads and isinstance(source, Tensor) and source.mutated > computed:
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
    start = upstream(output, gradient)
    gradients = sweep(graph, start, record=False)
    taken = {id(gradients[id(node)]._data) for node in graph if node.op and id(node) in gradients}
    taken.add(id(start._data))  # the user's own array, where the output is itself a leaf
    for node in graph:
        g = gradients.get(id(node))
        if g is None:
            g = Tensor(np.zeros(node.shape, node.dtype))  # reached, but only through flat functions
        if node.op is None:
            g = _own(g, taken)
        node.grad = g if node.grad is None else named("add")(node.grad, g).detach()


def upstream(output: Tensor, gradient: Any) -> Tensor:
    """Return the gradient to start from: ones for a single value, else what the user gives."""
    if gradient is None:
        if output.size != 1:
            raise GraphError(
                f"backward: the output holds {output.size} values, shape {output.shape}, not one",
                hint="reduce it first, as in y.sum().backward(), or give y.backward(gradient)",
            )
        return Tensor(np.ones(output.shape, output.dtype))
    given = gradient if isinstance(gradient, Tensor) else Tensor(np.array(gradient, output.dtype))
    if given.shape != output.shape:
        raise ShapeError(f"backward: gradient has shape {given.shape} but the output has {output.shape}")
    if not is_float(given.dtype) or given.dtype != output.dtype:
        given = named("astype")(given, dtype=output.dtype)
    return given


def _own(g: Tensor, taken: set[int]) -> Tensor:
    """Return `g` with an array of its own: a leaf's gradient may be changed in place by its user."""
    array = g._data
    if id(array) in taken or array.base is not None or not array.flags.writeable:
        g = named("positive")(g.detach())
    taken.add(id(g._data))
    return g.detach()
