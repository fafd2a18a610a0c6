"""Formulas of reductions, which fold numbers into one, and of movements, which only place them.

A fold is written out as a sum or a call, a movement by the indices of its map. What op it is does not
matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.families.movement import Index, IndexMap
from chainrule.core.spec import normalize_axes
from chainrule.inspect.explain.formulas.formula import Formula
from chainrule.inspect.explain.formulas.products import total
from chainrule.inspect.explain.formulas.use import Place
from chainrule.inspect.explain.style import Style, at

_LETTERS = "ijklmnpqrstuvw"
_ITEMS, _SIGNS = 6, {"add": " + ", "multiply": " * "}


class Folding(Formula):
    """The formula of a reduction."""

    def numbers(self, style: Style, place: Place) -> str:
        use, op = self.use, self._op
        if not use.value.size:
            return ""
        x = use.arrays[0]
        axes = normalize_axes(use.params["axis"], x.ndim, op.name)
        spots = iter(place)
        kept = use.params["keepdims"]
        index: list[Any] = []
        for axis in range(x.ndim):
            spot = 0 if axis in axes and not kept else next(spots)
            index.append(slice(None) if axis in axes else spot)
        numbers = x[tuple(index)].ravel()
        items = [style.number(each) for each in (numbers if numbers.size <= _ITEMS else numbers[:4])]
        sign = _SIGNS.get(op.monoid)
        folded = total(items, numbers.size, sign or ", ")
        folded = (folded or "nothing") if sign else f"{op.name}({folded})"
        return f"{self.of(place)}{folded} = {style.number(use.value[place])}"

    def slope(self, i: int) -> str:
        return f"d {self.use.output} / d {self.use.sources[0]} = 1" if self._adds else ""

    def back(self, i: int) -> str:
        return "upstream to every number that was added" if self._adds else "upstream @ local"

    @property
    def _op(self) -> Any:
        return self.use.op

    @property
    def _adds(self) -> bool:
        return self._op.monoid == "add"


class Moving(Formula):
    """The formula of a movement: where each number comes from."""

    @property
    def symbols(self) -> str:
        op: Any = self.use.op
        inner = f"{self.use.output} = {self.use.call}"
        if not hasattr(op, "map"):  # the transpose of a movement has none of its own
            return inner
        found: IndexMap = op.map(self.use.arrays[0].shape, **self.use.params)
        if found.indices is None:
            return f"{inner}: the same numbers, in the same order"
        letters = _letters(len(found.shape))
        own = f"[{','.join(letters)}]" if letters else ""
        source = ",".join(_affine(index, letters) for index in found.indices)
        return f"{inner}: {self.use.output}{own} = {self.use.sources[0]}[{source}]"

    def numbers(self, style: Style, place: Place) -> str:
        op: Any = self.use.op
        if not hasattr(op, "map") or not self.use.value.size:
            return ""
        value = style.number(self.use.value[place])
        source = _source(op.map(self.use.arrays[0].shape, **self.use.params), place)
        taken = f"{self.use.sources[0]}{at(source)}" if source is not None else "the fill"
        return f"{self.of(place)}{taken} = {value}"

    def slope(self, i: int) -> str:
        return f"d {self.use.output} / d {self.use.sources[0]} = 1 where a number went, else 0"

    def back(self, i: int) -> str:
        return "upstream goes back to where each number came from; those that meet add up"


def _letters(count: int) -> list[str]:
    return list(_LETTERS[:count]) if count <= len(_LETTERS) else [f"i{k}" for k in range(count)]


def _affine(index: Index, letters: list[str]) -> str:
    """Write an affine index: '2*i + k - 1'."""
    terms = [letters[axis] if step == 1 else f"{step}*{letters[axis]}" for axis, step in index.steps if step]
    if index.start or not terms:
        terms.append(str(index.start))
    return " + ".join(terms).replace("+ -", "- ")


def _source(found: IndexMap, place: Place) -> Place | None:
    """Return where the number at `place` was taken from; None if beyond the source."""
    if found.indices is None:
        flat = np.ravel_multi_index(place, found.shape) if place else 0
        return tuple(int(each) for each in np.unravel_index(flat, found.source)) if found.source else ()
    spots = tuple(
        index.start + sum(step * place[axis] for axis, step in index.steps) for index in found.indices
    )
    inside = all(0 <= spot < size for spot, size in zip(spots, found.source, strict=True))
    return spots if inside else None
