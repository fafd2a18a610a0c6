"""Nest: loops over an index space, and what is stored at every place of it.

A nest is the readable form between a program and machine code. Making one decides the order of its
loops, which loop runs in vector lanes, which short folds are written out, and which neighbouring
loops are one. It names its buffers by their order of appearance, so equal work has equal text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import Index, Variable, loop, number, variable
from chainrule.compiler.nests.lanes import in_lanes
from chainrule.compiler.nests.squares import Squares, squares
from chainrule.compiler.nests.term import Term
from chainrule.scalar.expr import apply, constant
from chainrule.scalar.expr import variable as named

WRITTEN_OUT = 9  # folds of at most so many items have no loop of their own


@dataclass(frozen=True, eq=False)
class Store:
    """Put `term` into `buffer` at `place`, or add it there; only where `bound` holds, if it is given."""

    buffer: Buffer
    place: Index
    term: Term
    bound: terms.Bound | None = None
    adds: bool = False

    @property
    def indices(self) -> list[Index]:
        """Where it stores, and what is bound."""
        return [self.place, *(self.bound or ())[:1]]


@dataclass(frozen=True, eq=False)
class Nest:
    """Stores repeated over `variables`, outermost first; `vector` is the one that fills the lanes.

    Loops over `serial` variables run in their order: one turn reads what the last one wrote.
    """

    variables: tuple[Variable, ...]
    vector: Variable | None
    stores: tuple[Store, ...]
    buffers: tuple[Buffer, ...]
    serial: frozenset[Variable] = frozenset()

    @staticmethod
    def of(variables: Sequence[Variable], stores: Sequence[Store], serial: Iterable[Variable] = ()) -> Nest:
        """Return the nest of these stores, with as few loops as there can be."""
        fixed = frozenset(serial)
        written = [replace(s, term=_written_out(s.term)) for s in stores]
        kept = [each for each in variables if each.extent > 1]
        kept, written = _merged(kept, written, fixed)
        free = [each for each in kept if each not in fixed]
        vector = in_lanes(kept, free, written, _all(written))
        return Nest(tuple(kept), vector, tuple(written), _touched(written), fixed)

    @staticmethod
    def as_given(variables: Sequence[Variable], stores: Sequence[Store]) -> Nest:
        """Return the nest of these stores with just these loops, the last one in the lanes."""
        return Nest(tuple(variables), variables[-1], tuple(stores), _touched(stores))

    @property
    def terms(self) -> list[Term]:
        """All terms that the stores need, arguments first."""
        return _all(self.stores)

    @property
    def written(self) -> tuple[int, ...]:
        """Which of the buffers are written."""
        written = {store.buffer for store in self.stores} | set(kept_by(self.stores))
        return tuple(sorted(self.buffers.index(each) for each in written))

    @property
    def flops(self) -> int:
        """The operations on numbers, each counted as often as the loops that it depends on run."""
        return sum(_trips(each) for each in self.terms if each.kind in ("apply", "fold"))

    @property
    def bytes(self) -> int:
        """The bytes read and written, each buffer's once."""
        return sum(each.bytes for each in self.buffers)

    @cached_property
    def squares(self) -> Squares | None:
        """What is taken in squares of the two innermost loops."""
        return squares(self)

    def _manner(self, of: Variable) -> str:
        if self.squares is not None and of is self.squares.along:
            return " in squares"
        return " in lanes" if of is self.vector else " in order" if of in self.serial else ""

    def __str__(self) -> str:
        names = {id(buffer): f"b{place}" for place, buffer in enumerate(self.buffers)}
        lines = [f"{name} {b.dtype}[{b.count}]" for b, name in zip(self.buffers, names.values(), strict=True)]
        lines = [f"nest({', '.join(lines)})"]
        lines += [f"for {each} < {each.extent}{self._manner(each)}" for each in self.variables]
        known: dict[Term, str] = {}
        for each in self.terms:
            known[each] = _name(each, names, len(known))
            if not known[each].startswith("%"):
                continue
            lines.append(f"  {known[each]} = {_shown(each, known, names)}: {each.dtype}")
        for store in self.stores:
            lines.append(f"  {_stored(store, known, names)}")
        return "\n".join(lines)


def _all(stores: Iterable[Store]) -> list[Term]:
    """Return all terms that stores need, those within their places included."""
    stored = list(stores)
    return terms.walk(
        [s.term for s in stored] + [each for s in stored for i in s.indices for each in i.reads]
    )


def _touched(stores: Sequence[Store]) -> tuple[Buffer, ...]:
    reads = [each.data[0] for each in _all(stores) if each.kind in ("load", "setting")]
    return tuple(dict.fromkeys([*reads, *kept_by(stores), *(store.buffer for store in stores)]))


def kept_by(stores: Sequence[Store]) -> list[Buffer]:
    """Return the buffers in which the terms of some stores are kept on the way."""
    return [each.data[0] for each in _all(stores) if each.kind == "kept"]


def _name(term: Term, buffers: dict[int, str], count: int) -> str:
    if term.kind == "number":
        return term.data[1]
    if term.kind == "setting":
        return f"{buffers[id(term.data[0])]}[{term.data[1]}]"
    return f"%{count}"


def _shown(term: Term, known: dict[Term, str], buffers: dict[int, str]) -> str:
    args = ", ".join(known[arg] for arg in term.args)
    if term.kind == "product":
        return "product"
    if term.kind in ("load", "kept"):
        place = f"{buffers[id(term.data[0])]}[{_read(term.data[1], known)}]"
        return place if term.kind == "load" else f"{place} = {args}"
    if term.kind == "apply":
        names = [f"{n}={known[a]}" for n, a in zip(term.data[1], term.args, strict=True)]
        return f"{term.data[0]!r} with {', '.join(names)}"
    if term.kind == "guard":
        ((index, low, high),) = term.data
        return f"{low} <= {_read(index, known)} <= {high} ? {args}"
    if term.kind in ("fold", "first"):
        loops = ", ".join(f"{each} < {each.extent}" for each in term.data[1])
        return f"{term.data[0]} over {loops} of {args}"
    return f"{term.kind} {args}"


def _stored(store: Store, known: dict[Term, str], buffers: dict[int, str]) -> str:
    sign = "+=" if store.adds else "="
    text = f"{buffers[id(store.buffer)]}[{_read(store.place, known)}] {sign} {known[store.term]}"
    if store.bound is None:
        return text
    index, low, high = store.bound
    return f"{text} if {low} <= {_read(index, known)} <= {high}"


def _read(index: Index, known: dict[Term, str]) -> str:
    """Return an index in words, integers that are read by their names."""
    text = repr(index)
    for each in index.reads:
        text = text.replace("read", known.get(each, "?"), 1)
    return text


def _trips(term: Term) -> int:
    inner = math.prod(each.extent for each in term.data[1]) if term.kind == "fold" else 1
    return inner * math.prod(each.extent for each in term.free)


# ---- folds without loops ------------------------------------------------------------------------
def _written_out(root: Term) -> Term:
    """Replace short folds by chains: their items share what they have in common."""
    done: dict[Term, Term] = {}
    for each in terms.walk([root]):
        made = terms.rebuilt(each, [done[arg] for arg in each.args])
        count = math.prod(v.extent for v in each.data[1]) if each.kind in ("fold", "first") else 0
        done[each] = _chain(made) if 0 < count <= WRITTEN_OUT else made
    return done[root]


def _chain(term: Term) -> Term:
    name, variables = term.data
    places = [
        dict(zip(variables, map(number, place), strict=True))
        for place in _places([v.extent for v in variables])
    ]
    items = [term.args[0].put(place) for place in places]
    if name == "first":
        found = terms.cast(terms.value(0), term.dtype)
        for place in range(len(items) - 1, 0, -1):
            found = _chosen(items[place], place, found)
        return _chosen(items[0], 0, found)
    total = items[0]
    for item in items[1:]:
        total = terms.apply(apply(name, _X, _Y), ("x", "y"), (total, item), term.dtype)
    return total


_X, _Y = named("x"), named("y")


def _chosen(match: Term, place: int, otherwise: Term) -> Term:
    root = apply("select", _X, constant(place), _Y)
    return terms.apply(root, ("x", "y"), (match, otherwise), otherwise.dtype)


def _places(extents: Sequence[int]) -> Iterable[tuple[int, ...]]:
    if not extents:
        return [()]
    return [(i, *rest) for i in range(extents[0]) for rest in _places(extents[1:])]


# ---- loops that are one -------------------------------------------------------------------------
def _merged(
    variables: list[Variable], stores: list[Store], serial: frozenset[Variable]
) -> tuple[list[Variable], list[Store]]:
    """Make one loop of two neighbours wherever every index steps through them evenly."""
    place = len(variables) - 2
    while place >= 0:
        outer, inner = variables[place], variables[place + 1]
        everywhere = [each for s in stores for each in s.indices] + [
            index for t in _all(stores) for index in terms.indices_of(t)
        ]
        if serial.isdisjoint((outer, inner)) and all(_even(each, outer, inner) for each in everywhere):
            made = variable(f"{outer}{inner}", outer.extent * inner.extent)
            places = {outer: number(0), inner: loop(made)}
            stores = [_put(store, places) for store in stores]
            variables[place : place + 2] = [made]
        place -= 1
    return variables, stores


def _put(store: Store, places: dict[Variable, Index]) -> Store:
    bound = store.bound and (store.bound[0].put(places), *store.bound[1:])
    return replace(store, place=store.place.put(places), term=store.term.put(places), bound=bound)


def _even(index: Index, outer: Variable, inner: Variable) -> bool:
    one, two = index.step(outer), index.step(inner)
    return one is not None and two is not None and one == two * inner.extent
