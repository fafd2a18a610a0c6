"""Formulas of contractions: products summed over named axes.

The names of the axes that declare the op write the formula in both directions: the local gradient
by one input is the other input, and the gradient is a contraction with upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
        arrays, names = (*use.arrays, use.value), (op.axes.left, op.axes.right, op.axes.out)
        lead = [array.ndim > len(name) for array, name in zip(arrays, names, strict=True)]
        self.axes: Axes = replace(op.axes, dots=(lead[0], lead[1], lead[2]))

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
        terms = products(one, two, style, "*")
        return f"{self.of(place)}{terms} = {style.number(self.use.value[place])}"

    def slope(self, i: int) -> str:
        names, dots = (self.axes.left, self.axes.right), self.axes.dots
        own, other = (_indexed(self.use.sources[k], names[k], dots[k]) for k in (i, 1 - i))
        return f"d {_indexed(self.use.output, self.axes.out, dots[2])} / d {own} = {other}"

    def back(self, i: int) -> str:
        names = [self.use.sources[0], self.use.sources[1]]
        names[i] = "upstream"
        axes = self.axes.gradient(i)
        return _contraction(replace(axes, dots=(*axes.dots[:2], self.axes.dots[i])), ("downstream", *names))

    @property
    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.axes.left, self.axes.right


def _contraction(axes: Axes, names: Sequence[str]) -> str:
    """Write 'y[m,n] = sum over k of a[m,k] * b[k,n]'."""
    summed = [name for name in axes.left if name not in axes.out]
    summed += ["..."] if any(axes.dots) and not axes.dots[2] else []
    of = f"sum over {', '.join(summed)} of " if summed else ""
    dots = (axes.dots[2], *axes.dots[:2])
    each = zip(names, (axes.out, axes.left, axes.right), dots, strict=True)
    out, left, right = (_indexed(name, axis, dot) for name, axis, dot in each)
    return f"{out} = {of}{left} * {right}"


def _indexed(name: str, axes: Sequence[str], dots: bool) -> str:
    """Write 'w[o,i]', or 'x[...,i]' where other axes may lead."""
    return f"{name}[{','.join([*(['...'] if dots else []), *axes])}]"


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


def products(one: Array, two: Array, style: Style, sign: str) -> str:
    """Write a sum of products out; of a long one the largest terms, in order of size."""
    order = np.arange(one.size)
    if one.size > _TERMS + 2:
        with np.errstate(all="ignore"):
            order = np.argsort(-np.abs(one * two), kind="stable")[:_TERMS]
    terms = [f"{style.number(one[i])} {sign} {style.number(two[i])}" for i in order]
    return total(terms, one.size) if terms else "0"


def total(terms: Sequence[str], count: int, sign: str = " + ") -> str:
    """Join terms, and tell of how many they are where some are left out."""
    return sign.join([*terms, *([f"... ({count} terms)"] if len(terms) < count else [])])
