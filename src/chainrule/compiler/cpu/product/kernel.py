"""The product of two matrices, or of two batches of them, as a kernel.

It holds what is computed and how its work may be cut; how the code looks is decided by `plan` for
the processor at hand. It knows nothing of tensors, axes or ops.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.product.driver import Driver
from chainrule.compiler.cpu.product.matrix import Ahead, Finish, Matrix, Store
from chainrule.compiler.cpu.product.plan import Work, scratch_bytes
from chainrule.compiler.cpu.target import Target
from chainrule.errors import ShapeError

_ALONE = 1 << 17  # multiplications (2 microseconds) below which cutting the work is no gain
_PIECES = 240  # divisible by every number of threads up to 6


@dataclass(frozen=True)
class Product:
    """c[b, m, n] = sum over k of left[b, m, k] * right[b, k, n], stored in out or given to `finish`.

    Operands: left, right, then out, or those of `finish`. Every sum is added in an order that depends
    on the sizes, strides and processor alone. Raises ShapeError where the sizes do not agree.
    """

    batch: int
    left: Matrix
    right: Matrix
    out: Matrix
    dtype: str
    finish: Finish | None = None

    def __post_init__(self) -> None:
        want = (self.left.rows, self.right.columns)
        if self.left.columns != self.right.rows or (self.out.rows, self.out.columns) != want:
            sizes = [f"({each.rows}, {each.columns})" for each in (self.left, self.right, self.out)]
            raise ShapeError(
                f"product: {sizes[0]} times {sizes[1]} into {sizes[2]}", signature="m k, k n -> m n"
            )

    name = "product"

    @property
    def parts(self) -> int:
        """1 for small products; else more than there are threads, to be cut evenly."""
        return 1 if self._multiplications <= _ALONE else _PIECES

    @property
    def scratch(self) -> int:
        """Bytes for packed operands."""
        return scratch_bytes(self._work)

    @property
    def flops(self) -> int:
        """Two for each multiplication, and those of the finish."""
        return 2 * self._multiplications + self._work.finish.flops

    @property
    def bytes(self) -> int:
        """Each operand once."""
        given = (self.left, self.right)
        items = sum((self.batch if each.batch else 1) * each.rows * each.columns for each in given)
        return items * np.dtype(self.dtype).itemsize + self._work.finish.bytes

    @property
    def _multiplications(self) -> int:
        return self.batch * self.left.rows * self.left.columns * self.right.columns

    def emit(self, function: ir.Function, target: Target, ahead: Ahead | None = None) -> None:
        """Fill `void f(ptr left, ptr right, ptr others..., ptr scratch, i64 lo, i64 hi)`.

        The last of the others are those of `ahead`, for what is asked for meanwhile.
        """
        for pointer in function.args[:-2]:
            pointer.noalias = True
        Driver(self._work, self.parts, function, target, ahead).write()

    @cached_property
    def _work(self) -> Work:
        """The product, or its transpose where that stores neighbours."""
        left, right, out = self.left, self.right, self.out
        exchanged = self.finish is None and out.row == 1 and (out.column != 1 or out.columns == 1)
        if exchanged:
            left, right, out = right.transposed, left.transposed, out.transposed
        finish = self.finish or Store(out, self.dtype, self.batch)
        return Work(self.batch, left, right, self.dtype, finish, exchanged)
