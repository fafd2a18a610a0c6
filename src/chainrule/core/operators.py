"""Operators and methods of tensors: what `a + b`, `a += b` and `a.sum()` call.

Each is found by the name of its op in the registry, and only when it is called: so tensors can be there
before any op is declared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.registry import REGISTRY


def operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    """Return a binary operator that calls the op or function registered as `name`."""

    def binary(self: Any, other: Any) -> Any:
        return REGISTRY[name](self, other)

    def swapped(self: Any, other: Any) -> Any:
        return REGISTRY[name](other, self)

    made = swapped if reflected else binary
    made.__name__ = name
    return made


def equality(name: str) -> Callable[..., Any]:
    """Return == or !=, which Python itself answers for None."""

    def binary(self: Any, other: Any) -> Any:
        return NotImplemented if other is None else REGISTRY[name](self, other)

    return binary


def method(name: str) -> Callable[..., Any]:
    """Return a method that calls the op or function registered as `name`."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return REGISTRY[name](self, *args, **kwargs)

    call.__name__ = name
    call.__doc__ = f"Same as `chainrule.{name}` with this tensor first."
    return call


def in_place(name: str) -> Callable[..., Any]:
    """Return an operator such as `+=`, which writes the result of op `name` into the tensor."""

    def changing(self: Any, other: Any) -> Any:
        self.refuse_change(f"in-place {name}")
        self.assign(REGISTRY[name](self.detach(), other))
        return self

    return changing
