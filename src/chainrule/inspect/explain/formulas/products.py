"""Formulas of contractions: products summed over named axes.

The names of the axes that declare the op write the formula in both directions: the local gradient
by one input is the other input, and the gradient is a contraction with upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core.families.contraction import Axes
from chainrule.core.spec import Array
from chainrule.inspect.explain.formulas.formula import Formula
from chainrule.inspect.explain.formulas.use import Place, Use
from chainrule.inspect.explain.style import Style

_TERMS = 4


class Products(Formula):
    """The formula of a contraction."""

    def __init__(self, use: Use) -> None:
        super().__init__(use)
        op: Any = use.op
        self.axes: Axes = op.axes

    @property
    def symbols(self) -> str:
        return _contraction(self.axes, (self.use.output, *self.use.sources))

    def numbers(self, style: Style, place: Place) -> str:
        if not self.use.value.size:
            return ""
        one, two = (
            _line(array, names, self.axes, place).ravel()
            for array, names in zip(self.use.arrays, self._names, strict=True)
        )
        terms = [f"{style.number(a)} * {style.number(b)}" for a, b in zip(one, two, strict=True)]
        return f"{self.of(place)}{total(terms)} = {style.number(self.use.value[place])}"

    def slope(self, i: int) -> str:
        other = f"{self.use.sources[1 - i]}[{','.join(self._names[1 - i])}]"
        own = f"{self.use.sources[i]}[{','.join(self._names[i])}]"
        return f"d {self.use.output}[{','.join(self.axes.out)}] / d {own} = {other}"

    def back(self, i: int) -> str:
        names = [self.use.sources[0], self.use.sources[1]]
        names[i] = "upstream"
        return _contraction(self.axes.gradient(i), ("downstream", *names))

    @property
    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.axes.left, self.axes.right


def _contraction(axes: Axes, names: Sequence[str]) -> str:
    """Write 'y[m,n] = sum over k of a[m,k] * b[k,n]'."""
    summed = [name for name in axes.left if name not in axes.out]
    of = f"sum over {', '.join(summed)} of " if summed else ""
    out, left, right = (
        f"{name}[{','.join(each)}]"
        for name, each in zip(names, (axes.out, axes.left, axes.right), strict=True)
    )
    return f"{out} = {of}{left} * {right}"


def _line(array: Array, names: Sequence[str], axes: Axes, place: Place) -> Array:
    """Return the numbers of one input that meet in the result at `place`, summed axes in their order."""
    lead = place[: len(place) - len(axes.out)]
    where = dict(zip(axes.out, place[len(lead) :], strict=True))
    own = array.ndim - len(names)
    leading = [0 if array.shape[k] == 1 else lead[len(lead) - own + k] for k in range(own)]
    part = array[(*leading, *(where.get(name, slice(None)) for name in names))]
    left = [name for name in names if name not in where]
    summed = [name for name in axes.left if name not in axes.out]
    return np.transpose(part, [left.index(name) for name in summed])


def total(terms: Sequence[str], sign: str = " + ") -> str:
    """Join terms, the middle of many left out: 'a + b + ... (20 terms)'."""
    if len(terms) <= _TERMS + 2:
        return sign.join(terms)
    return sign.join([*terms[:_TERMS], f"... ({len(terms)} terms)"])
