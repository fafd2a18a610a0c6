"""Containers: modules that only hold others, in order.

They are modules like others, so that they nest; their items are attributes, numbered or named.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Any, Self

from chainrule.errors import ArgumentError, DTypeError, IndexRangeError
from chainrule.nn.module import Module


class _Ordered(Module):
    """What both containers share: numbered (or named) children with the manners of a list."""

    def _add(self, name: str, module: Any) -> None:
        if not isinstance(module, Module):
            hint = f"{module.__name__}(...) makes one" if isinstance(module, type) else ""
            raise DTypeError(
                f"{type(self).__name__}: item {name} is a {type(module).__name__}, not a Module", hint=hint
            )
        self.add_module(name, module)

    def _items(self) -> list[tuple[str, Module]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def _name(self, index: Any) -> str:
        items = self._items()
        place = operator.index(index)
        if not -len(items) <= place < len(items):
            raise IndexRangeError(
                f"{type(self).__name__}: index {place} is out of range for {len(items)} items"
            )
        return items[place][0]

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Module]:
        return iter([module for _, module in self._items()])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)._of(self._items()[index])
        return vars(self)[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self._add(self._name(index), module)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self._add(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end."""
        for module in modules:
            self.append(module)
        return self

    @classmethod
    def _of(cls, items: Iterable[tuple[str, Module]]) -> Self:
        made = cls()
        for name, module in items:
            made._add(name, module)
        return made


class Sequential(_Ordered):
    """Modules run one after another: `Sequential(a, b)`, or `Sequential({"first": a, "last": b})`.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> net(cr.ones((2, 4))).shape, len(net), net[1]
    ((2, 3), 3, ReLU())
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                self._add(name, module)
        elif len(modules) == 1 and isinstance(modules[0], (list, tuple)):
            raise ArgumentError(
                f"Sequential: got one {type(modules[0]).__name__}, needs modules",
                hint="unpack it: nn.Sequential(*layers)",
            )
        else:
            self.extend(modules)

    def forward(self, x: Any) -> Any:
        """Give each module the output of the one before."""
        for module in self:
            x = module(x)
        return x


class ModuleList(_Ordered):
    """Modules in a list that the tree knows; it is not called itself.

    >>> from chainrule import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> sum(1 for _ in layers.parameters())
    6
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a list has no order of computation."""
        raise ArgumentError(
            "ModuleList: cannot be called", hint="for layer in self.layers: x = layer(x), or nn.Sequential"
        )
