"""Evaluation: terms as values in registers, and their stores, at one place of a nest's loops.

A term is computed at most once where its variables are known: a scope holds what is known in a loop.
Where a variable fills the lanes, terms that depend on it are vectors, the others plain numbers. Which
loops there are round the place is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule import scalar
from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.places import Places
from chainrule.compiler.cpu.scalars import Typed, evaluate
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import Variable
from chainrule.compiler.nests.nest import Store
from chainrule.compiler.nests.term import Term
from chainrule.scalar.expr import apply

_X, _Y = scalar.variable("x"), scalar.variable("y")


class Evaluation:
    """Writes terms and stores over `buffers`, with so many lanes in a vector."""

    def __init__(
        self, code: Code, buffers: Sequence[Buffer], pointers: Sequence[ir.Value], width: int
    ) -> None:
        self.code, self.width = code, width
        self.pointers = {id(b): p for b, p in zip(buffers, pointers, strict=True)}
        self.scopes: list[dict[Term, Typed]] = [{}]
        self.places = Places(code, self._integers)
        self.bound: set[Variable] = set()
        self.mask: ir.Value | None = None

    # ---- where we are ----------------------------------------------------------------------------
    def enter(self, of: Variable, place: ir.Value) -> None:
        """Begin the inside of a loop: what is computed there is forgotten when it ends."""
        self.places.set(of, place)
        self.bound.add(of)
        self.scopes.append({})

    def leave(self, variables: Sequence[Variable]) -> None:
        """End the inside of loops."""
        self.bound.difference_update(variables)
        self.scopes.pop()
        self.places.forget(variables)

    # ---- stores ----------------------------------------------------------------------------------
    def store_all(self, stores: Sequence[Store]) -> None:
        """Write stores: all are computed before the first."""
        values = [(store, self.value(terms.cast(store.term, store.buffer.dtype))) for store in stores]
        for store, value in values:
            self._store(store, value.value)

    def _store(self, store: Store, value: ir.Value) -> None:
        if store.bound is None:
            self._put(store, value)
            return
        inside = self.places.within(*store.bound)
        before = self.mask
        if isinstance(inside.type, ir.VectorType):
            self.mask = inside if before is None else self.code.builder.and_(before, inside)
            self._put(store, value)
            self.mask = before
        else:
            with self.code.only_if(inside):
                self._put(store, value)

    def _put(self, store: Store, value: ir.Value) -> None:
        code, dtype = self.code, store.buffer.dtype
        pointer = self.pointers[id(store.buffer)]
        vector = self.places.vector
        step = store.place.step(vector) if vector is not None else 0
        spread = vector is not None and (step is None or step != 0)
        value = code.splat(value, self.width) if spread else value
        if store.adds:
            value = self._added(terms.load(store.buffer, store.place), value)
        if dtype == np.bool_:
            wide = ir.IntType(8)
            value = code.builder.zext(value, ir.VectorType(wide, self.width) if spread else wide)
        if not spread:
            code.store(value, pointer, self.places.plain(store.place), dtype)
        elif step == 1:
            code.store_masked(value, pointer, self.places.plain(store.place), dtype, self.mask)
        else:
            self.scatter(store, value)

    def scatter(self, store: Store, value: ir.Value) -> None:
        """Write a vector whose numbers are no neighbours in memory."""
        pointer, place = self.pointers[id(store.buffer)], self.places.wide(store.place)
        self.code.scatter(value, pointer, place, store.buffer.dtype, self.mask)

    def _added(self, there: Term, value: ir.Value) -> ir.Value:
        given = {"x": self._load(there), "y": Typed(value, there.dtype, False)}
        return evaluate(self.code, apply("add", _X, _Y), given, self.width).value

    # ---- terms -----------------------------------------------------------------------------------
    def value(self, term: Term) -> Typed:
        """Return a term's value, computed at most once where its variables are known."""
        for scope in reversed(self.scopes):
            if term in scope:
                return scope[term]
        made = self.kinds[term.kind](self, term)
        self.scopes[-1][term] = made
        return made

    def _integers(self, term: Term) -> Any:
        """Return an integer that an index reads, plain or one a lane."""
        return self.value(term).value

    def _number(self, term: Term) -> Typed:
        kind: Any = {bool: ir.BIT, int: ir.IntType(64), float: ir.DoubleType()}
        known = term.data[2]
        return Typed(ir.Constant(kind[known.__class__], known), term.dtype, True)

    def _setting(self, term: Term) -> Typed:
        buffer, slot = term.data
        return Typed(self.code.load(self.pointers[id(buffer)], slot, np.float64), term.dtype, True)

    def _load(self, term: Term) -> Typed:
        buffer, place = term.data
        code, pointer, dtype = self.code, self.pointers[id(buffer)], buffer.dtype
        step = place.step(self.places.vector) if self.places.vector is not None else 0
        if step == 0:
            value = code.load(pointer, self.places.plain(place), dtype)
        elif step in (1, -1):
            first, count = self.places.plain(place), buffer.count
            value = code.neighbours(pointer, first, dtype, self.width, self.mask, count, step == -1)
        else:
            value = self.gather(term)
        if dtype == np.bool_:
            value = code.builder.icmp_unsigned("!=", value, ir.Constant(value.type, None))
        return Typed(value, dtype, False)

    def _kept(self, term: Term) -> Typed:
        made = self.value(term.args[0])
        self._put(Store(*term.data, term), made.value)
        return made

    def gather(self, term: Term) -> ir.Value:
        """Read a vector whose numbers are no neighbours in memory."""
        buffer, place = term.data
        pointer = self.pointers[id(buffer)]
        return self.code.gather(pointer, self.places.wide(place), buffer.dtype, self.mask)

    def _apply(self, term: Term) -> Typed:
        root, names = term.data
        given = {name: self.value(arg) for name, arg in zip(names, term.args, strict=True)}
        made = evaluate(self.code, root, given, self.width)
        return made if made.dtype == term.dtype and not made.weak else self.converted(made, term.dtype)

    def _cast(self, term: Term) -> Typed:
        return self.converted(self.value(term.args[0]), term.dtype)

    def converted(self, value: Typed, dtype: np.dtype[Any]) -> Typed:
        """Return a value in another dtype."""
        return evaluate(self.code, scalar.cast(_X, dtype.name), {"x": value}, self.width)

    # ---- guards ----------------------------------------------------------------------------------
    def _guard(self, term: Term) -> Typed:
        ((index, low, high),) = term.data
        otherwise = self.value(term.args[1])
        vector = self.places.vector
        if vector is not None and vector in index.free:
            return self._masked(term, otherwise)
        inside = self.places.within(index, low, high)
        builder, function = self.code.builder, self.code.function
        before = builder.block
        then, after = function.append_basic_block("inside"), function.append_basic_block("either")
        builder.cbranch(inside, then, after)
        builder.position_at_end(then)
        self.scopes.append({})
        value = self.value(term.args[0])
        wide = isinstance(value.value.type, ir.VectorType)
        self.scopes.pop()
        last = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        other = otherwise.value
        if wide and not isinstance(other.type, ir.VectorType):
            other = self._early_splat(before, other)
        elif not wide and isinstance(other.type, ir.VectorType):
            value = Typed(self._early_splat(last, value.value), value.dtype, value.weak)
        phi = builder.phi(other.type)
        phi.add_incoming(value.value, last)
        phi.add_incoming(other, before)
        return Typed(phi, value.dtype, value.weak)

    def _early_splat(self, block: ir.Block, value: ir.Value) -> ir.Value:
        """Make a vector of a number at the end of a block that is already closed."""
        builder, kept = self.code.builder, self.code.builder.block
        builder.position_at_end(block)
        made = self.code.splat(value, self.width)
        builder.position_at_end(kept)
        return made

    def _masked(self, term: Term, otherwise: Typed) -> Typed:
        ((index, low, high),) = term.data
        inside = self.places.within(index, low, high)
        before, builder = self.mask, self.code.builder
        self.mask = inside if before is None else builder.and_(before, inside)
        self.scopes.append({})
        value = self.value(term.args[0])
        self.scopes.pop()
        self.mask = before
        made = builder.select(
            inside, self.code.splat(value.value, self.width), self.code.splat(otherwise.value, self.width)
        )
        return Typed(made, value.dtype, value.weak)

    kinds: ClassVar[Mapping[str, Callable[[Any, Term], Typed]]] = {
        "load": _load,
        "kept": _kept,
        "number": _number,
        "setting": _setting,
        "apply": _apply,
        "cast": _cast,
        "guard": _guard,
    }
