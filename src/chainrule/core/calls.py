"""Calls that do not fit: a name, an argument too many or one too few, told in one way.

Ops ask `misfit` when they sort a call; plain functions are decorated with `fitting`, which looks at a call
only after Python has refused it. What the arguments are is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from chainrule.core.habits import ABSENT, PARAMETERS, SURPLUS, habit
from chainrule.errors import DTypeError, nearest

Function = TypeVar("Function", bound=Callable[..., Any])


def misfit(
    name: str, names: Sequence[str], required: Sequence[str], count: int, kwargs: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return what is wrong with a call of `name`, and a hint; None where it fits.

    It has `count` positional arguments and `kwargs`; `names` are those of all arguments in their order,
    `required` those that must be given.
    """
    if count > len(names):
        return f"takes {len(names)} argument(s), got {count}", SURPLUS.get(name, "")
    given = names[:count]
    missing = [each for each in required if each not in given and each not in kwargs]
    for each in kwargs:
        if each in given:
            return f"{each!r} is given twice", ""
        if each not in names:
            return f"there is no parameter {each!r}", _other_name(each, names[count:], missing)
    return (f"{missing[0]!r} is missing", "") if missing else None


def _other_name(name: str, known: Collection[str], missing: Sequence[str]) -> str:
    """Return a hint on the parameter that is meant: by habit, as the only one that is missing, or nearly."""
    meant = [each for each in PARAMETERS.get(name, ()) if each in known]
    if not meant and len(missing) == 1:
        meant = missing
    return f"here it is {meant[0]}" if meant else habit(ABSENT, name) or nearest(name, known)


def fitting(function: Function) -> Function:
    """Decorate a function so that a call which does not fit its signature is told as one of an op is."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            inside = error.__traceback__ is None or error.__traceback__.tb_next is not None
            found = None if inside else _misfit(function, len(args), kwargs)
            if found is None:
                raise
            raise found from None

    return cast("Function", call)


def _misfit(function: Callable[..., Any], count: int, kwargs: Mapping[str, Any]) -> DTypeError | None:
    known = inspect.signature(function).parameters
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    own = [each for each in known.values() if each.kind in kinds and each.name != "self"]
    shown = [each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in own]
    required = [each.name for each in own if each.default is each.empty]
    name = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    found = misfit(name, [each.name for each in own], required, count - ("self" in known), kwargs)
    if found is None:
        return None
    heading = f"{name}({', '.join(required)}): {found[0]}"
    return DTypeError(heading, signature=f"{name}({', '.join(shown)})", hint=found[1])
