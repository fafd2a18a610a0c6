"""Premises: what a traced function was seen to depend on besides its arguments.

Attributes, items of dicts and lists, options of optimisers, and whole modules, which tell when they
change. What a function replaces by itself is no premise, and refused where it is state. When premises
are compared, and what follows when one does not hold, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

from chainrule.core.tensor import Tensor
from chainrule.core.watched import Notes, copied, watched
from chainrule.errors import TraceError

_PLAIN = (bool, int, float, str)  # equal ones of one class mean the same
_UNSET = object()


class Changes:
    """When something of a kind was changed last: an object of its own for every change."""

    def __init__(self) -> None:
        self.last = object()


modes = Changes()  # of modules: training or evaluation
parts = Changes()  # of modules: everything else that they have


class Premises:
    """What a program depends on, as the code that is traced tells it."""

    def __init__(self) -> None:
        self.guards: list[tuple[Any, str, Any, str]] = []  # owner, attribute, value, and how it is called
        self.kept: dict[tuple[int, Any], tuple[Any, Any, Any]] = {}  # by owner and key: these, and the item
        self.lists: dict[int, tuple[list[Any], int]] = {}  # lists by their ids, and how long they were
        self.options: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}  # groups by their ids, and theirs
        self.groups: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}  # those of them that are used
        self.modes: dict[int, tuple[Any, Any]] = {}  # modules by their ids, and `training` where it was read
        self.switched: dict[int, Any] = {}  # modules whose `training` the function sets
        self.parts: dict[int, tuple[Any, dict[str, Any]]] = {}  # modules by their ids, and what they had
        self._replaced: dict[int, set[str]] = {}  # by id of a module: the attributes that the function sets
        self.notes = Notes()

    def guard(self, owner: Any, attribute: str, name: str = "") -> None:
        """Make the program hold only while `owner.attribute` is what it is now; messages call it `name`."""
        self.guards.append((owner, attribute, getattr(owner, attribute), name or attribute))

    def keep(self, owner: Any, *keys: Any) -> None:
        """Make the program hold only while `owner[key]`, of a dict or list, is the object it is now."""
        self.kept.update({(id(owner), key): (owner, key, owner[key]) for key in keys})

    def keep_list(self, items: list[Any]) -> None:
        """Make the program hold only while a list has the items that it has now, and no more."""
        self.lists[id(items)] = items, len(items)
        self.keep(items, *range(len(items)))

    def keep_mode(self, module: Any) -> None:
        """Make the program hold only while a module is in the mode in which the function found it."""
        self.modes.setdefault(id(module), (module, module.training))

    def keep_parts(self, module: Any) -> None:
        """Make the program hold only while a module has the attributes and hooks that it has now."""
        if id(module) not in self.parts:
            self.parts[id(module)] = module, module.attributes()

    def replaces(self, module: Any, name: str) -> None:
        """Note that the function itself sets an attribute of a module."""
        if name != "training":
            self._replaced.setdefault(id(module), set()).add(name)
            return
        self.modes.setdefault(id(module), (module, _UNSET))
        self.switched[id(module)] = module

    def note_options(self, group: dict[str, Any]) -> None:
        """Note the options of a group as they are before the function has touched them."""
        if id(group) not in self.options:
            options = {key: copied(value) for key, value in group.items() if key != "params"}
            self.options[id(group)] = group, options

    def watch(self, group: dict[str, Any]) -> dict[str, Any]:
        """Return a group of options whose numbers are read anew at every run."""
        self.note_options(group)
        self.groups[id(group)] = self.options[id(group)]
        for key, value in group.items():
            if isinstance(value, Tensor):
                raise TraceError(
                    f"{key!r} of a group of parameters is a tensor, whose value is not known while a "
                    "function is compiled",
                    hint=f"give a number between two calls, group[{key!r}] = 0.1: every run reads it anew",
                )
        options = {key: watched(group, key, self.notes) for key in group if key != "params"}
        return {"params": group["params"]} | options

    def settle(self, is_state: Callable[[Tensor], bool]) -> None:
        """Leave out what the function has replaced by itself; to be called when it has run.

        Raises TraceError where that was state: a tensor that `is_state`, or an option of an optimiser.
        """
        for group, options in self.options.values():
            for key, value in options.items():
                if not _same(group.get(key), value):
                    raise TraceError(
                        f"{key!r} of a group of parameters is changed by a compiled function: "
                        "that would be done once, not at every run",
                        hint="change it between two calls, every run reads it; or step an optim.lr_scheduler",
                    )
        for module, before in self.parts.values():
            now = module.attributes()
            for name in self._replaced.get(id(module), ()):
                _refuse_state(name, before.pop(name, None), now.get(name), is_state)
        for place, (owner, key, value) in [*self.kept.items()]:
            now = cast("dict[Any, Any]", owner).get(key) if isinstance(owner, dict) else value
            if now is not value:
                _refuse_state(key, value, now, is_state)
                del self.kept[place]
        for owner, attribute, value, name in self.guards:
            _refuse_state(name, value, getattr(owner, attribute, None), is_state)

    def undo_options(self) -> None:
        """Give groups the options back that they had before the function touched them."""
        for group, options in self.options.values():
            group.update(options)

    def same_modes(self) -> Since | None:
        """Return the comparison of modes, None where there is nothing to compare."""
        asked = [(module, was) for module, was in self.modes.values() if was is not _UNSET]
        return Since(modes, lambda: all(module.training is was for module, was in asked)) if asked else None

    def same_parts(self) -> Since | None:
        """Return the comparison of what modules have, None where there is nothing to compare."""
        known = [(*each, self._replaced.get(place, ())) for place, each in self.parts.items()]
        return Since(parts, lambda: all(_unchanged(*each) for each in known)) if known else None


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


def _unchanged(module: Any, before: dict[str, Any], replaced: Collection[str]) -> bool:
    now = {name: value for name, value in module.attributes().items() if name not in replaced}
    return now.keys() == before.keys() and all(_same(now[name], value) for name, value in before.items())


def _same(now: Any, before: Any) -> bool:
    """Tell whether an attribute or option is what it was: the same object, or an equal plain value."""
    if now is before or now.__class__ is not before.__class__:
        return now is before
    if isinstance(now, (tuple, list)):
        items = cast("Sequence[Any]", now)
        return len(items) == len(before) and all(map(_same, items, before))
    return isinstance(now, _PLAIN) and now == before


def _refuse_state(name: str, before: Any, now: Any, is_state: Callable[[Tensor], bool]) -> None:
    """Raise where a tensor that was read is replaced by another one, which a later run would not see."""
    if isinstance(before, Tensor) and now is not before and is_state(before):
        raise TraceError(
            f"{name!r} is read and then replaced by a compiled function: later runs would read the old one",
            hint=f"write into the tensor that is there, as state: {name}.assign(new)",
        )
