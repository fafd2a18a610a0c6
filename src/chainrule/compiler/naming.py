"""Naming: the models, optimisers and tensors that a function names, which others may take the place of.

They are looked for in its code: globals, variables of the functions around it, attributes of the
instance that a method belongs to; and in the functions that it wraps. What it calls is not looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import MethodType
from typing import Any

from chainrule.compiler.arguments import is_state
from chainrule.core.trace import Trace


def announce(trace: Trace, f: Callable[..., Any], leaves: Sequence[Any]) -> None:
    """Tell a trace what the function depends on before it runs; `leaves` are its arguments."""
    named = [leaf for leaf in leaves if is_state(leaf)]
    for each in _wrapped(f):
        named += _kept(trace, each)
        named.append(getattr(each, "__self__", None))
    for each in named:
        if hasattr(each, "_tell"):
            each._tell(trace)


def _wrapped(f: Any) -> Iterator[Any]:
    """Yield a function and those that it wraps, or the method by which an object is called."""
    while f is not None:
        f = f if isinstance(f, MethodType) or hasattr(f, "__code__") else getattr(f, "__call__", f)  # noqa: B004
        if getattr(f, "__code__", None) is not None:
            yield f
        f = getattr(f, "__wrapped__", None)


def _kept(trace: Trace, f: Any) -> list[Any]:
    """Make the program hold only while what one function names is what it is now; return that."""
    found: list[Any] = []
    owners = [f.__globals__]
    if isinstance(own := getattr(getattr(f, "__self__", None), "__dict__", None), dict):
        owners.append(own)
    for owner in owners:
        names = [name for name in f.__code__.co_names if is_state(owner.get(name))]
        trace.keep(owner, *names)
        found += [owner[name] for name in names]
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        with suppress(ValueError):  # nothing is in it yet
            if is_state(cell.cell_contents):
                trace.guard(cell, "cell_contents", name)
                found.append(cell.cell_contents)
    return found
