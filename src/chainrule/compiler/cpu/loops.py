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
from llvmlite import ir

from chainrule import scalar
from chainrule.compiler.cpu.code import Code, constant
from chainrule.compiler.cpu.places import Places
from chainrule.compiler.cpu.scalars import Typed, evaluate
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import flat
from chainrule.compiler.nests.index import Index, Variable, loop
from chainrule.compiler.nests.nest import Nest, Store
from chainrule.compiler.nests.term import Term
from chainrule.scalar.expr import apply

_ENOUGH = 16  # parts that the outer loops are cut into, where they can be
_CHUNK = 4096  # items of a lone loop in one part
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
        if _lone(self.nest):
            return -(-self.nest.variables[0].extent // _CHUNK)
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
        found = nest.terms
        self.folds = [each for each in found if each.kind in ("fold", "first")]
        self.below = {each: set(terms.walk([each])) - {each} for each in self.folds}
        sizes = [s.buffer.dtype.itemsize for s in nest.stores]
        sizes += [t.dtype.itemsize for t in found if t.dtype.kind == "f" and not t.weak]
        self.width = target.lanes(np.dtype(f"u{min(max(4, *sizes, 4), 8)}"))

    # ---- loops -----------------------------------------------------------------------------------
    def write(self) -> None:
        """Write the whole function."""
        variables = [each for each in self.nest.variables if each is not self.nest.vector]
        roots = [store.term for store in self.nest.stores]
        rest = [each for each in variables if each not in self.cut]
        self._hoist(roots, set(self.nest.variables))
        if not _lone(self.nest):
            with self.code.loop(self.low, self.high, name="part") as part:
                self._bind_cut(part)
                self.scopes.append({})
                self._each(rest, roots, lambda: self._lanes(0, None))
                self._leave(self.cut)
        else:
            size = self.nest.variables[0].extent
            start = self.code.builder.mul(self.low, constant(_CHUNK))
            stop = self.places.least(self.code.builder.mul(self.high, constant(_CHUNK)), constant(size))
            self._lanes(start, stop)
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

    def _each(self, variables: Sequence[Variable], roots: Sequence[Term], body: Callable[[], None]) -> None:
        """Write loops over the variables round the body, with all before a loop that it does not change."""
        unbound = set(variables) | ({self.nest.vector} - self.bound if self.nest.vector else set())
        self._hoist(roots, unbound)
        if not variables:
            body()
            return
        first, *rest = variables
        with self.code.loop(0, first.extent, name=first.name) as place:
            self._enter(first, place)
            self._each(rest, roots, body)
            self._leave([first])

    def _enter(self, of: Variable, place: ir.Value) -> None:
        self.places.set(of, place)
        self.bound.add(of)
        self.scopes.append({})

    def _leave(self, variables: Sequence[Variable]) -> None:
        self.bound.difference_update(variables)
        self.scopes.pop()
        self.places.forget(variables)

    def _hoist(self, roots: Sequence[Term], unbound: set[Variable]) -> None:
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
    def _lanes(self, start: Any, stop: Any) -> None:
        """Write the stores, for every vector of the variable that fills the lanes."""
        vector = self.nest.vector
        if vector is None:
            self._store_all()
        elif stop is None:
            self._vectors(vector, vector.extent, self._store_all)
        else:
            whole = self.places.whole(start, stop, self.width)
            with self.code.loop(start, whole, self.width, vector.name) as place:
                self._vector_at(vector, place, None, self._store_all)
            with self.code.only_if(self.code.builder.icmp_signed("<", whole, stop)):
                count = self.code.builder.sub(stop, whole)
                self._vector_at(vector, whole, count, self._store_all)

    def _vectors(self, of: Variable, extent: int, body: Callable[[], None]) -> None:
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
        self._enter(of, place)
        self.places.lanes(of, self.width)
        self.mask = None if count is None else self.places.below(count, self.width)
        body()
        self.mask = before
        self.places.lanes(None, 1)
        self._leave([of])

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

    def _integers(self, term: Term) -> Any:
        """Return an integer that an index reads, plain or one a lane."""
        return self.value(term).value

    def _number(self, term: Term) -> Typed:
        kind: Any = {bool: ir.IntType(1), int: ir.IntType(64), float: ir.DoubleType()}
        known = term.data[2]
        return Typed(ir.Constant(kind[known.__class__], known), term.dtype, True)

    def _setting(self, term: Term) -> Typed:
        buffer, slot = term.data
        return Typed(self.code.load(self.pointers[id(buffer)], slot, np.float64), term.dtype, True)

    def _load(self, term: Term) -> Typed:
        buffer, place = term.data
        code, pointer, dtype = self.code, self.pointers[id(buffer)], buffer.dtype
        vector = self.places.vector
        step = place.step(vector) if vector is not None else 0
        if step == 0:
            value = code.load(pointer, self.places.plain(place), dtype)
        elif step == 1:
            value = code.load_masked(pointer, self.places.plain(place), dtype, self.width, self.mask)
        else:
            value = code.gather(pointer, self.places.wide(place), dtype, self.mask)
        if dtype == np.bool_:
            value = code.builder.icmp_unsigned("!=", value, ir.Constant(value.type, None))
        return Typed(value, dtype, False)

    def _apply(self, term: Term) -> Typed:
        root, names = term.data
        given = {name: self.value(arg) for name, arg in zip(names, term.args, strict=True)}
        made = evaluate(self.code, root, given, self.width)
        return made if made.dtype == term.dtype and not made.weak else self._converted(made, term.dtype)

    def _cast(self, term: Term) -> Typed:
        return self._converted(self.value(term.args[0]), term.dtype)

    def _converted(self, value: Typed, dtype: np.dtype[Any]) -> Typed:
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
        builder.position_before(block.terminator)
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

    # ---- folds -----------------------------------------------------------------------------------
    def _fold(self, term: Term) -> Typed:
        """Compute a fold, and with it all others that can run in the same loops."""
        group = self._together(term)
        variables = [each for each in term.data[1] if each.extent > 1]
        own = self._own_lanes(group, variables)
        if own is not None:
            self._fold_in_lanes(group, [each for each in variables if each is not own], own)
        else:
            self._fold_in_loops(group, variables)
        return self.scopes[-1][term]

    def _together(self, term: Term) -> list[Term]:
        group = [term]
        for each in self.folds:
            alike = each.data[1] == term.data[1] and each.free <= self.bound and each not in group
            if (
                not alike
                or self._in_lanes(each) != self._in_lanes(term)
                or any(each in s for s in self.scopes)
            ):
                continue
            if self.below[each].isdisjoint(group) and not any(each in self.below[g] for g in group):
                group.append(each)
        return group

    def _in_lanes(self, term: Term) -> bool:
        return self.places.vector is not None and self.places.vector in term.free

    def _own_lanes(self, group: Sequence[Term], variables: Sequence[Variable]) -> Variable | None:
        """Return the folded variable that fills the lanes, if they are free and its reads are neighbours."""
        if self.places.vector is not None or any(each.kind == "first" for each in group):
            return None
        reads = [t for t in terms.walk(g.args[0] for g in group) if t.kind == "load"]
        best: Variable | None = None
        for each in variables:
            touched = [t.data[1].step(each) for t in reads if each in t.free]
            good = sum(step == 1 for step in touched)
            if 2 * good >= len(touched) and touched and (best is None or each.extent > 4):
                best = each
        return best

    def _fold_in_loops(self, group: Sequence[Term], variables: Sequence[Variable]) -> None:
        totals = [self._total(each, self.width if self._in_lanes(each) else 1) for each in group]
        self._run(variables, group, lambda: self._take_all(group, totals))
        for each, total in zip(group, totals, strict=True):
            self.scopes[-1][each] = Typed(self.code.get(total[0]), each.dtype, False)

    def _fold_in_lanes(self, group: Sequence[Term], variables: Sequence[Variable], own: Variable) -> None:
        totals = [self._total(each, self.width) for each in group]

        def inner() -> None:
            self._hoist([each.args[0] for each in group], {own})
            self._vectors(own, own.extent, lambda: self._take_all(group, totals))

        self._run(variables, group, inner, {own})
        for each, total in zip(group, totals, strict=True):
            self.scopes[-1][each] = Typed(self._across(each, self.code.get(total[0])), each.dtype, False)

    def _run(
        self, variables: Sequence[Variable], group: Sequence[Term], body: Callable[[], None],
        more: set[Variable] | None = None,
    ) -> None:  # fmt: skip
        roots = [each.args[0] for each in group]
        if not variables:
            body()
            return
        self._hoist(roots, set(variables) | (more or set()))
        first, *rest = variables
        with self.code.loop(0, first.extent, name=first.name) as place:
            self._enter(first, place)
            self._run(rest, group, body, more)
            self._leave([first])

    def _total(self, fold: Term, width: int) -> tuple[ir.Value, ...]:
        """Return the places of a fold's running total; of a search, the place and whether it is found."""
        code = self.code
        if fold.kind == "first":
            found = code.splat(ir.Constant(ir.IntType(1), 0), width)
            start = self._converted(Typed(constant(0), np.dtype(np.int64), False), fold.dtype).value
            return code.variable(code.splat(start, width)), code.variable(found)
        start = self.value(terms.identity(fold.data[0], fold.dtype)).value
        return (code.variable(code.splat(start, width)),)

    def _take_all(self, group: Sequence[Term], totals: Sequence[tuple[ir.Value, ...]]) -> None:
        for fold, total in zip(group, totals, strict=True):
            item = self.value(fold.args[0])
            if fold.kind == "first":
                self._search(fold, total, item)
                continue
            value = item.value
            if self.mask is not None and not self._in_lanes(fold):
                start = self.value(terms.identity(fold.data[0], fold.dtype)).value
                value = self.code.builder.select(
                    self.mask, self.code.splat(value, self.width), self.code.splat(start, self.width)
                )
            running = Typed(self.code.get(total[0]), fold.dtype, False)
            taken = {"x": running, "y": Typed(value, fold.dtype, False)}
            made = evaluate(self.code, apply(fold.data[0], _X, _Y), taken, self.width)
            wide = isinstance(running.value.type, ir.VectorType)
            self.code.set(total[0], self.code.splat(made.value, self.width) if wide else made.value)

    def _search(self, fold: Term, total: tuple[ir.Value, ...], item: Typed) -> None:
        """Keep the first place where the item is true."""
        code, builder = self.code, self.code.builder
        place, found = code.get(total[0]), code.get(total[1])
        width = found.type.count if isinstance(found.type, ir.VectorType) else 1
        match = code.splat(item.value, width)
        now = Typed(self.places.plain(_counted(fold.data[1])), np.dtype(np.int64), False)
        here = code.splat(self._converted(now, fold.dtype).value, width)
        new = builder.and_(match, builder.not_(found))
        code.set(total[0], builder.select(new, here, place))
        code.set(total[1], builder.or_(found, match))

    def _across(self, fold: Term, vector: ir.Value) -> ir.Value:
        """Fold the lanes of a vector of totals, in halves."""
        code, width = self.code, self.width
        while width > 1:
            width //= 2
            halves = [
                code.builder.shuffle_vector(
                    vector,
                    ir.Constant(vector.type, ir.Undefined),
                    ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(start, start + width))),
                )
                for start in (0, width)
            ]
            pair = {n: Typed(h, fold.dtype, False) for n, h in zip("xy", halves, strict=True)}
            vector = evaluate(code, apply(fold.data[0], _X, _Y), pair, width).value
        return code.builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _lone(nest: Nest) -> bool:
    """Tell whether the only loop is the one in the lanes, so that it is what parts are cut from."""
    return nest.vector is not None and len(nest.variables) == 1


def _counted(variables: Sequence[Variable]) -> Index:
    """Return the place of an item of a fold, in the order of its loops."""
    return flat([loop(each) for each in variables], [each.extent for each in variables])


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
    "fold": Writer._fold,
    "first": Writer._fold,
}
