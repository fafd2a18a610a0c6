"""Lanes exchanged in registers: picked from two vectors, and whole squares turned over."""

from __future__ import annotations

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code


def transposed(code: Code, rows: list[ir.Value]) -> list[ir.Value]:
    """Return the columns of a square of vectors, a power of two on a side.

    For each bit of the place, the off-diagonal quarters of every 2 x 2 blocks are exchanged.
    """
    size, rows = len(rows), list(rows)
    bit = 1
    while bit < size:
        upper = [j if not j & bit else size + j - bit for j in range(size)]
        lower = [j + bit if not j & bit else size + j for j in range(size)]
        for i in (i for i in range(size) if not i & bit):
            a, b = rows[i], rows[i + bit]
            rows[i], rows[i + bit] = shuffled(code, a, b, upper), shuffled(code, a, b, lower)
        bit *= 2
    return rows


def shuffled(code: Code, a: ir.Value, b: ir.Value, picks: list[int]) -> ir.Value:
    """Return a vector of lanes picked from two, those of the second counted on from the first's."""
    mask = ir.Constant(ir.VectorType(ir.I32, len(picks)), picks)
    return code.builder.shuffle_vector(a, b, mask)
