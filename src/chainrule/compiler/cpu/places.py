"""Places: indices as integers of LLVM, plain or one a lane.

It knows which value each loop variable has, and which variable fills the lanes at the moment. Equal
indices are computed again wherever they are asked for: LLVM finds what they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, Code, constant
from chainrule.compiler.nests.index import Atom, Index, Variable
from chainrule.compiler.nests.term import Term


class Places:
    """The values of the loop variables; `reads` gives the integer that a term holds."""

    def __init__(self, code: Code, reads: Callable[[Term], ir.Value]) -> None:
        self.code, self.reads = code, reads
        self.vector: Variable | None = None
        self.width = 1
        self._values: dict[Variable, ir.Value] = {}

    def set(self, of: Variable, value: ir.Value) -> None:
        """Give a loop variable its value; for the one in the lanes, that of the first lane."""
        self._values[of] = value

    def forget(self, variables: Iterable[Variable]) -> None:
        """Take loop variables back."""
        for each in variables:
            del self._values[each]

    def lanes(self, of: Variable | None, width: int) -> None:
        """Say which variable fills the lanes."""
        self.vector, self.width = of, width

    # ---- integers --------------------------------------------------------------------------------
    def plain(self, index: Index) -> ir.Value:
        """Return an index in the first lane."""
        return self._total(index, [self._atom(atom, lanes=False) for atom, _ in index.terms], 1)

    def wide(self, index: Index) -> ir.Value:
        """Return an index in every lane."""
        assert self.vector is not None
        step = index.step(self.vector)
        if step is None:
            found = [self._atom(atom, lanes=True) for atom, _ in index.terms]
            return self._total(index, found, self.width)
        counted = ir.Constant(ir.VectorType(INDEX, self.width), [step * i for i in range(self.width)])
        return self.code.builder.add(self.code.splat(self.plain(index), self.width), counted)

    def within(self, index: Index, low: int, high: int) -> ir.Value:
        """Return whether low <= index <= high, for every lane if it differs among them."""
        wide = self.vector is not None and self.vector in index.free
        step = index.step(self.vector) if wide and self.vector is not None else None
        bounds = [(">=", low)] if index.low < low else []
        bounds += [("<=", high)] if index.high > high else []
        builder = self.code.builder
        if step is None:
            value = self.wide(index) if wide else self.plain(index)
            checks = [builder.icmp_signed(sign, value, self._like(value, each)) for sign, each in bounds]
        else:
            checks = self._steps_within(index, step, bounds)
        return checks[0] if len(checks) == 1 else builder.and_(*checks)

    def _steps_within(self, index: Index, step: int, bounds: list[tuple[str, int]]) -> list[ir.Value]:
        """Compare the steps of the lanes with what is left to the bounds, in integers as wide as a lane."""
        builder = self.code.builder
        farthest = max(abs(each) for each in (index.low, index.high, *(b for _, b in bounds)))
        narrow = self.code.target.vector_bits <= 32 * self.width
        kind = ir.IntType(32 if narrow and 2 * farthest + abs(step) * self.width < 2**31 else 64)
        counted = ir.Constant(ir.VectorType(kind, self.width), [step * i for i in range(self.width)])
        first, checks = self.plain(index), list[ir.Value]()
        for sign, bound in bounds:
            left = builder.sub(constant(bound), first)
            left = builder.trunc(left, kind) if kind.width < 64 else left
            checks.append(builder.icmp_signed(sign, counted, self.code.splat(left, self.width)))
        return checks

    def below(self, count: ir.Value, width: int) -> ir.Value:
        """Return which lanes stand before `count`."""
        lanes = ir.Constant(ir.VectorType(INDEX, width), list(range(width)))
        return self.code.builder.icmp_signed("<", lanes, self.code.splat(count, width))

    def least(self, one: ir.Value, two: ir.Value) -> ir.Value:
        """Return the smaller of two integers."""
        return self.code.builder.select(self.code.builder.icmp_signed("<", one, two), one, two)

    def whole(self, start: ir.Value, stop: ir.Value, width: int) -> ir.Value:
        """Return the end of the complete vectors in a range."""
        builder = self.code.builder
        count = builder.sub(stop, start)
        return builder.add(start, builder.sub(count, builder.urem(count, constant(width))))

    # ---- how they are made -----------------------------------------------------------------------
    def _total(self, index: Index, atoms: list[ir.Value], width: int) -> ir.Value:
        builder = self.code.builder
        total: Any = None
        for (_, factor), atom in zip(index.terms, atoms, strict=True):
            value = self.code.splat(atom, width)
            value = value if factor == 1 else builder.mul(value, self._like(value, factor), flags=("nsw",))
            total = value if total is None else builder.add(total, value, flags=("nsw",))
        if total is None:
            return self.code.splat(constant(index.constant), width)
        return (
            builder.add(total, self._like(total, index.constant), flags=("nsw",)) if index.constant else total
        )

    def _atom(self, atom: Atom, lanes: bool) -> ir.Value:
        if atom.kind == "variable":
            value = self._values[atom]
            if lanes and atom is self.vector:
                counted = ir.Constant(ir.VectorType(INDEX, self.width), list(range(self.width)))
                return self.code.builder.add(self.code.splat(value, self.width), counted)
            return value
        if atom.kind == "dynamic":
            return self.reads(atom.of)
        wide = lanes and self.vector in atom.free
        value = self.wide(atom.of) if wide else self.plain(atom.of)
        return self._divided(atom, value)

    def _divided(self, atom: Atom, value: ir.Value) -> ir.Value:
        """Divide as floors do: what may be negative is moved up by a multiple first."""
        builder = self.code.builder
        up = max(0, -(atom.of.low // atom.by))
        if up:
            value = builder.add(value, self._like(value, up * atom.by))
        by = self._like(value, atom.by)
        if atom.kind == "mod":
            return builder.urem(value, by)
        made = builder.udiv(value, by)
        return builder.sub(made, self._like(made, up)) if up else made

    def _like(self, value: ir.Value, known: int) -> ir.Value:
        width = value.type.count if isinstance(value.type, ir.VectorType) else 1
        return self.code.splat(constant(known), width)
