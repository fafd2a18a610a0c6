"""Premises: what a traced function was seen to depend on besides its arguments.

Attributes, items of dicts and lists, options of optimisers. What a function replaces by itself is no
premise, and refused where it is state. When premises are compared, and what follows when one does not
hold, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from chainrule.core.attributes import Attributes, refuse_replaced, same
from chainrule.core.tensor import Tensor
from chainrule.core.watched import Notes, copied, watched
from chainrule.errors import TraceError


class Premises:
    """What a program depends on, as the code that is traced tells it."""

    def __init__(self) -> None:
        self.guards: list[tuple[Any, str, Any, str]] = []  # owner, attribute, value, and how it is called
        self.kept: dict[tuple[int, Any], tuple[Any, Any, Any]] = {}  # by owner and key: these, and the item
        self.lists: dict[int, tuple[list[Any], int]] = {}  # lists by their ids, and how long they were
        self.options: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}  # groups by their ids, and theirs
        self.groups: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}  # those of them that are used
        self.attributes = Attributes()
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
                if not same(group.get(key), value):
                    raise TraceError(
                        f"{key!r} of a group of parameters is changed by a compiled function: "
                        "that would be done once, not at every run",
                        hint="change it between two calls, every run reads it; or step an optim.lr_scheduler",
                    )
        self.attributes.settle(is_state)
        for place, (owner, key, value) in [*self.kept.items()]:
            now = cast("dict[Any, Any]", owner).get(key) if isinstance(owner, dict) else value
            if now is not value:
                refuse_replaced(key, value, now, is_state)
                del self.kept[place]
        for owner, attribute, value, name in self.guards:
            refuse_replaced(name, value, getattr(owner, attribute, None), is_state)

    def undo_options(self) -> None:
        """Give groups the options back that they had before the function touched them."""
        for group, options in self.options.values():
            group.update(options)
