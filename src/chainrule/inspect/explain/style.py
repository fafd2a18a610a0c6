"""How numbers are written on a card: so many digits, small arrays in full, large ones summed up.

The lecture's slides write two digits after the point; by default a card writes four that count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.spec import Array

PENDING = "not yet computed"


@dataclass(frozen=True)
class Style:
    """`digits` after the point (None: four significant ones); arrays up to `limit` numbers in full."""

    digits: int | None = None
    limit: int = 12

    def number(self, value: Any) -> str:
        """Return one number; never a negative zero."""
        if not isinstance(value, float | np.floating):
            return str(value)
        value = float(value)
        if not math.isfinite(value):
            return str(value)
        text = f"{value:.4g}" if self.digits is None else f"{value:.{self.digits}f}"
        return text.lstrip("-") if float(text) == 0 else text

    def array(self, array: Array | None, limit: int | None = None) -> str:
        """Return all the numbers of a small array, else its shape, dtype and range.

        >>> Style(digits=2).array(np.array([0.1966, -0.001]))
        '[0.20, 0.00]'
        """
        if array is None:
            return PENDING
        if array.size > (self.limit if limit is None else limit):
            return f"{array.shape} {array.dtype}, {self._range(array)}"
        return self.written(array)

    def brief(self, array: Array | None) -> str:
        """Return what fits into a column: at most four numbers, else shape and range."""
        if array is None or array.size <= 4:
            return self.array(array)
        return f"{array.shape} {self._range(array)}"

    def written(self, array: Array) -> str:
        """Return all the numbers, as nested lists."""
        return self._nested(array.tolist() if array.dtype.kind != "f" else array)

    def _nested(self, values: Any) -> str:
        if np.ndim(values) == 0:
            return self.number(values[()] if isinstance(values, np.ndarray) else values)
        return f"[{', '.join(self._nested(each) for each in values)}]"

    def _range(self, array: Array) -> str:
        finite = array[np.isfinite(array)]
        if not finite.size:
            return "no finite number"
        told = f"{self.number(finite.min())} to {self.number(finite.max())}"
        lost = array.size - finite.size
        return told + (f", {lost} not finite" if lost else "")

    def fits(self, *arrays: Array) -> bool:
        """Tell whether a formula with these arrays written into it can still be read."""
        return all(array.size <= 6 for array in arrays)


def at(place: tuple[int, ...]) -> str:
    """Return an index as it is written behind a name: '[0, 3]', or '' for a single number."""
    return f"[{', '.join(map(str, place))}]" if place else ""
