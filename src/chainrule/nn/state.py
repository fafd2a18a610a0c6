"""Reading a state: tensors by name, copied into those that a module has.

All is checked first: the error lists every name that is missing, unexpected or of another shape at
once, and nothing is written then. This knows neither modules nor files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import CheckpointError, nearest


class KeyClash(NamedTuple):
    """The names that a state lacks, and those that the module lacks."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load_state(title: str, own: Mapping[str, Tensor], state: Any, strict: bool) -> KeyClash:
    """Copy `state` (name -> tensor or array) into the tensors of `own`, or raise CheckpointError."""
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{title}: needs a mapping of names to tensors, got {type(state).__name__}")
    given: dict[str, Any] = {str(name): value for name, value in state.items()}
    clash = KeyClash([n for n in own if n not in given], [n for n in given if n not in own])
    arrays = {name: _array(title, name, given[name]) for name in own if name in given}
    problems = {
        "misfitting": [told for n, each in arrays.items() if (told := _misfit(n, each, own[n]))],
        "missing": _told(clash.missing_keys, clash.unexpected_keys) if strict else [],
        "unexpected": _told(clash.unexpected_keys, clash.missing_keys or own) if strict else [],
    }
    inside = _within(own, state) if len(clash.missing_keys) == len(own) else ""
    if inside:
        raise CheckpointError(
            f"{title}: the tensors are not in the state itself, but inside of it",
            got=f"a state with {', '.join(map(repr, given))}",
            hint=f"load_state_dict(state{inside})",
        )
    if any(problems.values()):
        counts = ", ".join(f"{len(names)} {what}" for what, names in problems.items() if names)
        raise CheckpointError(
            f"{title}: {counts} of {len(own)} tensors",
            got="\n             ".join(
                f"{what} {each}" for what, found in problems.items() for each in found
            ),
            hint="" if problems["misfitting"] else "strict=False loads what fits by name",
        )
    for name, array in arrays.items():
        own[name].assign(array)
    return clash


def _within(own: Mapping[str, Tensor], state: Mapping[Any, Any]) -> str:
    """Return the indices, as they are written, to where a checkpoint of more holds the names of `own`."""
    for name, inner in state.items():
        if isinstance(inner, Mapping):
            if own.keys() & inner.keys():
                return f"[{name!r}]"
            if deeper := _within(own, inner):
                return f"[{name!r}]{deeper}"
    return ""


def _misfit(name: str, array: Array, own: Tensor) -> str:
    if array.shape != own.shape:
        return f"{name!r} has shape {array.shape}, needs {own.shape}"
    kinds = np.can_cast(array.dtype, own.dtype, "same_kind")
    return "" if kinds else f"{name!r} holds {array.dtype}, needs {own.dtype}"


def _told(names: Iterable[str], others: Iterable[str]) -> list[str]:
    guesses = {name: nearest(name, others) for name in names}
    return [repr(n) + (f" ({guess})" if guess.startswith("did you") else "") for n, guess in guesses.items()]


def _array(title: str, name: str, value: Any) -> Array:
    """Return the values as an array; a tensor of another library by its own conversion."""
    try:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{title}: {name!r} is no array ({error})") from error
    if array.dtype.kind not in "fiub":
        raise CheckpointError(f"{title}: {name!r} holds {array.dtype}, not numbers")
    return array
