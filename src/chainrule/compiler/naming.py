"""Naming: the models, optimisers and tensors that a function names, which others may take the place of.

They are looked for in its code, in that of lambdas and comprehensions inside of it, and in the functions
that it wraps: globals, variables of the functions around it, attributes of the instance that a method
belongs to, also where other methods of the instance name them. What else it calls is not looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from inspect import unwrap
from types import CodeType, MethodType
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
    used = _names(f.__code__)
    owners = [(f.__globals__, used)]
    if isinstance(own := getattr(instance := getattr(f, "__self__", None), "__dict__", None), dict):
        owners.append((own, _names_within(type(instance), used)))
    for owner, used in owners:
        names = [name for name in used if is_state(owner.get(name))]
        trace.keep(owner, *names)
        found += [owner[name] for name in names]
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        with suppress(ValueError):  # nothing is in it yet
            if is_state(cell.cell_contents):
                trace.guard(cell, "cell_contents", name)
                found.append(cell.cell_contents)
    return found


def _names(code: CodeType) -> dict[str, None]:
    """Return the names that code uses, and those of functions that are written inside of it, in order."""
    found = dict.fromkeys(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found |= _names(inner)
    return found


def _names_within(kind: type, names: Mapping[str, None]) -> dict[str, None]:
    """Return the names, and those that methods and properties of a class use which they may stand for."""
    found, left = dict(names), list(names)
    while left:
        name = left.pop()
        for each in kind.__mro__:
            method = vars(each).get(name)
            code = getattr(unwrap(getattr(method, "fget", method)), "__code__", None)
            new = [] if code is None else [other for other in _names(code) if other not in found]
            found.update(dict.fromkeys(new))
            left += new
    return found
