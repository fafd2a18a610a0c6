"""Loops: the kernel of a nest, written with explicit vectors.

A term is computed where all its loop variables are first known, so what does not change in a loop
stands before it. Where a variable fills the lanes, terms that depend on it are vectors, the others
plain numbers; a fold over other variables keeps vectors of totals, and a fold outside of the lanes
fills them with its own last variable. The last, incomplete vector is masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import scalar
from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, constant
from chainrule.compiler.cpu.folding import Folding
from chainrule.compiler.cpu.places import Places
from chainrule.compiler.cpu.scalars import Typed, evaluate
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.index import Variable
from chainrule.compiler.nests.nest import Nest, Store
from chainrule.compiler.nests.term import Term
from chainrule.scalar.expr import apply

_ENOUGH = 16  # parts that the outer loops are cut into, where they can be
_CHUNK = 4096  # items in one part of the loop in the lanes, where that is the outermost
_EVEN = 64  # vectors of every width fill so many items
_X, _Y = scalar.variable("x"), scalar.variable("y")


@dataclass(frozen=True)
class Loops:
    """The kernel of a nest. Operands: the nest's buffers, in their order."""

    nest: Nest

    def __repr__(self) -> str:
        return str(self.nest)

    @property
    def name(self) -> str:
        """What the kernel is called in tables."""
        return "nest"

    @property
    def parts(self) -> int:
        """Pieces of the outermost loops."""
        chunk = _chunk(self.nest)
        if chunk:
            return -(-self.nest.variables[0].extent // chunk)
        return math.prod(each.extent for each in self._cut())

    scratch = 0

    @property
    def flops(self) -> int:
        """Operations on numbers."""
        return self.nest.flops

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return self.nest.bytes

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill `void f(ptr buffers..., ptr scratch, i64 lo, i64 hi)`."""
        for pointer in function.args[:-2]:
            pointer.noalias = True
        Writer(self.nest, self._cut(), function, target).write()

    def _cut(self) -> list[Variable]:
        """Return the outermost loops, enough of them to be shared among threads."""
        cut: list[Variable] = []
        for each in self.nest.variables:
            if each in self.nest.serial or math.prod(v.extent for v in cut) >= _ENOUGH:
                break
            cut += [each] if each is not self.nest.vector else []
        return cut


class Writer:
    """Writes one nest."""

    def __init__(self, nest: Nest, cut: list[Variable], function: ir.Function, target: Target) -> None:
        self.nest, self.cut = nest, cut
        self.code = Code(function, target)
        self.target = target
        *pointers, self.scratch, self.low, self.high = function.args
        self.pointers = {id(b): p for b, p in zip(nest.buffers, pointers, strict=True)}
        self.scopes: list[dict[Term, Typed]] = [{}]
        self.places = Places(self.code, self._integers)
        self.bound: set[Variable] = set()
        self.mask: ir.Value | None = None
        self.folding = Folding(self)
        found = nest.terms
        self.folds = [each for each in found if each.kind in ("fold", "first")]
        self.below = {each: set(terms.walk([each])) - {each} for each in self.folds}
        sizes = [s.buffer.dtype.itemsize for s in nest.stores]
        sizes += [t.dtype.itemsize for t in found if t.dtype.kind == "f" and not t.weak]
        self.width = target.lanes(np.dtype(f"u{min(max(4, *sizes), 8)}"))

    # ---- loops -----------------------------------------------------------------------------------
    def write(self) -> None:
        """Write the whole function."""
        roots = [store.term for store in self.nest.stores]
        chunk = _chunk(self.nest)
        self.hoist(roots, set(self.nest.variables))
        if chunk:
            first, *rest = self.nest.variables
            start, stop = (self.code.builder.mul(each, constant(chunk)) for each in (self.low, self.high))
            stop = self.places.least(stop, constant(first.extent))
            self._stretch(first, start, stop, lambda: self._each(rest, roots))
        else:
            with self.code.loop(self.low, self.high, name="part") as part:
                self._bind_cut(part)
                self.scopes.append({})
                self._each([each for each in self.nest.variables if each not in self.cut], roots)
                self.leave(self.cut)
        self.code.finish()

    def _bind_cut(self, part: ir.Value) -> None:
        """Take the number of a part apart into the outer loops' variables."""
        builder = self.code.builder
        for each in reversed(self.cut[1:]):
            self.places.set(each, builder.urem(part, constant(each.extent)))
            part = builder.udiv(part, constant(each.extent))
        if self.cut:
            self.places.set(self.cut[0], part)
        self.bound.update(self.cut)

    def _each(self, variables: Sequence[Variable], roots: Sequence[Term]) -> None:
        """Write loops over the variables round the stores, with all before a loop that it does not change."""
        self.hoist(roots, set(variables))
        if not variables:
            self._store_all()
            return
        first, *rest = variables
        if first is self.nest.vector:
            self.vectors(first, first.extent, lambda: self._each(rest, roots))
            return
        with self.code.loop(0, first.extent, name=first.name) as place:
            self.enter(first, place)
            self._each(rest, roots)
            self.leave([first])

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

    def hoist(self, roots: Sequence[Term], unbound: set[Variable]) -> None:
        """Compute now what the loops to come do not change."""
        seen: set[Term] = set()

        def visit(term: Term, guarded: bool) -> None:
            if term in seen or term.kind in ("number", "setting"):
                return
            seen.add(term)
            if term.free.isdisjoint(unbound) and term.free <= self.bound:
                if not guarded or _harmless(term):
                    self.value(term)
                return
            inside = guarded or term.kind == "guard"
            for arg in term.args[:1]:
                visit(arg, inside)
            for arg in term.args[1:]:
                visit(arg, guarded)

        for root in roots:
            visit(root, False)

    # ---- the lanes -------------------------------------------------------------------------------
    def _stretch(self, of: Variable, start: ir.Value, stop: ir.Value, body: Callable[[], None]) -> None:
        """Write the body for every vector of a stretch of a variable, the last one masked."""
        whole = self.places.whole(start, stop, self.width)
        with self.code.loop(start, whole, self.width, of.name) as place:
            self._vector_at(of, place, None, body)
        with self.code.only_if(self.code.builder.icmp_signed("<", whole, stop)):
            self._vector_at(of, whole, self.code.builder.sub(stop, whole), body)

    def vectors(self, of: Variable, extent: int, body: Callable[[], None]) -> None:
        """Write the body for vector after vector of a variable, the last one masked."""
        whole = extent // self.width * self.width
        if whole == self.width:
            self._vector_at(of, constant(0), None, body)
        elif whole:
            with self.code.loop(0, whole, self.width, of.name) as place:
                self._vector_at(of, place, None, body)
        if extent > whole:
            self._vector_at(of, constant(whole), constant(extent - whole), body)

    def _vector_at(
        self, of: Variable, place: ir.Value, count: ir.Value | None, body: Callable[[], None]
    ) -> None:
        """Write the body for one vector that begins at `place`; `count` of its lanes are meant."""
        before = self.mask
        self.enter(of, place)
        self.places.lanes(of, self.width)
        self.mask = None if count is None else self.places.below(count, self.width)
        body()
        self.mask = before
        self.places.lanes(None, 1)
        self.leave([of])

    # ---- stores ----------------------------------------------------------------------------------
    def _store_all(self) -> None:
        values = [
            (store, self.value(terms.cast(store.term, store.buffer.dtype))) for store in self.nest.stores
        ]
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
            code.scatter(value, pointer, self.places.wide(store.place), dtype, self.mask)

    def _added(self, there: Term, value: ir.Value) -> ir.Value:
        given = {"x": self._load(there), "y": Typed(value, there.dtype, False)}
        return evaluate(self.code, apply("add", _X, _Y), given, self.width).value

    # ---- terms -----------------------------------------------------------------------------------
    def value(self, term: Term) -> Typed:
        """Return a term's value, computed at most once where its variables are known."""
        for scope in reversed(self.scopes):
            if term in scope:
                return scope[term]
        made = _KINDS[term.kind](self, term)
        self.scopes[-1][term] = made
        return made

    def knows(self, term: Term) -> bool:
        """Tell whether a term is computed already."""
        return any(term in scope for scope in self.scopes)

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
            value = code.gather(pointer, self.places.wide(place), dtype, self.mask)
        if dtype == np.bool_:
            value = code.builder.icmp_unsigned("!=", value, ir.Constant(value.type, None))
        return Typed(value, dtype, False)

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

    def _folded(self, term: Term) -> Typed:
        return self.folding.value(term)

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


def _chunk(nest: Nest) -> int:
    """Return how many items of the loop in the lanes a part has; 0 where others are the outermost."""
    if nest.vector is None or nest.vector is not nest.variables[0]:
        return 0
    inside = math.prod(each.extent for each in nest.variables[1:])
    return max(1, _CHUNK // _EVEN // inside) * _EVEN


def _harmless(term: Term) -> bool:
    """Tell whether a term may be computed where nobody may need it: all that it reads is there."""
    return all(
        0 <= each.data[1].low and each.data[1].high < each.data[0].count
        for each in terms.walk([term])
        if each.kind == "load"
    )


_KINDS: dict[str, Callable[[Writer, Term], Typed]] = {
    "load": Writer._load,
    "number": Writer._number,
    "setting": Writer._setting,
    "apply": Writer._apply,
    "cast": Writer._cast,
    "guard": Writer._guard,
    "fold": Writer._folded,
    "first": Writer._folded,
}
