"""Matrices in memory, and what is done with the finished numbers of a product.

A matrix is known by its sizes and strides alone; a finish takes vectors of neighbouring columns
of the product when their sums are complete. Neither knows how the product is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, constant
from chainrule.core.memory import LINE


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

    def offset(self, code: Code, batch: Any, row: Any, column: Any) -> ir.Value:
        """Return the offset of an element, in elements."""
        total = constant(0)
        for index, stride in ((batch, self.batch), (row, self.row), (column, self.column)):
            term = code.builder.mul(code.index(index), constant(stride), flags=("nsw",))
            total = code.builder.add(total, term, flags=("nsw",))
        return total


class Finish(Protocol):
    """What is done with finished numbers; `operands` pointers are given besides the product's out.

    A finish is a frozen dataclass: its `repr` is part of the kernel's.
    """

    @property
    def operands(self) -> int:
        """How many further pointers it takes."""
        ...

    def emit(
        self,
        code: Code,
        pointers: Sequence[ir.Value],
        value: ir.Value,
        *,
        batch: ir.Value,
        row: ir.Value,
        column: ir.Value,
        lanes: int,
        mask: ir.Value | None,
    ) -> None:
        """Write what happens to `value`: `lanes` neighbouring columns of a row (1: a plain number).

        `pointers` are out and the further operands; lanes that the mask leaves out (None: none)
        lie outside of the product and must not be read or written.
        """
        ...

    def expect(
        self,
        code: Code,
        pointers: Sequence[ir.Value],
        *,
        batch: ir.Value,
        row: ir.Value,
        column: ir.Value,
        columns: int,
    ) -> None:
        """Ask for the memory that some columns of a row will be written to."""
        ...


@dataclass(frozen=True)
class Store:
    """The finish of a plain product: its numbers are written to `out`."""

    out: Matrix
    dtype: str
    operands: int = 0

    def emit(
        self,
        code: Code,
        pointers: Sequence[ir.Value],
        value: ir.Value,
        *,
        batch: ir.Value,
        row: ir.Value,
        column: ir.Value,
        lanes: int,
        mask: ir.Value | None,
    ) -> None:
        """Write a vector where out's columns are neighbours, else number by number."""
        offset = self.out.offset(code, batch, row, column)
        if self.out.column == 1 or lanes == 1:
            code.store_masked(value, pointers[0], offset, self.dtype, mask)
            return
        valid = lanes if mask is None else sum(mask.constant)
        for lane in range(valid):
            item = code.builder.extract_element(value, ir.Constant(ir.I32, lane))
            place = code.builder.add(offset, constant(lane * self.out.column))
            code.store(item, pointers[0], place, self.dtype)

    def expect(
        self,
        code: Code,
        pointers: Sequence[ir.Value],
        *,
        batch: ir.Value,
        row: ir.Value,
        column: ir.Value,
        columns: int,
    ) -> None:
        """Ask for the lines; where columns lie apart they are too many."""
        if self.out.column == 1:
            start = code.at(pointers[0], self.out.offset(code, batch, row, column), self.dtype)
            for place in (*range(0, columns, LINE // np.dtype(self.dtype).itemsize), columns - 1):
                code.prefetch(start, place, self.dtype, to_write=True)
