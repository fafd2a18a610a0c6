"""Contractions: products summed over named axes, such as "n i, o i -> n o".

The names are the whole meaning: they bind sizes, word the errors, give the gradients (swap the
output's names with an input's) and tell how to bring the work into matrix products. A leading `...`
stands for axes that broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.op import Op, declare
from chainrule.core.registry import named
from chainrule.core.sample import Sample, Wrong
from chainrule.core.spec import Array, Shape, Spec, broadcast
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, ShapeError

_DOTS = "..."


@dataclass(frozen=True)
class Axes:
    """The parsed names of two inputs and an output; `dots` tells which begin with `...`."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    out: tuple[str, ...]
    dots: tuple[bool, bool, bool]

    def __str__(self) -> str:
        parts = [
            " ".join([_DOTS] * dots + list(names))
            for names, dots in zip((self.left, self.right, self.out), self.dots, strict=True)
        ]
        return f"{parts[0]}, {parts[1]} -> {parts[2]}"

    def gradient(self, index: int, lead: int = 0) -> Axes:
        """Return the contraction of the upstream gradient with the other input.

        `lead` axes under the `...` that the input itself does not have are named, and so summed over.
        """
        left, right, out = self.left, self.right, self.out
        a, b, o = self.dots
        if lead:
            extra = tuple(f"...{axis}" for axis in range(lead))
            pair = (out, right, left) if index == 0 else (left, out, right)
            return Axes((*extra, *pair[0]), (*extra, *pair[1]), pair[2], (False, False, False))
        if index == 0:
            return Axes(out, right, left, (o, b, o))
        return Axes(left, out, right, (a, o, o))


def parse(text: str) -> Axes:
    """Read "... m k, ... k n -> ... m n"."""
    inputs, _, output = text.partition("->")
    terms = [term.split() for term in (*inputs.split(","), output)]
    if len(terms) != 3:
        raise ArgumentError(f"contraction: {text!r} needs two inputs and an output")
    dots = tuple(term[:1] == [_DOTS] for term in terms)
    names = [tuple(term[1:] if dot else term) for term, dot in zip(terms, dots, strict=True)]
    for term in names:
        if len(set(term)) != len(term):
            raise ArgumentError(f"contraction: {text!r} repeats an axis (a diagonal) in {' '.join(term)!r}")
    lone = [n for n in names[0] + names[1] if (n in names[0]) + (n in names[1]) + (n in names[2]) < 2]
    lone += [n for n in names[2] if n not in names[0] and n not in names[1]]
    if lone:
        raise ArgumentError(
            f"contraction: axis {lone[0]!r} of {text!r} occurs once (that is a sum or a copy)"
        )
    return Axes(*names, dots)  # pyright: ignore


class Contraction(Op):
    """A product of two inputs, summed over the axes that the output does not name."""

    family = "contraction"

    def __init__(
        self,
        body: Callable[..., Any],
        axes: Axes,
        samples: Sequence[Sample] = (),
        wrong: Sequence[Wrong] = (),
    ) -> None:
        super().__init__(body, samples, wrong)
        self.axes = axes
        self._plans: dict[tuple[Shape, Shape], Plan] = {}

    @property
    def signature(self) -> str:
        return str(self.axes)

    def formula(self) -> str:
        a, b = self.inputs
        summed = [name for name in self.axes.left if name not in self.axes.out]
        total = f"sum over {', '.join(summed)} of " if summed else ""
        out, left, right = (",".join(each) for each in (self.axes.out, self.axes.left, self.axes.right))
        return f"{self.name}[{out}] = {total}{a}[{left}] * {b}[{right}]"

    def value(self, *arrays: Any, **params: Any) -> Any:
        a, b = arrays
        try:
            plan = self._plans[a.shape, b.shape]
        except KeyError:
            plan = self._plan(a.shape, b.shape)
        return plan.run(a, b)

    def _plan(self, a: Shape, b: Shape) -> Plan:
        if len(self._plans) > 1000:
            self._plans.clear()
        sizes, lead = self._check(a, b)
        plan = self._plans[a, b] = plan_product(self.axes, a, b, sizes, lead)
        return plan

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        a, b = specs
        sizes, lead = self._check(a.shape, b.shape)
        return Spec((*lead, *(sizes[n] for n in self.axes.out)), np.result_type(a.sample(), b.sample()))

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        a, b = node.inputs
        made: list[Tensor | None] = []
        for index, need in enumerate(needs):
            if need:
                alone = (a, b)[index].ndim == len((self.axes.left, self.axes.right)[index])
                lead = g.ndim - len(self.axes.out) if alone else 0
                gradient = _gradient_op(self, index, lead)(*((g, b) if index == 0 else (a, g)))
                shape = (a, b)[index].shape
                same = gradient.shape == shape
                made.append(gradient if same else named("sum_to")(gradient, shape=shape))
            else:
                made.append(None)
        return made

    def reads(self, node: Tensor) -> Sequence[bool]:
        a, b = (isinstance(each, Tensor) and each.requires_grad for each in node.inputs)
        return [b, a]

    def _check(self, *shapes: Shape) -> tuple[dict[str, int], Shape]:
        """Bind every name to a size, or raise naming the clash."""
        sizes: dict[str, int] = {}
        origin: dict[str, str] = {}
        leads: list[Shape] = []
        for shape, names, dots, label in zip(
            shapes, (self.axes.left, self.axes.right), self.axes.dots, self.inputs, strict=False
        ):
            extra = len(shape) - len(names)
            if extra < 0 or (extra and not dots):
                least = "at least " * dots
                raise ShapeError(
                    f"{self.heading}: {label} has shape {shape}, "
                    f"needs {least}{len(names)} axes ({' '.join(names)})"
                )
            leads.append(shape[:extra])
            for offset, name in enumerate(names):
                size, axis = shape[extra + offset], extra + offset
                if sizes.setdefault(name, size) != size:
                    raise ShapeError(
                        f"{self.heading}: axis {name!r} is {sizes[name]} in {origin[name]} "
                        f"but {size} in {label} (axis {axis})"
                    )
                origin.setdefault(name, f"{label} (axis {axis})")
        try:
            return sizes, broadcast(*leads)
        except ValueError:
            shown = " and ".join(map(str, leads))
            raise ShapeError(f"{self.heading}: leading shapes {shown} do not broadcast") from None


@dataclass(frozen=True)
class Plan:
    """How two arrays of known shapes become one batched matrix product, and its result ours.

    Each step is a permutation and a shape, either None where nothing is to be done.
    """

    left: Step
    right: Step
    result: Step

    def run(self, a: Array, b: Array) -> Array:
        """Compute it: permute, flatten groups of axes, multiply, and undo."""
        product = np.matmul(self.left.run(a), self.right.run(b))
        if self.result.shape is not None:
            product = product.reshape(self.result.shape)
        return product if self.result.order is None else product.transpose(self.result.order)


@dataclass(frozen=True)
class Step:
    """A permutation, then a reshape."""

    order: tuple[int, ...] | None
    shape: Shape | None

    def run(self, x: Array) -> Array:
        """Apply both to `x`."""
        if self.order is not None:
            x = x.transpose(self.order)
        return x if self.shape is None else x.reshape(self.shape)


def plan_product(axes: Axes, a: Shape, b: Shape, sizes: dict[str, int], lead: Shape) -> Plan:
    """Sort the names into batch, rows, summed and columns: (batch, m, k) @ (batch, k, n)."""
    left, right, out = axes.left, axes.right, axes.out
    batch = tuple(n for n in out if n in left and n in right)
    k = tuple(n for n in left if n in right and n not in out)
    m = tuple(n for n in out if n in left and n not in right)
    n = tuple(n for n in out if n in right and n not in left)
    made = (*batch, *m, *n)
    flat = batch[:1] == batch and len(m) == len(k) == len(n) == 1
    shape = None if flat else (*lead, *(sizes[name] for name in made))
    return Plan(
        _step(axes.left, a, (batch, m, k), sizes),
        _step(axes.right, b, (batch, k, n), sizes),
        Step(_order(made, out, len(lead)), shape),
    )


def _order(names: tuple[str, ...], wanted: tuple[str, ...], lead: int) -> tuple[int, ...] | None:
    """Return the permutation of the named trailing axes into the wanted order; leading axes stay."""
    if names == wanted:
        return None
    return (*range(lead), *(lead + names.index(name) for name in wanted))


def _step(
    names: tuple[str, ...], shape: Shape, groups: Sequence[tuple[str, ...]], sizes: dict[str, int]
) -> Step:
    """Return how an input becomes (..., [batch,] rows, columns), each group of names one axis."""
    lead = shape[: len(shape) - len(names)]
    order = _order(names, sum(groups, ()), len(lead))
    if len(groups[1]) == len(groups[2]) == 1 and len(groups[0]) <= 1:
        return Step(order, None)
    flat = [math.prod(sizes[name] for name in group) for group in groups]
    return Step(order, (*lead, *(flat if groups[0] else flat[1:])))


_gradients: dict[tuple[Contraction, int, int], Contraction] = {}


def _gradient_op(op: Contraction, index: int, lead: int) -> Contraction:
    made = _gradients.get((op, index, lead))
    if made is None:
        names = (("g", op.inputs[1]), (op.inputs[0], "g"))[index]
        made = _gradients[op, index, lead] = anonymous(
            f"{op.name}_gradient_{op.inputs[index]}", op.axes.gradient(index, lead)
        )
        made.inputs = names
    return made


def anonymous(name: str, axes: Axes) -> Contraction:
    """Return a contraction that is not in the registry: a gradient, or a user's einsum."""

    def body(a: Any, b: Any) -> None:
        """Contract two arrays over named axes."""

    body.__name__ = name
    return Contraction(body, axes)


def contraction(axes: str, **options: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare a contraction by the names of its axes; the decorated function names the inputs."""
    return lambda body: declare(Contraction(body, parse(axes), **options))
