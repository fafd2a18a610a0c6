"""Contractions: products summed over named axes, such as "n i, o i -> n o".

The names are the whole meaning: they bind sizes, word the errors, give the gradients (swap the
output's names with an input's) and tell how to bring the work into matrix products. A leading `...`
stands for axes that broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
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

    def gradient(self, index: int) -> Axes:
        """Return the contraction of the upstream gradient with the other input."""
        left, right, out = self.left, self.right, self.out
        a, b, o = self.dots
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
        a, b = np.asarray(arrays[0]), np.asarray(arrays[1])
        if not self.matches(a.shape, b.shape):
            self._check(a.shape, b.shape)
        return _plan(self.axes).run(a, b)

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        a, b = specs
        sizes, lead = self._check(a.shape, b.shape)
        return Spec((*lead, *(sizes[n] for n in self.axes.out)), np.result_type(a.sample(), b.sample()))

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        a, b = node.inputs
        made: list[Tensor | None] = []
        for index, need in enumerate(needs):
            if need:
                gradient = _gradient_op(self, index)(*((g, b) if index == 0 else (a, g)))
                shape = (a, b)[index].shape
                same = gradient.shape == shape
                made.append(gradient if same else named("sum_to")(gradient, shape=shape))
            else:
                made.append(None)
        return made

    def reads(self, node: Tensor) -> Sequence[bool]:
        a, b = (isinstance(each, Tensor) and each.requires_grad for each in node.inputs)
        return [b, a]

    def matches(self, a: Shape, b: Shape) -> bool:
        """Tell quickly whether two shapes fit (a false answer is then explained)."""
        left, right = self.axes.left, self.axes.right
        if len(a) != len(left) or len(b) != len(right) or any(self.axes.dots):
            return False
        sizes = dict(zip(left, a, strict=True))
        return all(sizes.get(name, size) == size for name, size in zip(right, b, strict=True))

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
                    f"{self.heading}: {label} has shape {shape}, needs {least}{len(names)} axes ({' '.join(names)})"
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
    """How a contraction becomes one batched matrix product: (batch, m, k) @ (batch, k, n)."""

    batch: tuple[str, ...]
    m: tuple[str, ...]
    k: tuple[str, ...]
    n: tuple[str, ...]
    axes: Axes

    def run(self, a: Array, b: Array) -> Array:
        """Compute it: permute, flatten groups of axes, multiply, and undo."""
        left = _grouped(a, self.axes.left, (self.batch, self.m, self.k))
        right = _grouped(b, self.axes.right, (self.batch, self.k, self.n))
        product = np.matmul(left, right)
        sizes = {**_sizes(self.axes.left, a.shape), **_sizes(self.axes.right, b.shape)}
        names = (*self.batch, *self.m, *self.n)
        lead = product.shape[: product.ndim - 3] if self.batch else product.shape[: product.ndim - 2]
        shape = (*lead, *(sizes[name] for name in names))
        if product.shape != shape:
            product = product.reshape(shape)
        return _permuted(product, names, self.axes.out)


@lru_cache(maxsize=1024)
def _plan(axes: Axes) -> Plan:
    left, right, out = axes.left, axes.right, axes.out
    batch = tuple(n for n in out if n in left and n in right)
    k = tuple(n for n in left if n in right and n not in out)
    m = tuple(n for n in out if n in left and n not in right)
    return Plan(batch, m, k, tuple(n for n in out if n in right and n not in left), axes)


def _sizes(names: Sequence[str], shape: Shape) -> dict[str, int]:
    return dict(zip(names, shape[len(shape) - len(names) :], strict=True))


def _permuted(x: Array, names: tuple[str, ...], wanted: tuple[str, ...]) -> Array:
    """Bring the named trailing axes of `x` into the wanted order; leading axes stay."""
    if names == wanted:
        return x
    lead = x.ndim - len(names)
    return x.transpose((*range(lead), *(lead + names.index(name) for name in wanted)))


def _grouped(x: Array, names: tuple[str, ...], groups: Sequence[tuple[str, ...]]) -> Array:
    """Return `x` as (..., [batch,] rows, columns), flattening each group of names into one axis."""
    x_permuted = _permuted(x, names, sum(groups, ()))
    if len(groups[1]) == len(groups[2]) == 1 and len(groups[0]) <= 1:
        return x_permuted
    sizes = _sizes(names, x.shape)
    lead = x.shape[: x.ndim - len(names)]
    flat = [math.prod(sizes[name] for name in group) for group in groups]
    return x_permuted.reshape((*lead, *(flat if groups[0] else flat[1:])))


_gradients: dict[tuple[Contraction, int], Contraction] = {}


def _gradient_op(op: Contraction, index: int) -> Contraction:
    made = _gradients.get((op, index))
    if made is None:
        names = (("g", op.inputs[1]), (op.inputs[0], "g"))[index]
        made = _gradients[op, index] = anonymous(
            f"{op.name}_gradient_{op.inputs[index]}", op.axes.gradient(index)
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
