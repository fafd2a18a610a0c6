"""Every op and public function by its name: the one place where a name is looked up.

Operators on tensors, NumPy's protocols, derived gradients and the generic tests find ops here, so
that none of them imports the declarations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from chainrule.core.calls import fitting
from chainrule.errors import UnknownNameError, nearest

Function = TypeVar("Function", bound=Callable[..., Any])

REGISTRY: dict[str, Callable[..., Any]] = {}


def register(name: str, function: Function) -> Function:
    """Enter `function` under `name`; a name can be taken once."""
    if name in REGISTRY:
        raise ValueError(f"register: the name {name!r} is taken")
    REGISTRY[name] = function
    return function


def public(function: Function) -> Function:
    """Decorate a plain function so that it is found by its name, as ops are."""
    return register(function.__name__, fitting(function))


def named(name: str) -> Callable[..., Any]:
    """Return the op or function called `name`."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnknownNameError(f"op: there is none called {name!r}", hint=nearest(name, REGISTRY)) from None
