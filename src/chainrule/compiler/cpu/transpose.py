"""Lanes exchanged in registers: picked from two vectors, and whole squares turned over.

Processors exchange lanes within 128 bits of a register at once, and blocks of 128 bits as wholes; a
square is turned over in these two steps. Where its rows come from and go to is not known here.
"""

from __future__ import annotations

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code

_BLOCK = 128  # bits of a register within which processors exchange lanes of two vectors at once
_BITS = {"float": 32, "double": 64}


def transposed(code: Code, rows: list[ir.Value]) -> list[ir.Value]:
    """Return the columns of a square of vectors, a power of two on a side.

    Every exchange is one instruction of its own: first pairs of runs within blocks, then whole blocks.
    """
    size, rows = len(rows), list(rows)
    element = rows[0].type.element.text
    block = min(size, _BLOCK // (_BITS.get(element) or int(element[1:])))
    step = 1
    while step < size:
        first, second = _interleaved(size, block, step) if step < block else _parted(size, block)
        for i in (i for i in range(size) if not i & step):
            a, b = rows[i], rows[i + step]
            rows[i], rows[i + step] = shuffled(code, a, b, first), shuffled(code, a, b, second)
        step *= 2
    bits = block.bit_length() - 1  # interleaving leaves the columns of a block in reversed order of bits
    return [rows[column - column % block + _reversed(column % block, bits)] for column in range(size)]


def _interleaved(size: int, block: int, run: int) -> tuple[list[int], list[int]]:
    """Return the picks that interleave runs of two vectors' blocks: of the first halves, of the second."""
    halves = [range(half, half + block // 2, run) for half in (0, block // 2)]
    first, second = (
        [start + at + side + i for start in range(0, size, block) for at in half
         for side in (0, size) for i in range(run)]
        for half in halves
    )  # fmt: skip
    return first, second


def _parted(size: int, block: int) -> tuple[list[int], list[int]]:
    """Return the picks that take every other block of two vectors: the even ones, the odd ones."""
    even, odd = (
        [
            side + start + i
            for side in (0, size)
            for start in range(parity, size, 2 * block)
            for i in range(block)
        ]
        for parity in (0, block)
    )
    return even, odd


def _reversed(number: int, bits: int) -> int:
    return int(f"{number:0{bits}b}"[::-1], 2) if bits else 0


def shuffled(code: Code, a: ir.Value, b: ir.Value, picks: list[int]) -> ir.Value:
    """Return a vector of lanes picked from two, those of the second counted on from the first's."""
    mask = ir.Constant(ir.VectorType(ir.I32, len(picks)), picks)
    return code.builder.shuffle_vector(a, b, mask)
