"""Where infinity or nan came from: the first op, the layer it stands in, and the values that made it.

Values are searched forward along those inputs through which the fault reached the loss, gradients in
the order of the backward sweep. The recorded graph holds all that is needed; nothing is computed
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.backward import reachable
from chainrule.core.mode import module_path
from chainrule.core.op import describe_inputs
from chainrule.core.tensor import Tensor


@dataclass(frozen=True)
class Origin:
    """The beginning of a fault, in words: `what` goes on a headline, `got` are the values.

    `where` is 'forward', 'backward', 'data' or 'before' (a leaf was not finite to begin with).
    """

    where: str
    what: str
    got: str
    op: str = ""
    layer: str = ""


def find_origin(loss: Tensor, parameters: Mapping[str, Tensor]) -> Origin | None:
    """Return where the first number of `loss`, or of a gradient, stopped being finite; None if none did.

    Call it after `loss.backward()` and before the update. `parameters` are the leaves by name.
    """
    if is_finite(loss) and all(is_finite(each.grad) for each in parameters.values()):
        return None
    names = {id(each): name for name, each in parameters.items()}
    graph = reachable(loss)
    return _of_gradient(graph, names) if is_finite(loss) else _of_value(loss, graph, names)


def is_finite(value: Any) -> bool:
    """Say whether all numbers of a tensor, an array, a number or None are finite."""
    array = value.data if isinstance(value, Tensor) else value
    if not isinstance(array, np.ndarray):
        return array is None or bool(np.isfinite(array))
    if array.dtype.kind != "f":
        return True
    flat = array.reshape(-1)
    # The sum of squares is finite if all are; where it overflows, every number is looked at.
    return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(flat).all())


def _of_value(loss: Tensor, graph: list[Tensor], names: dict[int, str]) -> Origin:
    """Return the earliest culprit among the nodes through which the fault reached the loss."""
    guilty = {id(loss)}
    first, given = loss, None
    for node in reversed(graph):
        if id(node) not in guilty:
            continue
        wrong = [each for each in node.inputs if not is_finite(each)]
        guilty.update(id(each) for each in wrong)
        first = node
        given = next((each for each in wrong if not getattr(each, "requires_grad", False)), None)
    if given is not None:
        name = repr(getattr(given, "name", None) or "an input")
        what = f"{name} of {first.op.name}{_place(first)} holds nan or infinity"
        return Origin("data", what, spread(given), first.op.name, module_path(first.scope))
    if first.op is None:
        name = names.get(id(first), first.name or "a leaf")
        return Origin("before", f"{name!r} was not finite before", spread(first))
    what = f"first in {first.op.name}{_place(first)}"
    return Origin("forward", what, _inputs(first), first.op.name, module_path(first.scope))


def _of_gradient(graph: list[Tensor], names: dict[int, str]) -> Origin:
    """Return the first op of the sweep that made a wrong gradient of a right one."""
    for node in reversed(graph):
        if node.op is None or not is_finite(node.grad):
            continue
        for each in node.inputs:
            if isinstance(each, Tensor) and each.requires_grad and not is_finite(each.grad):
                source = each.op.name if each.op is not None else "a leaf"
                target = names.get(id(each)) or each.name or source
                what = f"first in the gradient of {node.op.name}{_place(node)} with respect to {target!r}"
                return Origin("backward", what, _inputs(node), node.op.name, module_path(node.scope))
    return Origin("backward", "", "")


def _place(node: Tensor) -> str:
    path = module_path(node.scope)
    return f" (layer {path!r})" if path else ""


def _inputs(node: Tensor) -> str:
    values = [each for each in node.inputs if isinstance(each, Tensor | np.ndarray)]
    return f"{describe_inputs(node.op, node.inputs)}; {', '.join(spread(each) for each in values)}"


def spread(value: Any) -> str:
    """Return 'from -1.5 to 3.2, 4 nan' of the numbers in a tensor or an array."""
    array = value.data if isinstance(value, Tensor) else np.asarray(value)
    good = array[np.isfinite(array)]
    counts = {"nan": int(np.isnan(array).sum()), "infinite": int(np.isinf(array).sum())}
    parts = [f"from {good.min():.6g} to {good.max():.6g}" if good.size else ""]
    parts += [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(part for part in parts if part)
