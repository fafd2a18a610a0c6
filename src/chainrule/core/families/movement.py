"""Movements: ops that only say where each element comes from.

The body writes, for every axis of the source, its index as an affine function of the indices of the
result: `x.at(stride * o + k, shape=...)`. That one map gives the value (a strided view where it can
be), the shape, and the transpose, which puts elements back where they came from and adds up those
that meet. The transpose is the gradient, and the map is the gradient of the transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.op import Op, declare
from chainrule.core.sample import Sample, Wrong
from chainrule.core.spec import Array, Shape, Spec
from chainrule.core.tensor import Tensor


@dataclass(frozen=True)
class Index:
    """An affine index: `start` plus steps along axes of the result."""

    start: int = 0
    steps: tuple[tuple[int, int], ...] = ()  # (axis of the result, step)

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.start + other, self.steps)
        return Index(self.start + other.start, self.steps + other.steps)

    __radd__ = __add__

    def __sub__(self, other: int) -> Index:
        return self + -other

    def __rsub__(self, other: int) -> Index:
        return self * -1 + other

    def __mul__(self, factor: int) -> Index:
        return Index(self.start * factor, tuple((axis, step * factor) for axis, step in self.steps))

    __rmul__ = __mul__


@dataclass(frozen=True)
class IndexMap:
    """Where each element of a result of `shape` lies in a source of shape `source`.

    `indices` has one Index an axis of the source; None says that both list the same elements in the
    same order (a reshape). Indices beyond the source read `fill`.
    """

    source: Shape
    shape: Shape
    indices: tuple[Index, ...] | None
    fill: float = 0.0


class Source:
    """The source of a movement, known by its shape only."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name, self.shape, self.ndim = name, shape, len(shape)

    def grid(self, ndim: int) -> list[Index]:
        """Return the indices of a result with `ndim` axes, to be combined into the source's."""
        return [Index(0, ((axis, 1),)) for axis in range(ndim)]

    def at(self, indices: Sequence[Index], shape: Shape, fill: float = 0.0) -> IndexMap:
        """Return the map that reads the source at `indices` for a result of `shape`."""
        return IndexMap(self.shape, tuple(shape), tuple(indices), fill)

    def listed(self, shape: Shape) -> IndexMap:
        """Return the map that lists the same elements, in the same order, in another shape."""
        return IndexMap(self.shape, tuple(shape), None)


class Movement(Op):
    """An op whose body maps a Source and parameters to an IndexMap.

    `view(x, **params)` claims a quicker NumPy value, and `back(g, shape, **params)` a quicker
    transpose; the generic test compares both with what the map says.
    """

    family = "movement"

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        view: Callable[..., Array] | None = None,
        back: Callable[..., Tensor] | None = None,
        samples: Sequence[Sample] = (),
        wrong: Sequence[Wrong] = (),
    ) -> None:
        super().__init__(body, samples, wrong)
        self.view, self.back = view, back
        if view is not None:
            self.value = view
        self.transposed = Transposed(self)

    def map(self, source: Shape, /, **params: Any) -> IndexMap:
        """Return the index map for a source of this shape."""
        return self.body(Source(self.inputs[0], source), **params)

    def value(self, *arrays: Any, **params: Any) -> Any:
        (x,) = arrays
        return gather(x, self.map(x.shape, **params))

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        map = self.map(specs[0].shape, **params)
        if map.fill:
            np.full((), map.fill, specs[0].dtype)  # raises where the dtype does not hold it
        return Spec(map.shape, specs[0].dtype)

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        shape = node.inputs[0].shape
        if self.back is not None:
            return (self.back(g, shape, **node.params),)
        return (self.transposed(g, shape=shape, params=node.params),)

    def reads(self, node: Tensor) -> Sequence[bool]:
        return [False]


class Transposed(Op):
    """The transpose of a movement: every element goes back to where it came from."""

    family = "movement"

    def __init__(self, forward: Movement) -> None:
        def body(g: Any, *, shape: Any = (), params: Any = None) -> None:
            """Put elements back where the movement took them from; those that meet add up."""

        body.__name__ = f"{forward.name}_transposed"
        super().__init__(body)
        self.forward = forward

    def value(self, *arrays: Any, **params: Any) -> Any:
        return scatter(arrays[0], self.forward.map(params["shape"], **params["params"]))

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        return Spec(tuple(params["shape"]), specs[0].dtype)

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        # What was read beyond the source is not part of the transpose, so it comes back as 0.
        inner = node.params["params"]
        return (self.forward(g, **({**inner, "fill": 0.0} if "fill" in inner else inner)),)

    def reads(self, node: Tensor) -> Sequence[bool]:
        return [False]


def gather(x: Array, map: IndexMap) -> Array:
    """Return the elements that the map reads: a view where strides can express it."""
    if map.indices is None:
        return x.reshape(map.shape)
    inside = _inside(map)
    if any(part != slice(0, size) for part, size in zip(inside, map.shape, strict=True)):
        out = np.full(map.shape, map.fill, x.dtype)
        shape = tuple(part.stop - part.start for part in inside)
        indices = tuple(_shifted(index, inside) for index in map.indices)
        out[inside] = gather(x, IndexMap(map.source, shape, indices))
        return out
    if 0 in map.shape:
        return np.empty(map.shape, x.dtype)
    strides = [0] * len(map.shape)
    for index, stride in zip(map.indices, x.strides, strict=True):
        for axis, step in index.steps:
            strides[axis] += step * stride
    corner = x[tuple(slice(index.start, None) for index in map.indices)]
    return np.lib.stride_tricks.as_strided(corner, map.shape, strides)


def scatter(g: Array, map: IndexMap) -> Array:
    """Return the transpose: zeros of the source's shape with every element of `g` added in place."""
    if map.indices is None:
        return g.reshape(map.source)
    inside = _inside(map)
    g = g[inside]
    indices = [_shifted(index, inside) for index in map.indices]
    used = {axis for index in indices for axis, step in index.steps if step}
    idle = tuple(axis for axis in range(g.ndim) if axis not in used)
    g = g.sum(axis=idle, keepdims=True, dtype=g.dtype) if idle else g
    out = np.zeros(map.source, g.dtype)
    if g.size:
        _scatter_axes(g, indices, out)
    return out


def _scatter_axes(g: Array, indices: list[Index], out: Array) -> None:
    """Where two axes of the result share one of the source, take the shorter position by position."""
    for place, index in enumerate(indices):
        steps = [(axis, step) for axis, step in index.steps if step]
        if len(steps) > 1:
            axis, step = min(steps, key=lambda pair: g.shape[pair[0]])
            rest = tuple(pair for pair in steps if pair[0] != axis)
            for position in range(g.shape[axis]):
                part = g[(slice(None),) * axis + (slice(position, position + 1),)]
                moved = Index(index.start + step * position, rest)
                _scatter_axes(part, [*indices[:place], moved, *indices[place + 1 :]], out)
            return
    slices: list[slice] = []
    order: list[int] = []
    for index in indices:
        moving = [(axis, step) for axis, step in index.steps if step]
        count = g.shape[moving[0][0]] if moving else 1
        step = moving[0][1] if moving else 1
        stop = index.start + step * (count - 1) + (1 if step > 0 else -1)
        slices.append(slice(index.start, stop if stop >= 0 else None, step))
        order += [axis for axis, _ in moving]
    rest = [axis for axis in range(g.ndim) if axis not in order]
    target = out[(..., *slices)]
    target += g.transpose(order + rest).reshape(target.shape)


def _inside(map: IndexMap) -> tuple[slice, ...]:
    """Return, along each axis of the result, the range that reads inside the source."""
    ranges = [(0, size) for size in map.shape]
    for index, size in zip(map.indices or (), map.source, strict=True):
        moving = [(axis, step) for axis, step in index.steps if step and map.shape[axis]]
        if len(moving) != 1:
            continue
        axis, step = moving[0]
        low, high = (
            (-index.start, size - 1 - index.start) if step > 0 else (index.start - size + 1, index.start)
        )
        first, last = -(-low // abs(step)), high // abs(step)
        ranges[axis] = max(ranges[axis][0], first), min(ranges[axis][1], last + 1)
    return tuple(slice(start, max(start, stop)) for start, stop in ranges)


def _shifted(index: Index, inside: Sequence[slice]) -> Index:
    """Return the index counted from the start of the inside range."""
    return Index(index.start + sum(step * inside[axis].start for axis, step in index.steps), index.steps)


def movement(**options: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare a movement: the decorated function maps a Source and parameters to an IndexMap."""
    return lambda body: declare(Movement(body, **options))
