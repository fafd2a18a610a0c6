"""Transform: small constant matrices times vectors in registers, with what rows share computed once.

Points come in pairs +-p. So rows of a matrix come in pairs that differ in signs only, where the
common part and the one whose sign changes are computed once; and so do columns, where sum and
difference of two vectors are taken before.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.winograd.matrices import Matrix

Row = Sequence[Fraction]
Grid = list[list[Any]]


def both_ways(code: Code, down: Matrix, across: Matrix, grid: Grid) -> Grid:
    """Return down * grid * across' for a grid of vectors."""
    rows = [times(code, across, row) for row in grid]
    columns = [times(code, down, column) for column in zip(*rows, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def times(code: Code, matrix: Sequence[Row], vectors: Sequence[Any]) -> list[Any]:
    """Return matrix * vectors: one vector a row."""
    rows, columns = _paired_columns(code, [list(row) for row in matrix], list(vectors))
    made: list[Any] = []
    while len(made) < len(rows):
        pair = rows[len(made) : len(made) + 2]
        if len(pair) == 2 and _opposite(*pair):
            made += _pair(code, *pair, columns)
        else:
            made.append(_sum(code, pair[0], columns))
    return made


def _paired_columns(code: Code, rows: list[list[Fraction]], vectors: list[Any]) -> tuple[Any, list[Any]]:
    """Take sums and differences of neighbours whose coefficients differ in signs only."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    for j in range(len(turned) - 1):
        if _opposite(turned[j], turned[j + 1]):
            a, b = vectors[j], vectors[j + 1]
            vectors[j], vectors[j + 1] = code.builder.fadd(a, b), code.builder.fsub(a, b)
            same = [x == y for x, y in zip(turned[j], turned[j + 1], strict=True)]
            kept = turned[j]
            turned[j] = [x if here else Fraction(0) for x, here in zip(kept, same, strict=True)]
            turned[j + 1] = [Fraction(0) if here else x for x, here in zip(kept, same, strict=True)]
    return [list(row) for row in zip(*turned, strict=True)], vectors


def _opposite(one: Row, other: Row) -> bool:
    """Tell whether two rows differ in signs only, in some of them but not in all."""
    alike = all(abs(a) == abs(b) for a, b in zip(one, other, strict=True))
    return alike and {a == b for a, b in zip(one, other, strict=True) if a} == {True, False}


def _pair(code: Code, one: Row, other: Row, vectors: Sequence[Any]) -> list[Any]:
    """Return the sums of two rows that differ in signs only."""
    same = [a if a == b else Fraction(0) for a, b in zip(one, other, strict=True)]
    changed = [a if a != b else Fraction(0) for a, b in zip(one, other, strict=True)]
    scale = next(each for each in reversed(changed) if each)
    common = _sum(code, same, vectors)
    moved = _sum(code, [each / scale for each in changed], vectors)
    return [_added(code, common, sign * scale, moved) for sign in (1, -1)]


def _sum(code: Code, row: Row, vectors: Sequence[Any]) -> Any:
    """Return the sum of the vectors times the coefficients of a row."""
    terms = [(factor, vector) for factor, vector in zip(row, vectors, strict=True) if factor]
    plain = next((place for place, (factor, _) in enumerate(terms) if factor == 1), 0)
    factor, total = terms.pop(plain)
    if factor != 1:
        total = code.builder.fmul(total, _constant(factor, total.type))
    for factor, vector in terms:
        total = _added(code, total, factor, vector)
    return total


def _added(code: Code, total: Any, factor: Fraction, vector: Any) -> Any:
    if abs(factor) == 1:
        return (code.builder.fadd if factor > 0 else code.builder.fsub)(total, vector)
    return code.call("llvm.fmuladd", [vector, _constant(factor, vector.type), total])


@lru_cache(maxsize=256)
def _constant(value: Fraction, kind: ir.Type) -> ir.Constant:
    """Return a number in all lanes; always the same object, as its text is costly."""
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [float(value)] * kind.count)
    return ir.Constant(kind, float(value))
