"""Lazy: functions that do their work after the call, when nobody writes it down any more.

Generators and coroutines cannot be compiled: what is traced is one call, from its beginning to its end.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, NoReturn

from chainrule.errors import TraceError

_KINDS = {GeneratorType: "generator", CoroutineType: "coroutine", AsyncGeneratorType: "async generator"}
_FLAGS = {
    inspect.CO_GENERATOR: "generator",
    inspect.CO_COROUTINE: "coroutine",
    inspect.CO_ITERABLE_COROUTINE: "coroutine",
    inspect.CO_ASYNC_GENERATOR: "async generator",
}


def refuse_lazy(f: Callable[..., Any], name: str) -> None:
    """Raise TraceError for a function that is seen to make a generator or a coroutine."""
    flags = getattr(getattr(f, "__code__", None), "co_flags", 0)
    for flag, kind in _FLAGS.items():
        if flags & flag:
            _refuse(name, kind)


def refuse_lazy_results(outputs: Iterable[Any], name: str) -> None:
    """Raise TraceError where a generator or a coroutine is among results."""
    for each in outputs:
        if kind := _KINDS.get(type(each)):
            if isinstance(each, CoroutineType):
                each.close()  # else Python warns that nobody waited for it
            _refuse(name, kind)


def _refuse(name: str, kind: str) -> NoReturn:
    raise TraceError(
        f"compile: {name} is a {kind}, whose code runs after the call",
        hint="return a list or a tuple, or compile what is called inside of it",
    )
