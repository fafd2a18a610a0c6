"""Buffer: a value that has a place in memory, and where in it each element lies.

Two layouts: plain (C order), and lanes, where axis 0 is cut into blocks whose items lie side by
side, `[ceil(n / lanes), ..., lanes]`. Spare lanes of the last block hold zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from chainrule.compiler.nests.index import Index, number
from chainrule.core.spec import Array, Shape


@dataclass(eq=False)
class Buffer:
    """`role`: argument, captured, constant, result, setting, stream, flag, last or inner (in the arena)."""

    name: str
    shape: Shape
    dtype: np.dtype
    role: str
    place: int = 0  # which argument, captured value, constant, result, ...
    lanes: int = 0  # 0: plain
    array: Array | None = field(default=None, repr=False)
    within: tuple[int, int] | None = None  # the least and the largest integer it may hold, if known

    @property
    def count(self) -> int:
        """The number of elements, spare ones included."""
        if not self.lanes:
            return math.prod(self.shape)
        return -(-self.shape[0] // self.lanes) * self.lanes * math.prod(self.shape[1:])

    @property
    def bytes(self) -> int:
        """The size in memory."""
        return self.count * self.dtype.itemsize

    @cached_property
    def progression(self) -> tuple[int, int] | None:
        """The first item and the difference between neighbours, where known integers grow evenly."""
        return None if self.array is None else progression(self.array)

    def address(self, indices: Sequence[Index]) -> Index:
        """Return where the element at `indices` lies, counted in elements."""
        if not self.lanes:
            return flat(indices, self.shape)
        first, inside = indices[0] // self.lanes, indices[0] % self.lanes
        rest = flat((first, *indices[1:]), (0, *self.shape[1:]))
        return rest * self.lanes + inside


def progression(array: Array) -> tuple[int, int] | None:
    """Return the first item and the difference between neighbours, where integers grow evenly."""
    if array.dtype.kind not in "iu" or array.dtype == np.uint64 or not array.size:
        return None
    items = array.reshape(-1).astype(np.int64)
    step = int(items[1] - items[0]) if items.size > 1 else 0
    return (int(items[0]), step) if (np.diff(items) == step).all() else None


def flat(indices: Sequence[Index], shape: Shape) -> Index:
    """Return the place in C order of the element at `indices`."""
    total, step = number(0), 1
    for index, size in zip(reversed(indices), reversed(shape), strict=True):
        total = total + index * step
        step *= size
    return total


def unflat(place: Index, shape: Shape) -> tuple[Index, ...]:
    """Return the indices of the element at a place in C order."""
    found: list[Index] = []
    step = 1
    for axis in range(len(shape) - 1, -1, -1):
        index = place // step if step > 1 else place
        found.append(index % shape[axis] if axis and shape[axis] else index)
        step *= max(shape[axis], 1)
    return tuple(reversed(found))
