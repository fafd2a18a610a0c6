"""Folding: sums, extremes and searches inside a nest.

Folds over the same variables run in the same loops. Where a variable of the nest fills the lanes, a
fold keeps a vector of totals, one for each lane; where none does, the fold fills the lanes itself
and adds up across them at the end, always in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import scalar
from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import constant
from chainrule.compiler.cpu.scalars import Typed, evaluate
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import flat
from chainrule.compiler.nests.index import Index, Variable, loop
from chainrule.compiler.nests.term import Term
from chainrule.scalar.expr import apply

_X, _Y = scalar.variable("x"), scalar.variable("y")


class Folding:
    """Writes the folds of one nest, whose writer knows the values of terms and where they are known."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def value(self, term: Term) -> Typed:
        """Compute a fold, and with it all others that can run in the same loops."""
        group = self._together(term)
        variables = [each for each in term.data[1] if each.extent > 1]
        own = self._own_lanes(group, variables)
        if own is not None:
            self._fold_in_lanes(group, [each for each in variables if each is not own], own)
        else:
            self._fold_in_loops(group, variables)
        return self.writer.scopes[-1][term]

    def _together(self, term: Term) -> list[Term]:
        group = [term]
        for each in self.writer.folds:
            alike = each.data[1] == term.data[1] and each.free <= self.writer.bound and each not in group
            if (
                not alike
                or self._in_lanes(each) != self._in_lanes(term)
                or any(each in s for s in self.writer.scopes)
            ):
                continue
            if self.writer.below[each].isdisjoint(group) and not any(
                each in self.writer.below[g] for g in group
            ):
                group.append(each)
        return group

    def _in_lanes(self, term: Term) -> bool:
        return self.writer.places.vector is not None and self.writer.places.vector in term.free

    def _own_lanes(self, group: Sequence[Term], variables: Sequence[Variable]) -> Variable | None:
        """Return the folded variable that fills the lanes, if they are free and its reads are neighbours."""
        if self.writer.places.vector is not None or any(each.kind == "first" for each in group):
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
        totals = [self._total(each, self.writer.width if self._in_lanes(each) else 1) for each in group]
        self._run(variables, group, lambda: self._take_all(group, totals))
        for each, total in zip(group, totals, strict=True):
            self.writer.scopes[-1][each] = Typed(self.writer.code.get(total[0]), each.dtype, False)

    def _fold_in_lanes(self, group: Sequence[Term], variables: Sequence[Variable], own: Variable) -> None:
        writer = self.writer
        totals = [self._total(each, writer.width) for each in group]

        def inner() -> None:
            writer.hoist([each.args[0] for each in group], {own})
            writer.vectors(own, own.extent, lambda: self._take_all(group, totals))

        self._run(variables, group, inner, {own})
        for each, total in zip(group, totals, strict=True):
            made = self._across(each, writer.code.get(total[0]))
            writer.scopes[-1][each] = Typed(made, each.dtype, False)

    def _run(
        self, variables: Sequence[Variable], group: Sequence[Term], body: Callable[[], None],
        more: Sequence[Variable] | set[Variable] = (),
    ) -> None:  # fmt: skip
        """Write loops round the body; `more` are variables that it runs through by itself."""
        writer = self.writer
        if not variables:
            body()
            return
        writer.hoist([each.args[0] for each in group], {*variables, *more})
        first, *rest = variables
        with writer.code.loop(0, first.extent, name=first.name) as place:
            writer.enter(first, place)
            self._run(rest, group, body, more)
            writer.leave([first])

    def _total(self, fold: Term, width: int) -> tuple[ir.Value, ...]:
        """Return the places of a fold's running total; of a search, the place and whether it is found."""
        code = self.writer.code
        if fold.kind == "first":
            found = code.splat(ir.Constant(ir.BIT, 0), width)
            start = self.writer.converted(Typed(constant(0), np.dtype(np.int64), False), fold.dtype).value
            return code.variable(code.splat(start, width)), code.variable(found)
        start = self.writer.value(terms.identity(fold.data[0], fold.dtype)).value
        return (code.variable(code.splat(start, width)),)

    def _take_all(self, group: Sequence[Term], totals: Sequence[tuple[ir.Value, ...]]) -> None:
        for fold, total in zip(group, totals, strict=True):
            item = self.writer.value(fold.args[0])
            if fold.kind == "first":
                self._search(fold, total, item)
                continue
            value = item.value
            running = Typed(self.writer.code.get(total[0]), fold.dtype, False)
            wide = isinstance(running.value.type, ir.VectorType)
            if self.writer.mask is not None and wide and not self._in_lanes(fold):  # in lanes of its own
                start = self.writer.value(terms.identity(fold.data[0], fold.dtype)).value
                value = self.writer.code.builder.select(
                    self.writer.mask,
                    self.writer.code.splat(value, self.writer.width),
                    self.writer.code.splat(start, self.writer.width),
                )
            taken = {"x": running, "y": Typed(value, fold.dtype, False)}
            made = evaluate(self.writer.code, apply(fold.data[0], _X, _Y), taken, self.writer.width)
            self.writer.code.set(
                total[0], self.writer.code.splat(made.value, self.writer.width) if wide else made.value
            )

    def _search(self, fold: Term, total: tuple[ir.Value, ...], item: Typed) -> None:
        """Keep the first place where the item is true."""
        code, builder = self.writer.code, self.writer.code.builder
        place, found = code.get(total[0]), code.get(total[1])
        width = found.type.count if isinstance(found.type, ir.VectorType) else 1
        match = code.splat(item.value, width)
        now = Typed(self.writer.places.plain(_counted(fold.data[1])), np.dtype(np.int64), False)
        here = code.splat(self.writer.converted(now, fold.dtype).value, width)
        new = builder.and_(match, builder.not_(found))
        code.set(total[0], builder.select(new, here, place))
        code.set(total[1], builder.or_(found, match))

    def _across(self, fold: Term, vector: ir.Value) -> ir.Value:
        """Fold the lanes of a vector of totals, in halves."""
        code, width = self.writer.code, self.writer.width
        while width > 1:
            width //= 2
            halves = [
                code.builder.shuffle_vector(
                    vector,
                    ir.Constant(vector.type, ir.UNDEFINED),
                    ir.Constant(ir.VectorType(ir.I32, width), list(range(start, start + width))),
                )
                for start in (0, width)
            ]
            pair = {n: Typed(h, fold.dtype, False) for n, h in zip("xy", halves, strict=True)}
            vector = evaluate(code, apply(fold.data[0], _X, _Y), pair, width).value
        return code.builder.extract_element(vector, ir.Constant(ir.I32, 0))


def _counted(variables: Sequence[Variable]) -> Index:
    """Return the place of an item of a fold, in the order of its loops."""
    return flat([loop(each) for each in variables], [each.extent for each in variables])
