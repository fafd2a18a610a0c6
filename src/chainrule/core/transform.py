"""Functions of functions: gradients, Jacobians and Hessians under JAX's names.

They leave `.grad` alone. A gradient is recorded only if something outside may differentiate it
again: an argument that is itself tracked, or a tracked tensor that the function closes over.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.backward import reachable, sweep, upstream
from chainrule.core.mode import enable_grad
from chainrule.core.registry import named
from chainrule.core.spec import is_float
from chainrule.core.tensor import Tensor, to_array
from chainrule.errors import ArgumentError, DTypeError, GraphError

Argnums = int | Sequence[int]


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Tensor, Callable[[Any], tuple[Tensor, ...]]]:
    """Return `(f(*args), pullback)`; `pullback(g)` gives the gradient of every argument.

    >>> import chainrule as cr
    >>> value, pullback = cr.vjp(lambda x: x * x, cr.tensor([1.0, 2.0]))
    >>> pullback([1.0, 1.0])[0].tolist()
    [2.0, 4.0]
    """
    places = tuple(range(len(args)))
    value, fresh = _run(f, args, places)
    return value.detach() if not _outside(value, fresh) else value, lambda g: _pull(value, fresh, g)


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Tensor, Any]]:
    """Return a function giving `(f(*args), gradient)`; f must return a single value."""
    places, several = _places(argnums)

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
        value, fresh = _run(functools.partial(f, **kwargs), args, places)
        gradients = _pull(value, fresh, None)
        shown = value if _outside(value, fresh) else value.detach()
        return shown, gradients if several else gradients[0]

    return both


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function giving the gradient of `f` (a single value) by the numbered argument(s).

    `argnums` is an int, or a tuple for a tuple of gradients. Apply it twice for second derivatives.

    >>> import chainrule as cr
    >>> cr.grad(cr.grad(lambda x: x ** 3))(2.0).item()
    12.0
    """
    both = value_and_grad(f, argnums)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function giving d f / d argument, of shape `f(x).shape + x.shape`.

    One reverse sweep for each value of the output.
    """
    places, several = _places(argnums)

    @functools.wraps(f)
    def rows(*args: Any, **kwargs: Any) -> Any:
        value, fresh = _run(functools.partial(f, **kwargs), args, places)
        found: list[tuple[Tensor, ...]] = []
        for place in range(value.size):
            unit = np.zeros(value.size, value.dtype)
            unit[place] = 1
            found.append(_pull(value, fresh, unit.reshape(value.shape)))
        blocks = tuple(_stacked([row[i] for row in found], value, x) for i, x in enumerate(fresh))
        return blocks if several else blocks[0]

    return rows


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function giving the second derivatives of `f`, of shape `x.shape + x.shape`."""
    return jacobian(grad(f, argnums), argnums)


def _places(argnums: Argnums) -> tuple[tuple[int, ...], bool]:
    """Return the numbered arguments, and whether there may be several, which give a tuple."""
    return (tuple(argnums), True) if isinstance(argnums, Sequence) else ((argnums,), False)


def _stacked(rows: Sequence[Tensor], value: Tensor, x: Tensor) -> Tensor:
    if not rows:
        return Tensor(np.zeros(value.shape + x.shape, x.dtype))
    return named("reshape")(named("stack")(rows), value.shape + x.shape)


def _run(f: Callable[..., Any], args: Sequence[Any], places: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
    """Call `f` with fresh tracked tensors in the given places."""
    inputs = list(args)
    fresh: list[Tensor] = []
    for place in places:
        try:
            given = inputs[operator.index(place)]
        except IndexError:
            raise ArgumentError(
                f"grad: argnums={place} but the function got {len(args)} positional argument(s)"
            ) from None
        array = to_array(given)
        if not is_float(array.dtype):
            raise DTypeError(
                f"grad: argument {place} is {array.dtype}; gradients need floats",
                hint="pass 2.0 instead of 2",
            )
        tracked = isinstance(given, Tensor) and given.requires_grad
        with enable_grad():
            inputs[place] = named("identity")(given) if tracked else Tensor(given, requires_grad=True)
        fresh.append(inputs[place])
    with enable_grad():
        value = f(*inputs)
    if not isinstance(value, Tensor):
        raise GraphError(
            f"grad: the function returned {type(value).__name__}, not a tensor",
            hint="return the loss itself, without .item(), .numpy() or float()",
        )
    return value, fresh


def _outside(value: Tensor, fresh: Sequence[Tensor]) -> bool:
    """Tell whether `value` depends on tracked leaves other than the fresh ones."""
    own = {id(each) for each in fresh}
    return value.requires_grad and any(n.op is None and id(n) not in own for n in reachable(value))


def _pull(value: Tensor, fresh: Sequence[Tensor], gradient: Any) -> tuple[Tensor, ...]:
    """Return the gradient of each fresh tensor, zeros where the value does not depend on it."""
    start = upstream(value, gradient)
    gradients: dict[int, Tensor] = {}
    record = start.requires_grad
    if value.requires_grad:
        graph = reachable(value)
        own = {id(each) for each in fresh}
        record = record or any(node.op is None and id(node) not in own for node in graph)
        flowing = set(own)
        for node in graph:
            if any(id(each) in flowing for each in node.inputs):
                flowing.add(id(node))
        gradients = sweep(graph, start, record, flowing)
    found = [gradients.get(id(x)) for x in fresh]
    return tuple(
        Tensor(np.zeros(x.shape, x.dtype)) if g is None else (g if record else g.detach())
        for g, x in zip(found, fresh, strict=True)
    )
