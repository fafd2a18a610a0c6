"""The local gradient of a gate as an operator: a Jacobian that is applied, not written down.

A matrix product of modest size has a Jacobian of millions of numbers, nearly all of them zero. So it
is kept as the two things that are done with it: `g @ local` brings an upstream gradient back to the
input, `local @ v` pushes a small change of the input forward. When it is small, `dense()` shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.core.spec import Array, Shape
from chainrule.core.tensor import Tensor
from chainrule.core.transform import vjp
from chainrule.errors import ArgumentError, ShapeError

Pull = Callable[[Any], tuple[Tensor, ...]]


class Local:
    """d(output)/d(input) of the function `run` at the array `x`; it holds until values change.

    `shape` is the output's shape followed by the input's.
    """

    __array_ufunc__ = None  # so that `ndarray @ local` comes here

    def __init__(self, run: Callable[[Tensor], Tensor], x: Array, output: Shape, label: str = "") -> None:
        self.run, self.x, self.output, self.input = run, x, output, x.shape
        self.label = label
        self.shape: Shape = output + x.shape

    @cached_property
    def _pulled(self) -> tuple[Tensor, Pull]:
        return vjp(self.run, Tensor(self.x))

    def __rmatmul__(self, upstream: Any) -> Array:
        """Return upstream x local, in the input's shape; `upstream` has the output's shape."""
        return self._pulled[1](np.asarray(upstream))[0].data

    def __matmul__(self, change: Any) -> Array:
        """Return local x change, in the output's shape: what a small change of the input does.

        `upstream @ local` is linear, so its own gradient is its transpose: exact, with no step size.
        """
        value, pull = self._pulled
        change = np.asarray(change, self.x.dtype)
        if change.shape != self.input:
            raise ShapeError(f"local: a change of shape {change.shape} but the input has {self.input}")
        zeros = Tensor(np.zeros(value.shape, value.dtype))

        def transposed(g: Tensor) -> Tensor:
            return pull(g)[0]

        return vjp(transposed, zeros)[1](change)[0].data

    def dense(self, limit: int = 1_000_000) -> Array:
        """Return all the numbers, of shape `shape`; ArgumentError when there are more than `limit`."""
        rows, columns = math.prod(self.output), math.prod(self.input)
        if rows * columns > limit:
            raise ArgumentError(
                f"local: {rows} x {columns} numbers are more than the limit of {limit}",
                hint="apply it instead: g @ local, or local @ v",
            )
        if columns < rows:
            made = [(self @ unit).reshape(-1) for unit in _units(self.input, self.x.dtype)]
            return _stacked(made, (columns, rows), self.x.dtype).T.reshape(self.shape)
        made = [(unit @ self).reshape(-1) for unit in _units(self.output, self.x.dtype)]
        return _stacked(made, (rows, columns), self.x.dtype).reshape(self.shape)

    def __repr__(self) -> str:
        return f"<local gradient {self.label} {self.output} by {self.input}: g @ local, local @ v>"


def _units(shape: Shape, dtype: Any) -> list[Array]:
    """Return the arrays of `shape` that are 1 in one place and 0 elsewhere."""
    size = math.prod(shape)
    return list(np.eye(size, dtype=dtype).reshape(size, *shape))


def _stacked(rows: list[Array], shape: Shape, dtype: Any) -> Array:
    return np.stack(rows) if rows else np.zeros(shape, dtype)
