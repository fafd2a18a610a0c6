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
from typing import ClassVar

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, constant
from chainrule.compiler.cpu.evaluation import Evaluation
from chainrule.compiler.cpu.folding import Folding
from chainrule.compiler.cpu.scalars import Typed
from chainrule.compiler.cpu.squares import Squared, scratch_bytes
from chainrule.compiler.cpu.target import Target
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.index import Variable
from chainrule.compiler.nests.nest import Nest, Store
from chainrule.compiler.nests.squares import SIDE
from chainrule.compiler.nests.term import Term

_ENOUGH = 16  # parts that the outer loops are cut into, where they can be
_CHUNK = 4096  # items in one part of the loop in the lanes, where that is the outermost
_EVEN = 64  # vectors of every width fill so many items


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
        return math.prod(_pieces(self.nest, each) for each in self._cut())

    @property
    def scratch(self) -> int:
        """Bytes of working space."""
        return scratch_bytes(self.nest.squares)

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
            if each in self.nest.serial or math.prod(_pieces(self.nest, v) for v in cut) >= _ENOUGH:
                break
            cut += [each] if each is not self.nest.vector else []
        return cut


class Writer(Evaluation):
    """Writes one nest."""

    def __init__(self, nest: Nest, cut: list[Variable], function: ir.Function, target: Target) -> None:
        found = nest.terms
        sizes = [s.buffer.dtype.itemsize for s in nest.stores]
        sizes += [t.dtype.itemsize for t in found if t.dtype.kind == "f" and not t.weak]
        width = target.lanes(np.dtype(f"u{min(max(4, *sizes), 8)}"))
        *pointers, scratch, self.low, self.high = function.args
        super().__init__(Code(function, target), nest.buffers, pointers, width)
        self.nest, self.cut = nest, cut
        self.folding = Folding(self)
        self.folds = [each for each in found if each.kind in ("fold", "first")]
        self.below = {each: set(terms.walk([each])) - {each} for each in self.folds}
        self.squared = None if nest.squares is None else Squared(self, nest.squares, scratch)

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
            self.stretch(first, start, stop, lambda: self._each(rest, roots))
        else:
            with self.code.loop(self.low, self.high, name="part") as part:
                bound = self._bind_cut(part)
                self.scopes.append({})
                self._each([each for each in self.nest.variables if each not in bound], roots)
                self.leave(bound)
        self.code.finish()

    def _bind_cut(self, part: ir.Value) -> list[Variable]:
        """Take the number of a part apart into the outer loops' variables; return those."""
        builder, bound = self.code.builder, list[Variable]()
        for each in reversed(self.cut):
            count = constant(_pieces(self.nest, each))
            piece = part if each is self.cut[0] else builder.urem(part, count)
            part = builder.udiv(part, count)
            if self.squared is not None and each is self.squared.along:
                self.squared.take(piece)
            else:
                self.places.set(each, piece)
                bound.append(each)
        self.bound.update(bound)
        return bound

    def _each(self, variables: Sequence[Variable], roots: Sequence[Term]) -> None:
        """Write loops over the variables round the stores, with all before a loop that it does not change."""
        self.hoist(roots, set(variables))
        if not variables:
            self.store_all(self.nest.stores)
            return
        if self.squared is not None and self.squared.has_all(variables):
            self.squared.write()
            return
        first, *rest = variables
        if first is self.nest.vector:
            self.vectors(first, first.extent, lambda: self._each(rest, roots))
            return
        with self.code.loop(0, first.extent, name=first.name) as place:
            self.enter(first, place)
            self._each(rest, roots)
            self.leave([first])

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
    def stretch(self, of: Variable, start: ir.Value, stop: ir.Value, body: Callable[[], None]) -> None:
        """Write the body for every vector of a stretch of a variable, the last one masked."""
        whole = self.places.whole(start, stop, self.width)
        with self.code.loop(start, whole, self.width, of.name) as place:
            self.vector_at(of, place, None, body)
        with self.code.only_if(self.code.builder.icmp_signed("<", whole, stop)):
            self.vector_at(of, whole, self.code.builder.sub(stop, whole), body)

    def vectors(self, of: Variable, extent: int, body: Callable[[], None]) -> None:
        """Write the body for vector after vector of a variable, the last one masked."""
        whole = extent // self.width * self.width
        if whole == self.width:
            self.vector_at(of, constant(0), None, body)
        elif whole:
            with self.code.loop(0, whole, self.width, of.name) as place:
                self.vector_at(of, place, None, body)
        if extent > whole:
            self.vector_at(of, constant(whole), constant(extent - whole), body)

    def vector_at(
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

    # ---- numbers that are no neighbours ----------------------------------------------------------
    def gather(self, term: Term) -> ir.Value:
        """Read a vector's numbers, from a square if they are in one."""
        by_square = self.squared is not None and self.squared.has(term)
        return self.squared.read(term) if by_square else super().gather(term)

    def scatter(self, store: Store, value: ir.Value) -> None:
        """Write a vector's numbers, into a square if they belong in one."""
        if self.squared is not None and self.squared.has(store):
            self.squared.put(store, value)
        else:
            super().scatter(store, value)

    def _folded(self, term: Term) -> Typed:
        return self.folding.value(term)

    kinds: ClassVar = {**Evaluation.kinds, "fold": _folded, "first": _folded}


def _chunk(nest: Nest) -> int:
    """Return how many items of the loop in the lanes a part has; 0 where others are the outermost."""
    if nest.vector is None or nest.vector is not nest.variables[0] or nest.squares is not None:
        return 0
    inside = math.prod(each.extent for each in nest.variables[1:])
    return max(1, _CHUNK // _EVEN // inside) * _EVEN


def _pieces(nest: Nest, of: Variable) -> int:
    """Return into how many pieces a loop can be cut: steps, or rows of squares."""
    rows = nest.squares is not None and of is nest.squares.along
    return -(-of.extent // SIDE) if rows else of.extent


def _harmless(term: Term) -> bool:
    """Tell whether a term may be computed where nobody may need it: all that it reads is there."""
    return all(
        0 <= each.data[1].low and each.data[1].high < each.data[0].count
        for each in terms.walk([term])
        if each.kind == "load"
    )
