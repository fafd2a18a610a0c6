"""Fixed: small arrays that go into native code or come out of it, at places that never change.

To copy them is quicker than to look up where a new array lies. What is in them is not known here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, MutableSequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from chainrule.compiler.addresses import address
from chainrule.core.memory import LINE, zeros
from chainrule.core.spec import Array, Shape, Spec

_SMALL = 4096  # bytes
Table: TypeAlias = MutableSequence[Any]


class Form(NamedTuple):
    """How an array lies in memory; `at` is where it begins, in bytes."""

    shape: Shape
    dtype: np.dtype[Any]
    at: int

    def on(self, memory: Array) -> Array:
        """Return the array."""
        return np.ndarray(self.shape, self.dtype, memory, self.at)


class Fixed:
    """Memory for arrays of these specs; their addresses go into the table, where the keys say."""

    def __init__(self, specs: Mapping[int, Spec], table: Table) -> None:
        rooms = [-(-_bytes(spec) // LINE) * LINE for spec in specs.values()]
        *offsets, size = itertools.accumulate(rooms, initial=0)
        self.memory = zeros((max(size, 1),), np.uint8)
        self.forms: dict[int, Form] = {}
        for (place, spec), at in zip(specs.items(), offsets, strict=True):
            self.forms[place] = Form(spec.shape, spec.dtype, at)
            table[place] = address(self.memory) + at

    def views(self) -> dict[int, Array]:
        """Return the arrays themselves."""
        return {place: form.on(self.memory) for place, form in self.forms.items()}


def is_small(spec: Spec) -> bool:
    """Tell whether an array is better copied."""
    return _bytes(spec) <= _SMALL


def _bytes(spec: Spec) -> int:
    return math.prod(spec.shape) * spec.dtype.itemsize
