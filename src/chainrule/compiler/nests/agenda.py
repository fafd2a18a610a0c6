"""Agenda: the work of a program in order, where stores over one space share a nest if they can.

A store may join an earlier nest when all that it reads is there by then, and nobody in between reads
or changes what it touches. What it reads of a store in that nest it takes from the register. A matrix
product is such a nest, too, whose first store is its result: simple stores that read it may join.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import Variable, dynamic, number
from chainrule.compiler.nests.keeping import folded, forwarded, keeping
from chainrule.compiler.nests.nest import Store, kept_by
from chainrule.compiler.nests.term import Term
from chainrule.core.spec import Shape

Space = tuple[Shape, bool]
_DEEPEST = 100  # of a term: what handles terms calls itself for each level
_SIMPLE = {"product", "load", "number", "setting", "apply", "cast"}


def space_of(shape: Shape, spread: bool) -> Space:
    """Return what tells spaces apart; axes of size 1 do not, but for the one that is cut into blocks."""
    return tuple(size for axis, size in enumerate(shape) if size != 1 or (spread and not axis)), spread


@dataclass(eq=False)
class Item:
    """One piece of work over buffers: `work` that a kernel is made for, stores over a space, or both."""

    buffers: list[Buffer]
    written: list[Buffer]
    work: Any = None
    operands: Sequence[Buffer] = ()  # of the work
    variables: Sequence[Variable] = ()
    stores: list[Store] = field(default_factory=list[Store])
    serial: Sequence[Variable] = ()


class Agenda:
    """The items so far."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._spaces: dict[Space, list[int]] = {}
        self._touched: dict[Buffer, int] = {}  # the last item that reads or writes a buffer
        self._changed: dict[Buffer, int] = {}  # the last item that writes it

    def work(self, kind: Any, reads: Sequence[Buffer], writes: Sequence[Buffer]) -> None:
        """Add work of its own kind."""
        self._append(Item([*reads, *writes], list(writes), kind, [*reads, *writes]))

    def product(
        self, kind: Any, reads: Sequence[Buffer], variables: Sequence[Variable], store: Store
    ) -> None:
        """Add a matrix product that stores its result; others may join it where it has loop variables."""
        if variables:
            shape = tuple(each.extent for each in variables)
            self._spaces.setdefault(space_of(shape, False), []).append(len(self.items))
        self._append(Item([*reads, store.buffer], [store.buffer], kind, reads, variables, [store]))

    def nest(self, variables: Sequence[Variable], store: Store, serial: Sequence[Variable] = ()) -> None:
        """Add a nest that nothing may join."""
        self._append(Item(_buffers(store), [store.buffer], None, (), variables, [store], serial))

    def store(self, space: Space, variables: Sequence[Variable], store: Store) -> None:
        """Let a store join the nest with which it shares most, the latest of such, or begin a nest."""
        able: list[tuple[int, int, Store]] = []
        for place in reversed(self._spaces.get(space, ())):
            made = self._joined(place, store)
            if made is not None:
                able.append((_shared(self.items[place], store), place, made))
        if able:
            _, place, made = max(able, key=lambda each: each[0])
            item = self.items[place]
            item.stores.append(made)
            item.buffers += [each for each in _buffers(made) if each not in item.buffers]
            item.written.append(made.buffer)
            self._note(place, _buffers(made), [made.buffer])
            return
        if self._keep(space, variables, store):
            return
        self._spaces.setdefault(space, []).append(len(self.items))
        self._append(Item(_buffers(store), [store.buffer], None, (), variables, [store]))

    def _keep(self, space: Space, variables: Sequence[Variable], store: Store) -> bool:
        """Let a store take in the nest that made what it sums, unless anything was done with that since."""
        for buffer in folded(store):
            place = self._changed.get(buffer, -1)
            if place < self._touched.get(buffer, 0) or self._touched.get(store.buffer, -1) > place:
                continue
            item = self.items[place]
            if item.work is not None or item.serial or [each.buffer for each in item.stores] != [buffer]:
                continue
            made = keeping(store, variables, item.stores[0])
            if made is None or reads_elsewhere(made.term, store):
                continue
            if any(self._changed.get(each, -1) > place for each in made.term.reads):
                continue
            for places in self._spaces.values():
                places[:] = [each for each in places if each != place]
            insort(self._spaces.setdefault(space, []), place)
            buffers = [*dict.fromkeys([*item.buffers, *_buffers(made)])]
            self.items[place] = Item(buffers, [buffer, store.buffer], None, (), variables, [made])
            self._note(place, buffers, [buffer, store.buffer])
            return True
        return False

    def drop_unread(self) -> None:
        """Leave out stores into inner memory that nothing reads: their readers took them from registers."""
        read: set[Buffer] = set()
        kept: list[Item] = []
        for item in reversed(self.items):
            item.stores = [each for each in item.stores if each.buffer.role != "inner" or each.buffer in read]
            if not item.stores and not all(each in item.operands for each in item.written):
                continue
            kept.append(item)
            read.update(item.operands)
            for each in item.stores:
                read.update(_buffers(each) if each.adds else _read(each))
        self.items = kept[::-1]

    def leave_last(self, last: Buffer) -> None:
        """Let products store results that nothing reads only where `last` holds 1: no run follows then.

        The first result is left alone, as each iteration of an epoch records it.
        """
        read = {each for item in self.items for each in item.operands}
        read |= {each for item in self.items for store in item.stores for each in _read(store)}
        bound = dynamic(terms.load(last, number(0)), 0, 1), 1, 1
        for item in self.items:
            if item.work is None or len(item.stores) < 2:
                continue
            for place, store in enumerate(item.stores):
                if store.buffer.role == "result" and store.buffer.place and store.buffer not in read:
                    item.stores[place] = replace(store, bound=bound)

    def checks_first(self) -> int:
        """Put what decides about flags in front of all that outlives the step; return how many items.

        A flag that depends on what is changed before stays where it is.
        """
        first: set[int] = set()
        for place, item in enumerate(self.items):
            if all(each.role == "flag" for each in item.written):
                needed = self._needed(place)
                if all(each.role in ("inner", "flag") for at in needed for each in self.items[at].written):
                    first |= needed
        front = [item for place, item in enumerate(self.items) if place in first]
        self.items = front + [item for place, item in enumerate(self.items) if place not in first]
        return len(front)

    def _needed(self, place: int) -> set[int]:
        """Return the items that must be done before an item, and itself."""
        needed = {place}
        touched, written = set(self.items[place].buffers), set(self.items[place].written)
        for at in reversed(range(place)):
            item = self.items[at]
            if not touched.isdisjoint(item.written) or not written.isdisjoint(item.buffers):
                needed.add(at)
                touched.update(item.buffers)
                written.update(item.written)
        return needed

    def _append(self, item: Item) -> None:
        self.items.append(item)
        self._note(len(self.items) - 1, item.buffers, item.written)

    def _note(self, place: int, touched: Sequence[Buffer], changed: Sequence[Buffer]) -> None:
        for known, buffers in ((self._touched, touched), (self._changed, changed)):
            for each in buffers:
                known[each] = max(place, known.get(each, -1))

    def _joined(self, place: int, store: Store) -> Store | None:
        """Return the store as a part of an earlier nest, or None where it may not be."""
        item, reads = self.items[place], store.term.reads
        if store.buffer in item.operands:
            return None
        if self._touched.get(store.buffer, -1) > place:
            return None
        if any(self._changed.get(each, -1) > place for each in reads):
            return None
        term = forwarded(store.term, item.stores)
        if not set(kept_by(item.stores)).isdisjoint(term.reads):
            return None
        for other in item.stores:
            if other.buffer not in reads:
                continue
            if other.buffer.role == "captured":
                return None
            term = _forwarded(term, other)
            if other.buffer in term.reads:
                return None
        if store.buffer in item.buffers and any(reads_elsewhere(s.term, store) for s in item.stores):
            return None
        made = replace(store, term=term)
        simple = item.work is None or _is_simple(made, item.variables[-1])
        return made if simple and term.depth <= _DEEPEST else None


def reads_elsewhere(term: Term, store: Store) -> bool:
    """Tell whether a term reads the buffer of a store anywhere but where that writes."""
    return store.buffer in term.reads and any(
        each.kind == "load" and each.data[0] is store.buffer and each.data[1] != store.place
        for each in terms.walk([term])
    )


def _is_simple(store: Store, lanes: Variable) -> bool:
    """Tell whether a store takes the number of a product, and else only what lies side by side."""
    found = terms.walk([store.term])
    places = [each.data[1] for each in found if each.kind == "load"]
    return (
        any(each.kind == "product" for each in found)
        and all(each.kind in _SIMPLE for each in found)
        and all(place.step(lanes) in (0, 1) for place in places)
        and store.place.step(lanes) == 1
        and store.bound is None
        and not store.adds
    )


def _read(store: Store) -> list[Buffer]:
    inside = [buffer for index in store.indices for read in index.reads for buffer in read.reads]
    return [*store.term.reads, *inside]


def _buffers(store: Store) -> list[Buffer]:
    return list(dict.fromkeys([*_read(store), store.buffer]))


def _shared(item: Item, store: Store) -> int:
    return sum(each.bytes for each in store.term.reads if each in item.buffers)


def _forwarded(term: Term, other: Store) -> Term:
    """Replace reads of what another store puts at the same place by what it puts there."""
    there = terms.load(other.buffer, other.place)
    return terms.replaced(term, {there: terms.cast(other.term, other.buffer.dtype)})
