"""Watched: a number that a program reads anew at every run, as long as only ops calculate with it.

An op keeps it as a parameter. What Python asks of it, on the other hand, is answered once, at the
trace, so that is noted: the program holds while the answer is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from chainrule.core.mode import mode
from chainrule.errors import TraceError

Which: TypeAlias = tuple[int, str, int | None]  # the id of a group, a key, and a place in what is there


class Notes:
    """Which numbers Python has asked for: for their `values`, or merely whether they are 0 (`truths`).

    `late` tells that a call back into Python comes first, which may change them before every run.
    """

    def __init__(self) -> None:
        self.values: set[Which] = set()
        self.truths: set[Which] = set()
        self.late = False


class Watched(float):
    """A number that a step reads anew at every run: an option of an optimiser's group, say."""

    owner: dict[str, Any]
    key: str
    place: int | None
    notes: Notes

    def __new__(
        cls, owner: dict[str, Any], key: str, place: int | None = None, notes: Notes | None = None
    ) -> Watched:
        """Return the number that `owner[key]` (or its item at `place`) is now."""
        value = owner[key] if place is None else owner[key][place]
        made = super().__new__(cls, value)
        made.owner, made.key, made.place, made.notes = owner, key, place, notes or Notes()
        return made

    @property
    def which(self) -> Which:
        """What tells the number apart from others."""
        return id(self.owner), self.key, self.place

    def __bool__(self) -> bool:
        self.notes.truths.add(self.which)
        return self.real != 0.0


def _noted(name: str) -> Callable[..., Any]:
    """Return a method of float that notes being asked, unless it leaves the answer to the other operand."""
    plain = getattr(float, name)

    def method(self: Watched, *others: Any) -> Any:
        found = plain(self, *others)
        if found is not NotImplemented:
            if self.notes.late and mode.trace is not None:
                raise TraceError(
                    f"{self.key}: Python calculates with it after a schedule was stepped, "
                    "which a compiled function does at its runs only",
                    hint="step the schedule after the optimiser, or let ops have the number as a parameter",
                )
            self.notes.values.add(self.which)
        return found

    return method


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow")
_COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")
_UNARY = ("neg", "pos", "abs", "int", "float", "trunc", "floor", "ceil", "round")
for _name in (*_BINARY, *(f"r{name}" for name in _BINARY), *_COMPARED, *_UNARY):
    setattr(Watched, f"__{_name}__", _noted(f"__{_name}__"))


def watched(group: dict[str, Any], key: str, notes: Notes) -> Any:
    """Return an option of a group, its numbers watched."""
    value = group[key]
    if isinstance(value, float):
        return Watched(group, key, None, notes)
    if isinstance(value, (tuple, list)):
        parts = enumerate(cast("list[Any]", value))
        made = [Watched(group, key, i, notes) if isinstance(part, float) else part for i, part in parts]
        return made if isinstance(value, list) else tuple(made)
    return value


def copied(value: Any) -> Any:
    """Return an option as it is now, though a list may be changed."""
    return list(cast("list[Any]", value)) if isinstance(value, list) else value
