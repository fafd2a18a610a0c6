"""Attributes: which attributes of modules a traced function reads, and which it sets by itself.

A class that is to be `followed` has its attributes looked up by way of here while something is traced,
and tells each change. Besides what is read, a module's structure counts: its parts, however reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from chainrule.core.mode import mode
from chainrule.core.tensor import Tensor
from chainrule.errors import TraceError

Kind = TypeVar("Kind", bound=type)
_PLAIN = (bool, int, float, str)  # equal ones of one class mean the same
_UNSET = object()
_followed: list[Any] = []


class Changes:
    """When something of a kind was changed last: an object of its own for every change."""

    def __init__(self) -> None:
        self.last = object()


modes = Changes()  # of modules: training or evaluation
parts = Changes()  # of modules: everything else that they have


def followed(kind: Kind) -> Kind:
    """Let a trace know what is read of the objects of a class; a decorator."""
    _followed.append(kind)
    return kind


def follow(on: bool) -> None:
    """Begin or end to look attributes up by way of here, for all threads; only those that trace tell."""
    for kind in _followed:
        if on:
            kind.__getattribute__ = _look_up
        elif "__getattribute__" in vars(kind):
            del kind.__getattribute__


def _look_up(owner: Any, name: str) -> Any:
    if mode.trace is not None and not name.startswith("__"):
        value = _now(owner, name)
        if not hasattr(value, "__get__") or name in _own(owner):  # what a class defines stays what it is
            mode.trace.attributes.reads(owner, name, value)
    return object.__getattribute__(owner, name)


def _own(owner: Any) -> dict[str, Any]:
    return object.__getattribute__(owner, "__dict__")


def _now(owner: Any, name: str) -> Any:
    return _own(owner).get(name, getattr(owner.__class__, name, _UNSET))


class Attributes:
    """What a function reads and sets of the modules that it uses."""

    def __init__(self) -> None:
        self._read: dict[tuple[int, str], tuple[Any, str, Any]] = {}  # what was there when it was read first
        self._set: dict[tuple[int, str], tuple[Any, str]] = {}
        self._structures: dict[int, tuple[Any, dict[str, Any]]] = {}

    def reads(self, owner: Any, name: str, value: Any) -> None:
        """Note that an attribute is read; what the function has set itself does not count."""
        key = id(owner), name
        if key not in self._read and key not in self._set:
            self._read[key] = owner, name, value

    def sets(self, owner: Any, name: str) -> None:
        """Note that an attribute is set."""
        self._set[id(owner), name] = owner, name

    def has(self, owner: Any) -> None:
        """Note which parts a module has, as its `_structure` tells."""
        if id(owner) not in self._structures:
            self._structures[id(owner)] = owner, owner._structure()

    def settle(self, is_state: Callable[[Tensor], bool]) -> None:
        """Leave out what the function has replaced by itself, but for modes; refuse that of state."""
        for key, (owner, name) in self._set.items():
            now = _now(owner, name)
            _, _, before = self._read.get(key, (owner, name, _UNSET))
            refuse_replaced(name, before, now, is_state)
            if name != "training":
                self._read.pop(key, None)
            if key[0] in self._structures:
                self._structures[key[0]][1].pop(name, None)

    def switched(self) -> list[tuple[Any, bool]]:
        """Return the modules whose mode the function sets, and which it sets last."""
        return [(owner, owner.training) for owner, name in self._set.values() if name == "training"]

    def comparisons(self) -> list[Since]:
        """Return what is to be compared later: the modes, and everything else."""
        read = [*self._read.values()]
        found = [each for each in read if each[1] == "training"]
        other = [each for each in read if each[1] != "training"]
        sets = {*self._set}
        known = [*self._structures.values()]

        def same_parts() -> bool:
            return _unchanged(other) and all(_same_structure(*each, sets) for each in known)

        kinds = ((modes, lambda: _unchanged(found), found), (parts, same_parts, other or known))
        return [Since(changes, same) for changes, same, there in kinds if there]


class Since:
    """A comparison that is made anew only after changes."""

    def __init__(self, changes: Changes, same: Callable[[], bool]) -> None:
        self.changes, self._same, self.last = changes, same, object()

    def hold(self) -> bool:
        """Compare, and note up to which change that was."""
        last = self.changes.last
        if not self._same():
            return False
        self.last = last
        return True


def _unchanged(read: Sequence[tuple[Any, str, Any]]) -> bool:
    return all(same(_now(owner, name), value) for owner, name, value in read)


def _same_structure(owner: Any, before: dict[str, Any], sets: set[tuple[int, str]]) -> bool:
    now = {name: value for name, value in owner._structure().items() if (id(owner), name) not in sets}
    return now.keys() == before.keys() and all(same(now[name], value) for name, value in before.items())


def same(now: Any, before: Any) -> bool:
    """Tell whether an attribute or option is what it was: the same object, or an equal plain value."""
    if now is before or now.__class__ is not before.__class__:
        return now is before
    if isinstance(now, (tuple, list)):
        items = cast("Sequence[Any]", now)
        return len(items) == len(before) and all(map(same, items, before))
    return isinstance(now, _PLAIN) and now == before


def refuse_replaced(name: str, before: Any, now: Any, is_state: Callable[[Tensor], bool]) -> None:
    """Raise TraceError where a tensor that was read is replaced: a later run would not see the new one."""
    if isinstance(before, Tensor) and now is not before and is_state(before):
        raise TraceError(
            f"{name!r} is read and then replaced by a compiled function: later runs would read the old one",
            hint=f"write into the tensor that is there, as state: {name}.assign(new)",
        )
