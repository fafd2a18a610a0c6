"""Reductions: a monoid folded over axes.

The body says how a total takes in one more item; its scalar function decides the NumPy reduction.
Adding up has a gradient by itself (every item gets the upstream gradient); others declare theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule import scalar
from chainrule.core.op import Op, declare
from chainrule.core.registry import named
from chainrule.core.sample import Sample, Wrong, sample, wrong
from chainrule.core.spec import Array, Shape, Spec, normalize_axes
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.scalar.numpy import UFUNCS


class Reduction(Op):
    """An op that folds its input over `axis` (an integer, several, or None for all).

    `identity` is the value of an empty fold (None: an empty fold is an error);
    `gradient(g, x, y, axes)` returns the input's gradient from g and y of kept dimensions; the axes ascend.
    """

    family = "reduction"

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        identity: float | bool | None = None,
        gradient: Callable[..., Tensor] | None = None,
        samples: Sequence[Sample] = (),
    ) -> None:
        super().__init__(body)
        self.inputs = self.inputs[1:]  # the first argument of the body is the running total
        self.arity = 1
        self.identity, self.gradient = identity, gradient
        names = [scalar.variable("total"), scalar.variable(self.inputs[0])]
        self.monoid = body(*names).function
        self.ufunc = UFUNCS[self.monoid]
        self.differentiable = gradient is not None or self.monoid == "add"
        self.samples = (*self._default_samples(), *samples)
        self.wrong = self._default_wrong()

    def value(self, *arrays: Any, **params: Any) -> Any:
        (x,) = arrays
        axes = normalize_axes(params["axis"], x.ndim, self.heading)
        if self.identity is None and any(x.shape[axis] == 0 for axis in axes) and x.size == 0:
            raise ArgumentError(
                f"{self.heading}: nothing to reduce, axis of size 0 in shape {x.shape} and no identity"
            )
        if x.dtype.kind == "f" and short_rows(x, axes):
            return self._by_item(x, axes).reshape(reduced_shape(x.shape, axes, params["keepdims"]))
        return self.ufunc.reduce(x, axis=axes, keepdims=params["keepdims"])

    def _by_item(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Fold whole arrays, one item of the folded axes after the other."""
        items = items_of(x, axes)
        total = next(items).copy()
        for item in items:
            self.ufunc(total, item, out=total)
        return total

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        (x,) = specs
        axes = normalize_axes(params["axis"], len(x.shape), self.heading)
        made = self.ufunc.reduce(np.ones(1, x.dtype))
        return Spec(reduced_shape(x.shape, axes, params["keepdims"]), np.asarray(made).dtype)

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        x = node.inputs[0]
        axes = tuple(sorted(normalize_axes(node.params["axis"], x.ndim, self.heading)))
        kept = reduced_shape(x.shape, axes, keepdims=True)
        if g.shape != kept:
            g = named("reshape")(g, shape=kept)
        if self.gradient is None:
            return (named("broadcast_to")(g, shape=x.shape),)
        y = node if node.shape == kept else named("reshape")(node, shape=kept)
        return (self.gradient(g, x, y, axes),)

    def reads(self, node: Tensor) -> Sequence[bool]:
        return [self.gradient is not None]

    def formula(self) -> str:
        body = self.body(scalar.variable("total"), scalar.variable(self.inputs[0]))
        return f"{self.signature}: total = {scalar.text(body)}"

    def _default_samples(self) -> list[Sample]:
        found = [
            sample((2, 3)),
            sample((2, 3, 4), axis=1),
            sample((2, 3, 4), axis=(0, -1), keepdims=True),
            sample((2, 3, 4), axis=(2, 0)),
            sample(()),
            sample((3, 1), axis=-2, keepdims=True),
            sample((0, 3), axis=1),
        ]
        return [*found, sample((2, 0), axis=1)] if self.identity is not None else found

    def _default_wrong(self) -> tuple[Wrong, ...]:
        message = f"{self.heading}: axis 2 is out of bounds for 2 dimension(s)"
        return (wrong(message, (2, 3), axis=2),)


def short_rows(x: Array, axes: tuple[int, ...]) -> bool:
    """Tell whether NumPy's own fold would spend its time on starting rows of a few items each."""
    if x.size < 4096 or x.ndim - 1 not in axes:
        return False
    return 1 < math.prod(x.shape[axis] for axis in axes) <= 16


def items_of(x: Array, axes: tuple[int, ...]) -> Iterator[Array]:
    """Yield, for each place along `axes` in order, the array of all items at that place."""
    for place in np.ndindex(*(x.shape[axis] for axis in axes)):
        index: list[Any] = [slice(None)] * x.ndim
        for axis, at in zip(axes, place, strict=True):
            index[axis] = at
        yield x[tuple(index)]


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """Return `shape` without the axes, or with size 1 along them."""
    if keepdims:
        return tuple(1 if i in axes else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axes)


def reduction(**options: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare a reduction: the decorated function `(total, x, *, axis, keepdims)` adds one item."""
    return lambda body: declare(Reduction(body, **options))
