"""Matrices in memory, and what is done with the finished numbers of a product.

A matrix is known by its sizes and strides alone; a finish takes vectors of neighbouring columns
of the product when their sums are complete. Neither knows how the product is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, constant
from chainrule.core.memory import LINE

WHOLE, APART = 1.8, 1.0  # cycles to access a vector of neighbours in memory, and each number of another


class Spot(NamedTuple):
    """A place in a batch of matrices."""

    batch: Any
    row: Any
    column: Any


@dataclass(frozen=True)
class Matrix:
    """Sizes and strides (in elements) of a matrix, or of a batch of matrices `batch` apart."""

    rows: int
    columns: int
    row: int
    column: int
    batch: int = 0

    @property
    def transposed(self) -> Matrix:
        """The same numbers, rows and columns exchanged."""
        return Matrix(self.columns, self.rows, self.column, self.row, self.batch)

    def offset(self, code: Code, at: Spot) -> ir.Value:
        """Return the offset of an element, in elements."""
        total = constant(0)
        for index, stride in zip(at, (self.batch, self.row, self.column), strict=True):
            term = code.builder.mul(code.index(index), constant(stride), flags=("nsw",))
            total = code.builder.add(total, term, flags=("nsw",))
        return total


class Finish(Protocol):
    """What is done with finished numbers. It is a frozen dataclass: its `repr` is part of the kernel's."""

    @property
    def flops(self) -> int:
        """Operations on all numbers together."""
        ...

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        ...

    def cycles(self, lanes: int) -> float:
        """Roughly what a vector of so many neighbours of a row takes."""
        ...

    def emit(
        self,
        code: Code,
        pointers: Sequence[ir.Value],
        value: ir.Value,
        at: Spot,
        *,
        lanes: int,
        mask: ir.Value | None,
    ) -> None:
        """Write what happens to `value`: `lanes` neighbours of a row (1: a plain number) from a spot on.

        `pointers` are those of the product's operands behind the two that are multiplied; lanes that the
        mask leaves out (None: none) lie outside of the product and must not be read or written.
        """
        ...

    def expect(self, code: Code, pointers: Sequence[ir.Value], at: Spot, columns: int) -> None:
        """Ask for the memory that the finish of some columns of a row will need."""
        ...


class Ahead(Protocol):
    """What is asked for meanwhile; it has so many operands."""

    operands: ClassVar[int]

    def ask(self, code: Code, operands: Sequence[ir.Value], turn: ir.Value, turns: int) -> None:
        """Write what is asked for at one of so many turns."""
        ...


@dataclass(frozen=True)
class Store:
    """The finish of a plain product: its numbers are written to `out`."""

    out: Matrix
    dtype: str
    batch: int = 1
    flops: ClassVar[int] = 0

    @property
    def bytes(self) -> int:
        """Those written."""
        return self.batch * self.out.rows * self.out.columns * np.dtype(self.dtype).itemsize

    def cycles(self, lanes: int) -> float:
        """One store, or one for each number."""
        return WHOLE if self.out.column == 1 else APART * lanes

    def emit(
        self,
        code: Code,
        pointers: Sequence[ir.Value],
        value: ir.Value,
        at: Spot,
        *,
        lanes: int,
        mask: ir.Value | None,
    ) -> None:
        """Write a vector where out's columns are neighbours, else number by number."""
        offset = self.out.offset(code, at)
        if self.out.column == 1 or lanes == 1:
            code.store_masked(value, pointers[0], offset, self.dtype, mask)
            return
        for lane in range(lanes if mask is None else sum(mask.constant)):
            item = code.builder.extract_element(value, ir.Constant(ir.I32, lane))
            place = code.builder.add(offset, constant(lane * self.out.column))
            code.store(item, pointers[0], place, self.dtype)

    def expect(self, code: Code, pointers: Sequence[ir.Value], at: Spot, columns: int) -> None:
        """Ask for the lines; where columns lie apart they are too many."""
        if self.out.column == 1:
            ask_for(code, pointers[0], self.out.offset(code, at), columns, self.dtype)


def ask_for(
    code: Code,
    pointer: ir.Value,
    first: ir.Value,
    columns: int,
    dtype: npt.DTypeLike,
    to_write: bool = True,
) -> None:
    """Ask for the lines of memory that hold so many neighbours."""
    start = code.at(pointer, first, dtype)
    for place in (*range(0, columns, LINE // np.dtype(dtype).itemsize), columns - 1):
        code.prefetch(start, place, dtype, to_write=to_write)
