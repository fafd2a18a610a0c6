"""Where infinity or nan came from: the first op, and the layer it stands in.

Values are searched forward along those inputs through which the fault reached the loss, gradients in
the order of the backward sweep. The recorded graph holds all that is needed; nothing is computed
again. How to go on is only hinted at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.backward import reachable
from chainrule.core.op import describe_inputs
from chainrule.core.tensor import Tensor
from chainrule.errors import NonFiniteError
from chainrule.nn import Module

_HINT = "a smaller rate, normalised inputs, or a loss that takes scores instead of log(probabilities)"


def check_finite(loss: Tensor, model: Module, when: str = "") -> None:
    """Raise NonFiniteError unless the loss and the gradients of all parameters are finite.

    Call it after `loss.backward()` and before the update. The message names the op and the layer in
    which the first value, or gradient, that is not finite arose; `when` says at which iteration.
    """
    parameters = dict(model.named_parameters())
    if is_finite(loss) and all(is_finite(each.grad) for each in parameters.values()):
        return
    names = {id(each): name for name, each in parameters.items()}
    graph = reachable(loss)
    if not is_finite(loss):
        raise _value_fault(loss, graph, names, when)
    raise _gradient_fault(graph, names, when)


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


def _value_fault(loss: Tensor, graph: list[Tensor], names: dict[int, str], when: str) -> NonFiniteError:
    """Report the earliest culprit among the nodes through which the fault reached the loss."""
    start = f"the loss is {loss.item()}{when}"
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
        what = repr(getattr(given, "name", None) or "an input")
        headline = f"{start}: {what} of {first.op.name}{_place(first)} holds nan or infinity"
        return NonFiniteError(headline, got=spread(given), hint="look for missing or huge values in the data")
    if first.op is None:
        name = names.get(id(first), first.name or "a leaf")
        return NonFiniteError(f"{start}: {name!r} was not finite before", got=spread(first), hint=_HINT)
    return NonFiniteError(
        f"{start}: first in {first.op.name}{_place(first)}",
        got=f"{describe_inputs(first.op, first.inputs)}; {_spreads(first)}",
        hint=_HINT,
    )


def _gradient_fault(graph: list[Tensor], names: dict[int, str], when: str) -> NonFiniteError:
    """Report the first op of the sweep that made a wrong gradient of a right one."""
    for node in reversed(graph):
        if node.op is None or not is_finite(node.grad):
            continue
        for each in node.inputs:
            if isinstance(each, Tensor) and each.requires_grad and not is_finite(each.grad):
                target = (
                    names.get(id(each)) or each.name or (each.op.name if each.op is not None else "a leaf")
                )
                return NonFiniteError(
                    f"a gradient is not finite{when}: first in the gradient of {node.op.name}{_place(node)}"
                    f" with respect to {target!r}",
                    got=f"{describe_inputs(node.op, node.inputs)}; {_spreads(node)}",
                    hint=_HINT,
                )
    return NonFiniteError(f"a gradient is not finite{when}", hint=_HINT)


def _place(node: Tensor) -> str:
    path = node.scope.module_path() if node.scope is not None else ""
    return f" (layer {path!r})" if path else ""


def _spreads(node: Tensor) -> str:
    values = [each for each in node.inputs if isinstance(each, Tensor | np.ndarray)]
    return ", ".join(spread(each) for each in values)


def spread(value: Any) -> str:
    """Return 'from -1.5 to 3.2, 4 nan' of the numbers in a tensor or an array."""
    array = value.data if isinstance(value, Tensor) else np.asarray(value)
    good = array[np.isfinite(array)]
    counts = {"nan": int(np.isnan(array).sum()), "infinite": int(np.isinf(array).sum())}
    parts = [f"from {good.min():.6g} to {good.max():.6g}" if good.size else ""]
    parts += [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(part for part in parts if part)
