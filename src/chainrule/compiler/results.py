"""Results: memory for what a program gives back, so that every run's results are arrays of their own.

Small results are computed at a fixed place and copied; gradients, which few look at, all at once.
Large results are computed where they stay: in the array of an earlier run that nobody holds any
more, or in a new one. What becomes of them is not known here.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeAlias

from chainrule.compiler.addresses import address
from chainrule.compiler.fixed import Fixed, Form, Table, is_small
from chainrule.core.memory import empty
from chainrule.core.spec import Array, Spec
from chainrule.core.tensor import Tensor

Found: TypeAlias = tuple[list[Array], Array | None]


class Results:
    """The results of a program, whose addresses stand in `table` from `start` on.

    `places` tells where `take` returns a result among others. Small ones of those in `later` are not
    made into arrays: their memory is returned behind the others, and `forms` tells how they lie in it.
    """

    def __init__(self, specs: Sequence[Spec], later: range, table: Table, start: int) -> None:
        self._table, self._start = table, start
        small = {place: spec for place, spec in enumerate(specs) if is_small(spec)}
        self._large = {place: spec for place, spec in enumerate(specs) if place not in small}
        self._pools: list[list[tuple[Array, int]]] = [[] for _ in self._large]
        copied = [place for place in small if place not in later]
        left = [place for place in small if place in later]
        self._views = list(Fixed({start + place: small[place] for place in copied}, table).views().values())
        self._left = Fixed({start + place: small[place] for place in left}, table)
        self.forms = dict(zip(left, self._left.forms.values(), strict=True))
        self.places = {place: at for at, place in enumerate([*copied, *self._large])}

    @property
    def copied(self) -> list[Array] | None:
        """The places of the results, where all are copied and none is left for later; else None."""
        return None if self._large or self.forms else self._views

    def prepare(self) -> list[Array]:
        """Give the large results memory for one run, and return it."""
        found: list[Array] = []
        if self._large:
            for (place, spec), pool in zip(self._large.items(), self._pools, strict=True):
                array, self._table[self._start + place] = _unheld(pool) or _new(spec, pool)
                found.append(array)
        return found

    def take(self, prepared: Sequence[Array]) -> Found:
        """Return the results of a run, for which `prepare` returned the large ones."""
        found = [view.copy() for view in self._views]
        found.extend(prepared)
        return found, self._left.memory.copy() if self.forms else None


class Left:
    """Gradients that a run left in leaves, each made when it is first read."""

    __slots__ = ("_forms", "_made", "_memory", "_serial")

    def __init__(self, memory: Array, forms: Mapping[Hashable, Form], serial: int) -> None:
        self._memory, self._forms, self._serial = memory, forms, serial
        self._made: dict[int, Tensor] = {}

    def gradient(self, leaf: Tensor) -> Tensor:
        """Return the gradient of a leaf, always the same tensor."""
        found = self._made.get(id(leaf))
        if found is None:
            made = Tensor._around(self._forms[id(leaf)].on(self._memory).copy())
            made.serial = self._serial
            found = self._made.setdefault(id(leaf), made)
        return found


def _unheld(pool: Sequence[tuple[Array, int]]) -> tuple[Array, int] | None:
    """Return an array that only the pool knows, and where it begins: views of it hold what it lies in."""
    free = (each for each in pool if sys.getrefcount(each[0]) == 2 and sys.getrefcount(each[0].base) == 2)
    return next(free, None)


def _new(spec: Spec, pool: list[tuple[Array, int]]) -> tuple[Array, int]:
    array = empty(spec.shape, spec.dtype)
    pool[:] = (array, address(array)), *pool[:1]
    return pool[0]
