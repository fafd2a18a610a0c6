"""What an optimiser is given: lists of parameters, and options within their limits.

Everything wrong with either is refused here, before the first update. How parameters are updated
is not known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from chainrule.core.tensor import Tensor, describe
from chainrule.errors import ArgumentError, nearest

Group: TypeAlias = dict[str, Any]

# Keys that a group may hold besides the options of its optimiser.
_OTHERS = ("params", "name", "initial_lr")


@dataclass(frozen=True)
class Limits:
    """The finite numbers that an option may be: from `low` to `high`; `above`, `below`: without that end."""

    low: float = 0.0
    high: float = math.inf
    above: bool = False
    below: bool = False

    def check(self, optimizer: str, name: str, value: Any) -> float:
        """Return `value` as a float, or raise ArgumentError when it is no number within the limits."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        inside = self.low <= number <= self.high and math.isfinite(number)
        if not inside or (self.above and number == self.low) or (self.below and number == self.high):
            raise ArgumentError(f"{optimizer}: {name} must be {self}, got {value!r}")
        return number

    def __str__(self) -> str:
        bounds = [
            f"{'above' if self.above else 'of at least'} {self.low:g}" if self.low > -math.inf else "",
            f"{'below' if self.below else 'at most'} {self.high:g}" if self.high < math.inf else "",
        ]
        return " ".join(["a finite number", " and ".join(filter(None, bounds))]).strip()


ANY = Limits(-math.inf)
NOT_NEGATIVE = Limits()
POSITIVE = Limits(above=True)
FRACTION = Limits(0.0, 1.0, below=True)


def checked_options(optimizer: str, options: Mapping[str, Any], limits: Mapping[str, Limits]) -> Group:
    """Return options with every limited one (a number, or a pair of them) checked and made a float."""
    found: Group = {}
    for name, value in options.items():
        limit = limits.get(name)
        if limit is None:
            found[name] = value
        elif name == "betas":
            found[name] = _pair(optimizer, value, limit)
        else:
            found[name] = limit.check(optimizer, name, value)
    return found


def _pair(optimizer: str, value: Any, limit: Limits) -> tuple[float, float]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ArgumentError(f"{optimizer}: betas must be two numbers, got {value!r}", hint="(0.9, 0.999)")
    one, two = (limit.check(optimizer, f"betas[{i}]", each) for i, each in enumerate(value))
    return one, two


def as_groups(optimizer: str, params: Any) -> list[Group]:
    """Return what the user gave, parameters or dicts with `params` and options, as groups."""
    if isinstance(params, Mapping):
        raise ArgumentError(f"{optimizer}: a group must be in a list", hint="[{'params': ..., 'lr': ...}]")
    given = several(optimizer, params)
    if isinstance(given[0], Mapping):
        return [dict(each) for each in given]
    return [{"params": given}]


def several(name: str, params: Any) -> list[Any]:
    """Return what `params` holds as a list, or raise unless that is at least one thing."""
    if isinstance(params, Tensor):
        raise ArgumentError(f"{name}: parameters come in a list, got a single tensor", hint="put it in [ ]")
    if callable(getattr(params, "parameters", None)):
        raise ArgumentError(f"{name}: needs parameters, got a module", hint="give model.parameters()")
    if not isinstance(params, Iterable) or isinstance(params, (str, np.ndarray)):
        raise ArgumentError(f"{name}: parameters come in a list, got {type(params).__name__}")
    found: list[Any] = list(params)  # pyright: ignore[reportUnknownArgumentType]
    if not found:
        raise ArgumentError(f"{name}: the list of parameters is empty", hint="model.parameters()")
    return found


def checked_group(optimizer: str, group: Mapping[str, Any], options: Iterable[str]) -> Group:
    """Return a group whose `params` is a list of parameters, and whose options are all known."""
    known = (*options, *_OTHERS)
    for name in group:
        if name not in known:
            raise ArgumentError(f"{optimizer}: there is no option {name!r}", hint=nearest(name, known))
    if "params" not in group:
        raise ArgumentError(f"{optimizer}: a group needs 'params', its list of parameters")
    params = group["params"]
    params = [params] if isinstance(params, Tensor) else several(optimizer, params)
    for place, each in enumerate(params):
        _check_parameter(optimizer, place, each)
    return {**group, "params": params}


def _check_parameter(optimizer: str, place: int, given: Any) -> None:
    if not isinstance(given, Tensor):
        hint = "model.parameters()" if isinstance(given, tuple) else "cr.tensor(..., requires_grad=True)"
        message = f"{optimizer}: parameter {place} is no tensor but {type(given).__name__}"
        raise ArgumentError(message, hint=hint)
    if not given.is_leaf:
        raise ArgumentError(
            f"{optimizer}: parameter {place}, {describe(given)}, was computed: only leaves can be updated",
            hint="give the tensors that it was computed from, or .detach() it first",
        )
