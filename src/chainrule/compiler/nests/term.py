"""Term: what one element of a value is, as an expression over reads of buffers.

Terms are immutable and shared: equal terms are the same object, so common parts of all that a loop
nest computes are found by identity. `free` are the loop variables that a term depends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.compiler.nests import index as indices
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import Index, Variable
from chainrule.scalar.expr import Expr, constant, substitute, variable

_terms: dict[Any, Term] = {}
_NOTHING: frozenset[Variable] = frozenset()


class Term:
    """One node; `kind` tells what `data` is:

    load (buffer, index) · number (a Python number) · setting (buffer, slot: a number that is read at
    each run) · apply (expression, names of the arguments) · cast · fold (monoid, variables) ·
    first (variables: the place of the first true item) · guard (bounds: the first argument where
    low <= index <= high for all of them, else the second) · product (buffer: the number that a matrix
    product has for the place, there before anything is stored) · kept (buffer, index: the argument, which is
    stored there as soon as it is known)
    """

    __slots__ = ("_reads", "args", "data", "depth", "dtype", "free", "kind", "weak")

    kind: str
    data: Any
    args: tuple[Term, ...]
    dtype: np.dtype[Any]
    weak: bool
    depth: int  # the longest way down to a term without arguments
    free: frozenset[Variable]
    _reads: tuple[Buffer, ...] | None

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The buffers that it reads."""
        if self._reads is None:
            found = [each.data[0] for each in walk([self]) if each.kind in ("load", "setting")]
            self._reads = tuple(dict.fromkeys(found))
        return self._reads

    def put(self, places: Mapping[Variable, Index]) -> Term:
        """Return the term with variables replaced by indices."""
        return _put(self, places, {})

    def __repr__(self) -> str:
        return f"<{self.kind} {self.data} {self.args}>"


def forget() -> None:
    """Drop all known terms and indices: between two programs none need be the same."""
    _terms.clear()
    indices.forget()


def _make(
    kind: str, data: Any, args: tuple[Term, ...], dtype: np.dtype[Any], free: frozenset[Variable],
    weak: bool = False,
) -> Term:  # fmt: skip
    key = (kind, data, dtype.num, weak, *map(id, args))
    found = _terms.get(key)
    if found is None:
        found = _terms[key] = Term()
        found.kind, found.data, found.args, found.dtype, found.weak = kind, data, args, dtype, weak
        found._reads, found.depth = None, 1 + max((arg.depth for arg in args), default=0)
        found.free = free.union(*(arg.free for arg in args))
    return found


def load(buffer: Buffer, place: Index) -> Term:
    """Return the element of a buffer at an address."""
    return _make("load", (buffer, place), (), buffer.dtype, place.free)


def product(buffer: Buffer, variables: Iterable[Variable]) -> Term:
    """Return what a matrix product, whose result a buffer is, has for the values of the variables."""
    return _make("product", buffer, (), buffer.dtype, frozenset(variables))


def kept(buffer: Buffer, place: Index, term: Term) -> Term:
    """Return a term that is stored where it is computed."""
    return _make("kept", (buffer, place), (cast(term, buffer.dtype),), buffer.dtype, place.free)


def value(known: float | int | bool) -> Term:
    """Return a Python number; it takes the dtype of what it meets."""
    data = (known.__class__.__name__, repr(known), known)
    return _make("number", data, (), np.dtype(type(known)), _NOTHING, weak=True)


def held(number: float | int | bool, dtype: np.dtype[Any]) -> Term:
    """Return a number as an array of a dtype holds it."""
    return cast(value(dtype.type(number).item()), dtype)


def setting(buffer: Buffer, slot: int) -> Term:
    """Return a number that is set anew at each run; like a Python number it is weak."""
    return _make("setting", (buffer, slot), (), np.dtype(np.float64), _NOTHING, weak=True)


def apply(root: Expr, names: Sequence[str], args: Sequence[Term], dtype: np.dtype[Any]) -> Term:
    """Return an expression of other terms, converted to `dtype`."""
    if root.function == "variable":
        return cast(args[list(names).index(str(root.value))], dtype)
    if all(arg.dtype == dtype and not arg.weak for arg in args):
        given = {variable(name): _known(arg) for name, arg in zip(names, args, strict=True)}
        known = {name: number for name, number in given.items() if number is not None}
        kept = [pair for pair in zip(names, args, strict=True) if variable(pair[0]) not in known]
        if known and kept:
            return apply(substitute(root, known), *zip(*kept, strict=True), dtype)
    return _make("apply", (root, tuple(names)), tuple(args), dtype, _NOTHING)


def _known(term: Term) -> Expr | None:
    """Return a small number in an array as a part of an expression: powers by it may be products then."""
    if term.kind != "cast" or term.dtype.kind != "f" or term.args[0].kind != "number":
        return None
    number = term.args[0].data[2]
    return constant(float(number)) if number in (0.5, 1, 2, 3, 4) else None


def cast(term: Term, dtype: np.dtype[Any]) -> Term:
    """Return a term in another dtype."""
    return term if term.dtype == dtype and not term.weak else _make("cast", None, (term,), dtype, _NOTHING)


def fold(monoid: str, variables: Sequence[Variable], term: Term, dtype: np.dtype[Any]) -> Term:
    """Return the items of a term over all values of `variables`, folded in their order."""
    if any(each.extent < 1 for each in variables):
        return identity(monoid, dtype)
    return _bound("fold", (monoid, tuple(variables)), term, dtype)


def identity(monoid: str, dtype: np.dtype[Any]) -> Term:
    """Return what a fold begins with."""
    known: Any = {"add": 0, "multiply": 1, "logical_and": True, "logical_or": False}.get(monoid)
    if known is None:
        known = _extremes(dtype)[monoid == "minimum"]
    return held(known, dtype)


def _extremes(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    if dtype.kind == "f":
        return -np.inf, np.inf
    return (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (False, True)


def first(variables: Sequence[Variable], term: Term, dtype: np.dtype[Any]) -> Term:
    """Return the place, counted in the variables' order, of the first item that is true."""
    return _bound("first", ("first", tuple(variables)), term, dtype)


def _bound(kind: str, data: Any, term: Term, dtype: np.dtype[Any]) -> Term:
    made = _make(kind, data, (term,), dtype, _NOTHING)
    made.free = term.free - frozenset(data[1])
    return made


Bound = tuple[Index, int, int]


def guard(bounds: Iterable[Bound], term: Term, otherwise: Term) -> Term:
    """Return `term` where every index lies in its bounds (low and high included)."""
    kept: list[Bound] = []
    for index, low, high in bounds:
        if index.low > high or index.high < low:
            return otherwise
        if index.low < low or index.high > high:
            kept.append((index, low, high))
    for each in reversed(kept):
        term = _make("guard", (each,), (term, otherwise), term.dtype, each[0].free)
    return term


def _put(term: Term, places: Mapping[Variable, Index], done: dict[Term, Term]) -> Term:
    if term.free.isdisjoint(places):
        return term
    found = done.get(term)
    if found is None:
        args = [_put(arg, places, done) for arg in term.args]
        found = done[term] = _moved(term, args, places)
    return found


def _moved(term: Term, args: list[Term], places: Mapping[Variable, Index]) -> Term:
    if term.kind == "load":
        return load(term.data[0], term.data[1].put(places))
    if term.kind == "kept":
        return kept(term.data[0], term.data[1].put(places), args[0])
    if term.kind == "guard":
        return guard([(i.put(places), low, high) for i, low, high in term.data], *args)
    if term.kind in ("fold", "first"):
        return _bound(term.kind, term.data, args[0], term.dtype)
    return _make(term.kind, term.data, tuple(args), term.dtype, _NOTHING)


def rebuilt(term: Term, args: Sequence[Term]) -> Term:
    """Return the same node over other arguments."""
    if all(a is b for a, b in zip(term.args, args, strict=True)):
        return term
    return _moved(term, list(args), {})


def replaced(term: Term, by: Mapping[Term, Term]) -> Term:
    """Return a term with parts of it replaced by others, which are taken as they are."""
    done: dict[Term, Term] = {}
    for each in walk([term]):
        done[each] = by.get(each) or rebuilt(each, [done[arg] for arg in each.args])
    return done[term]


def indices_of(term: Term) -> list[Index]:
    """Return the indices that a term itself holds."""
    if term.kind in ("load", "kept"):
        return [term.data[1]]
    return [term.data[0][0]] if term.kind == "guard" else []


def walk(roots: Iterable[Term]) -> list[Term]:
    """Return all terms below `roots` once, integers read within indices too, arguments first."""
    seen: set[Term] = set()
    order: list[Term] = []

    def visit(term: Term) -> None:
        if term not in seen:
            seen.add(term)
            for arg in term.args:
                visit(arg)
            for index in indices_of(term):
                for read in index.reads:
                    visit(read)
            order.append(term)

    for root in roots:
        visit(root)
    return order
