"""Formulas of what happens to one number: elementwise ops, and boxes made of nothing else.

The expression that the op was declared with is printed, and so are its partials. Names of the graph
or numbers take the place of its variables; arrays are written in where they are small.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from chainrule import scalar
from chainrule.core.families import Elementwise
from chainrule.core.spec import Array
from chainrule.inspect.explain.formulas.formula import Formula
from chainrule.inspect.explain.formulas.use import Place, Use, element
from chainrule.inspect.explain.style import Style
from chainrule.scalar.expr import Expr, substitute, walk

_LONG = 200  # characters; what is longer is no longer read
_MANY = 60  # functions in one expression
_DOUBLED = re.compile(r"\((\(-[^()\s]+\))\)")


class Scalars(Formula):
    """A formula given by an expression of `variables` and its partials, which may read `out`.

    There is a variable for each input; any more are for the constants `hidden` in a box, by name.
    """

    def __init__(
        self,
        use: Use,
        meaning: Expr,
        partials: Sequence[Expr],
        variables: Sequence[Expr],
        out: Expr,
        *,
        hidden: Mapping[str, Array] = MappingProxyType({}),
    ) -> None:
        super().__init__(use)
        self.meaning, self.partials = meaning, tuple(partials)
        self.variables, self.out = tuple(variables), out
        self.names, self.arrays = (*use.sources, *hidden), (*use.arrays, *hidden.values())

    @property
    def symbols(self) -> str:
        return f"{self.use.output} = {self._text(self.meaning, self.names, self.use.output)}"

    @property
    def tex(self) -> str:
        names, output = [_tex_name(name) for name in self.names], _tex_name(self.use.output)
        return f"{output} = {scalar.tex(self._substituted(self.meaning, names, output))}"

    def numbers(self, style: Style, place: Place) -> str:
        use = self.use
        if not use.value.size:
            return ""
        if style.fits(*self.arrays, use.value):
            return f"{self._filled(self.meaning, style)} = {style.array(use.value)}"
        value = style.number(use.value[place])
        return f"{self.of(place)}{self._filled(self.meaning, style, place)} = {value}"

    def slope(self, i: int) -> str:
        partial = self._text(self.partials[i], self.names, self.use.output)
        return f"d {self.use.output} / d {self.use.sources[i]} = {partial}"

    def slope_numbers(self, i: int, style: Style, place: Place) -> str:
        use = self.use
        if not use.value.size:
            return ""
        fits = style.fits(*self.arrays, use.value)
        return self._filled(self.partials[i], style, None if fits else place)

    def back(self, i: int) -> str:
        wide = self.use.arrays[i].shape != self.use.value.shape
        return "upstream x local" + (", summed over the axes that were broadcast" if wide else "")

    def _filled(self, expr: Expr, style: Style, place: Place | None = None) -> str:
        """Return `expr` with numbers for its variables: whole arrays, or the elements at one place."""

        def told(array: Array) -> str:
            number = None if place is None else style.number(element(array, place, self.use.value.shape))
            text = style.array(array) if number is None else number
            return f"({text})" if text.startswith("-") else text

        return self._text(expr, [told(array) for array in self.arrays], told(self.use.value))

    def _text(self, expr: Expr, inputs: Sequence[str], output: str) -> str:
        text = _DOUBLED.sub(r"\1", scalar.text(self._substituted(expr, inputs, output)))
        if _DOUBLED.fullmatch(f"({text})"):  # nothing but a negative number
            text = text[1:-1]
        return text if len(text) <= _LONG else f"{text[:_LONG]} ..."

    def _substituted(self, expr: Expr, inputs: Sequence[str], output: str) -> Expr:
        names = [scalar.variable(name) for name in (*inputs, output)]
        return substitute(expr, dict(zip((*self.variables, self.out), names, strict=True)))


def of_op(use: Use) -> Scalars:
    """Return the formula of one elementwise op, its float parameters written in."""
    op: Any = use.op
    variables, out = [scalar.variable(name) for name in op.inputs], scalar.variable(op.output)
    known = {scalar.variable(name): scalar.constant(use.params[name]) for name in op.floats}
    partials = [substitute(each, known) for each in op.partials(**use.params)]
    return Scalars(use, substitute(op.meaning(**use.params), known), partials, variables, out)


def of_box(use: Use) -> Scalars | None:
    """Return the formula of a box of elementwise ops, composed into one; None if it would be too long."""
    if not all(isinstance(step.op, Elementwise) for step in use.inside):
        return None
    made = {step.output for step in use.inside}
    given = {
        name: array
        for step in use.inside
        for name, array in zip(step.sources, step.arrays, strict=True)
        if name not in made and name not in use.sources
    }
    names = [*use.sources, *given]
    variables = [scalar.variable(f"input {i}") for i in range(len(names))]
    found = dict(zip(names, variables, strict=True))
    for step in use.inside:
        inner = of_op(step)
        taken = [found[name] for name in step.sources]
        found[step.output] = substitute(inner.meaning, dict(zip(inner.variables, taken, strict=True)))
    meaning, out = found[use.inside[-1].output], scalar.variable("output")
    partials = scalar.partials(meaning, variables[: len(use.sources)], out)
    if len(walk(meaning, *partials)) > _MANY:
        return None
    return Scalars(use, meaning, partials, variables, out, hidden=given)


def _tex_name(name: str) -> str:
    """Return `w0` as w_{0}, longer names upright."""
    short = re.fullmatch(r"([A-Za-z])(\d*)", name)
    if short:
        return f"{short[1]}_{{{short[2]}}}" if short[2] else short[1]
    number = re.fullmatch(r"-?[\d.]+(?:e-?\d+)?", name)
    return name if number else "\\mathrm{" + re.sub(r"([_%#&])", r"\\\1", name) + "}"
