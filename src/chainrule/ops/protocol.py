"""NumPy's own functions on tensors: `np.exp(t)` and `np.sum(t)` record as ours do.

A NumPy function is matched by name. One that has no counterpart runs on the plain values if that
loses no gradient, and is refused with the way out if it would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from chainrule.core.mode import mode
from chainrule.core.registry import REGISTRY, public
from chainrule.core.tensor import Tensor
from chainrule.errors import GraphError

_OTHER_NAMES = {"absolute": "abs", "fabs": "abs", "true_divide": "divide", "amax": "max", "amin": "min"}
_REDUCERS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min",
    "logical_and": "all", "logical_or": "any",
}  # fmt: skip
# Functions whose answers are no floats, so that no gradient is lost on plain values.
_FLAT = set(
    """allclose isclose array_equal array_equiv array2string array_repr array_str shape ndim size argsort
    nonzero flatnonzero count_nonzero unique searchsorted digitize bincount histogram result_type can_cast
    may_share_memory shares_memory savetxt save zeros_like ones_like empty_like full_like signbit copyto
    isrealobj iscomplexobj""".split()
)
# Functions that ask for shapes and dtypes alone.
_OF_FORM = {"shape", "ndim", "size", "result_type", "can_cast", "zeros_like", "ones_like", "empty_like"}


@public
def numpy_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer `Tensor.__array_ufunc__`."""
    name = _OTHER_NAMES.get(ufunc.__name__, ufunc.__name__)
    if "out" in kwargs:
        return _into(ufunc, method, inputs, kwargs)
    if method == "reduce" and name in _REDUCERS:
        kwargs.setdefault("axis", 0)
        return REGISTRY[_REDUCERS[name]](*inputs, **_without_defaults(kwargs))
    if method == "__call__" and name in REGISTRY and ufunc is getattr(np, ufunc.__name__, None):
        return REGISTRY[name](*inputs, **_without_defaults(kwargs))
    call = ufunc if method == "__call__" else getattr(ufunc, method)
    shown = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    return _on_values(call, shown, inputs, kwargs, flat=ufunc.__name__ in _FLAT)


@public
def numpy_function(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Answer `Tensor.__array_function__`."""
    name = _OTHER_NAMES.get(function.__name__, function.__name__)
    if name in REGISTRY and getattr(np, function.__name__, None) is function:
        return REGISTRY[name](*args, **_without_defaults(kwargs))
    shown = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    return _on_values(function, shown, args, kwargs, flat=function.__name__ in _FLAT)


def _without_defaults(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leave out arguments at NumPy's 'not given' values."""
    idle = {"out": None, "dtype": None, "where": True, "initial": np._NoValue, "casting": "same_kind"}  # pyright: ignore
    return {
        name: value
        for name, value in kwargs.items()
        if value is not np._NoValue and not (name in idle and value is idle[name])  # pyright: ignore
    }


def _on_values(call: Callable[..., Any], shown: str, args: Any, kwargs: dict[str, Any], flat: bool) -> Any:
    """Run a NumPy function that has no counterpart on the plain arrays."""
    found: list[Tensor] = []
    read = None if call.__name__ in _OF_FORM else shown
    forms = 1 if call is np.full_like else 0  # so many first arguments are asked for their form alone
    args = (*_plain(args[:forms], found, None), *_plain(args[forms:], found, read))
    kwargs = _plain(kwargs, found, read)
    if not flat and mode.recording and any(each.requires_grad for each in found):
        raise GraphError(
            f"{shown}: is not an op of chainrule, so its gradient would be lost",
            hint=f"use chainrule's functions, or {shown}(t.detach().numpy()) if no gradient is wanted",
        )
    return call(*args, **kwargs)


def _into(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`out=`: write the plain result into a tensor that no graph depends on, or into an array."""
    (target,) = kwargs["out"]
    if isinstance(target, Tensor):
        target.refuse_change(f"np.{ufunc.__name__} with out=")
        given = (inputs, {**kwargs, "out": None})
        args, named = (_plain(each, [], f"np.{ufunc.__name__}") for each in given)
        target.assign(getattr(ufunc, method)(*args, **named))
        return target
    if mode.recording and any(isinstance(each, Tensor) and each.requires_grad for each in inputs):
        raise GraphError(
            f"np.{ufunc.__name__} with out=: an array cannot hold a result with a gradient",
            hint="make a new tensor, as in `total = total + x`, or use x.detach()",
        )
    return _on_values(getattr(ufunc, method), f"np.{ufunc.__name__}", inputs, kwargs, flat=False)


def _plain(value: Any, found: list[Tensor], read: str | None) -> Any:
    if isinstance(value, Tensor):
        found.append(value)
        return value._data if read is None else value.read(read)
    if isinstance(value, (tuple, list)):
        items = [_plain(each, found, read) for each in cast("Sequence[Any]", value)]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value)
        return {key: _plain(each, found, read) for key, each in pairs.items()}
    return value
