"""Reductions over axes: sums, extremes, and the statistics made of them.

Sums and extremes are folds, declared by one step; the statistics are made of them, with gradients claimed
where a shorter one is known.
"""

from __future__ import annotations

import builtins
from functools import partial
from typing import Any

import numpy as np

from chainrule import scalar
from chainrule.core.families import composite, opaque, reduction
from chainrule.core.families.reduction import items_of, reduced_shape, short_rows
from chainrule.core.sample import sample, wrong
from chainrule.core.spec import Array, Axes, Spec, normalize_axes, normalize_axis
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import add, divide, multiply, square, subtract
from chainrule.ops.compare import equal, isfinite, where
from chainrule.ops.elementary import exp, log, sqrt
from chainrule.scalar import Expr


@reduction(identity=0)
def sum(total: Expr, x: Expr, *, axis: Axes = None, keepdims: bool = False) -> Expr:
    """Sum over `axis`; every item gets the upstream gradient."""
    return total + x


def _first_spec(x: Spec, y: Spec, *, axes: tuple[int, ...]) -> Spec:
    count = np.prod([x.shape[axis] for axis in axes], dtype=np.int64)
    return Spec(reduced_shape(x.shape, axes, keepdims=True), np.dtype(np.uint8 if count <= 256 else np.int64))


@opaque(
    spec=_first_spec,
    reason="a place is an integer",
    samples=[
        sample((2, 3), (1, 1), axes=(0, 1)),
        sample((2, 3), (2, 1), axes=(1,)),
        sample((0, 3), (0, 1), axes=(1,)),
    ],
)
def first_place(x: Array, y: Array, *, axes: tuple[int, ...] = ()) -> Array:
    """Place, in every fold over `axes`, of the first item of `x` that equals `y` (or is NaN with it).

    Places are counted in the order of the items; 0 where no item matches.
    """
    spec = _first_spec(Spec(x.shape, x.dtype), Spec(y.shape, y.dtype), axes=axes)
    hits = (x == y) | (np.isnan(x) & np.isnan(y))
    if short_rows(x, axes):
        place, free = np.zeros(spec.shape, spec.dtype), np.ones(spec.shape, np.bool_)
        for count, hit in enumerate(items_of(hits, axes)):
            np.copyto(place, count, where=free & hit.reshape(spec.shape))
            free &= ~hit.reshape(spec.shape)
        return place
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    rows = hits.transpose([*rest, *axes]).reshape(
        [x.shape[axis] for axis in rest] + [-1] if x.size else [0, 1]
    )
    return rows.argmax(axis=-1).astype(spec.dtype).reshape(spec.shape)


def _route(g: Tensor, x: Tensor, y: Tensor, axes: tuple[int, ...]) -> Tensor:
    sizes = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    first = first_place(x, y.detach(), axes=axes)
    items = np.arange(np.prod(sizes), dtype=first.dtype).reshape(sizes)
    return where(equal(first, items), g, 0.0)


@reduction(gradient=_route)
def max(total: Expr, x: Expr, *, axis: Axes = None, keepdims: bool = False) -> Expr:
    """Largest item over `axis`; routes the gradient to it (to the first in a tie)."""
    return scalar.maximum(total, x)


@reduction(gradient=_route)
def min(total: Expr, x: Expr, *, axis: Axes = None, keepdims: bool = False) -> Expr:
    """Smallest item over `axis`; routes the gradient to it (to the first in a tie)."""
    return scalar.minimum(total, x)


@reduction(identity=True)
def all(total: Expr, x: Expr, *, axis: Axes = None, keepdims: bool = False) -> Expr:
    """Whether every item over `axis` is true (not 0)."""
    return scalar.logical_and(total, x)


@reduction(identity=False)
def any(total: Expr, x: Expr, *, axis: Axes = None, keepdims: bool = False) -> Expr:
    """Whether some item over `axis` is true (not 0)."""
    return scalar.logical_or(total, x)


_STATISTICS = [
    sample((2, 3)),
    sample((2, 3, 4), axis=1, keepdims=True),
    sample((2, 3, 4), axis=(0, -1)),
    sample((3,)),
]


@composite(samples=[*_STATISTICS, sample((), axis=None), sample((1, 2), axis=0), sample((3, 0), axis=1)])
def prod(x: Tensor, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Product over `axis`, by multiplying halves, so that the gradient is right where items are 0."""
    axes = normalize_axes(axis, x.ndim, "prod(x)")
    rest, shape = [i for i in range(x.ndim) if i not in axes], reduced_shape(x.shape, axes, keepdims)
    items = x.transpose([*rest, *axes]).reshape((*(x.shape[i] for i in rest), _count(x, axes)))
    wide = np.multiply.reduce(np.ones(1, x.dtype)).dtype  # NumPy multiplies small integers as large ones
    items = items if wide == x.dtype else items.astype(wide)
    while items.shape[-1] > 1:
        half = items.shape[-1] // 2
        odd = items[..., 2 * half :]
        items = multiply(items[..., :half], items[..., half : 2 * half])
        if odd.shape[-1]:
            items = multiply(items, where(np.arange(half) == 0, odd, np.ones((), wide)))
    return items.reshape(shape) if items.shape[-1] else Tensor(np.ones(shape, items.dtype))


@composite(samples=[*_STATISTICS, sample(())])
def mean(x: Tensor, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean over `axis`."""
    count = _count(x, normalize_axes(axis, x.ndim, "mean(x)"))
    whole = x.dtype.kind in "iu" and x.dtype.itemsize == 8  # whose sum may exceed every integer dtype
    return divide(sum(x.astype(np.float64) if whole else x, axis=axis, keepdims=keepdims), count)


def _var_gradient(
    g: Tensor, node: Tensor, x: Tensor, *, axis: Axes, ddof: float, keepdims: bool
) -> tuple[Tensor]:
    """The mean moves too, but distances from it add up to 0, so that its share vanishes."""
    axes = normalize_axes(axis, x.ndim, "var(x)")
    kept = reduced_shape(x.shape, axes, keepdims=True)
    centred = subtract(x, mean(x, axis=axes, keepdims=True))
    return (multiply(multiply(g.reshape(kept), 2.0 / _freedom(x, axes, ddof, "var(x)")), centred),)


@composite(
    gradient=_var_gradient,
    samples=[*_STATISTICS, sample((4, 3), axis=0, ddof=1)],
    wrong=[wrong("var(x): ddof must be a number of at least 0, got -1", (3,), ddof=-1)],
)
def var(x: Tensor, *, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Mean squared distance from the mean over `axis`, divided by (count - ddof)."""
    freedom = _freedom(x, axis, ddof, "var(x)")
    centred = subtract(x, mean(x, axis=axis, keepdims=True))
    return divide(sum(square(centred), axis=axis, keepdims=keepdims), freedom)


@composite(
    samples=[*_STATISTICS, sample((4, 3), axis=0, ddof=1)],
    wrong=[
        wrong("std(x): axis 2 is out of bounds for 2 dimension(s)", (2, 3), axis=2),
        wrong("std(x): ddof must be a number of at least 0, got -1", (3,), ddof=-1),
    ],
)
def std(x: Tensor, *, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Square root of the variance over `axis`."""
    _freedom(x, axis, ddof, "std(x)")  # what is wrong is told under the name that was called
    return sqrt(var(x, axis=axis, ddof=ddof, keepdims=keepdims))


def _logsumexp_gradient(g: Tensor, node: Tensor, x: Tensor, *, axis: Axes, keepdims: bool) -> tuple[Tensor]:
    kept = reduced_shape(x.shape, normalize_axes(axis, x.ndim, "logsumexp(x)"), keepdims=True)
    total = node.reshape(kept)
    return (multiply(g.reshape(kept), exp(where(equal(x, total), 0.0, subtract(x, total)))),)


@composite(
    gradient=_logsumexp_gradient,
    samples=[*_STATISTICS, sample(()), sample((0, 3), axis=1)],
    wrong=[wrong("logsumexp(x): axis 2 is out of bounds for 2 dimension(s)", (2, 3), axis=2)],
)
def logsumexp(x: Tensor, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) over `axis`, without overflow."""
    axes = normalize_axes(axis, x.ndim, "logsumexp(x)")
    peak = max(x.detach(), axis=axis, keepdims=True)
    peak = where(isfinite(peak), peak, 0.0)
    with np.errstate(all="ignore"):  # the logarithm of an empty or vanishing sum is -inf
        total = add(log(sum(exp(subtract(x, peak)), axis=axis, keepdims=True)), peak)
    return total if keepdims else total.reshape(reduced_shape(x.shape, axes, keepdims))


def _place_spec(name: str, x: Spec, *, axis: int | None, keepdims: bool) -> Spec:
    axes = normalize_axes(axis, len(x.shape), name)
    return Spec(reduced_shape(x.shape, axes, keepdims), np.dtype(np.int64))


_PLACES: builtins.list[Any] = [sample((2, 3)), sample((2, 3), axis=1), sample((2, 3), axis=-2, keepdims=True)]


@opaque(
    spec=partial(_place_spec, "argmax(x)"),
    reason="a place is an integer",
    samples=_PLACES,
    wrong=[wrong("argmax(x): axis 2 is out of bounds for 2 dimension(s)", (2, 3), axis=2)],
)
def argmax(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Place of the largest item along `axis` (of the flattened tensor for None); the first in a tie."""
    return np.argmax(x, axis=axis, keepdims=keepdims)


@opaque(
    spec=partial(_place_spec, "argmin(x)"),
    reason="a place is an integer",
    samples=_PLACES,
    wrong=[wrong("argmin(x): axis 2 is out of bounds for 2 dimension(s)", (2, 3), axis=2)],
)
def argmin(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Place of the smallest item along `axis` (of the flattened tensor for None); the first in a tie."""
    return np.argmin(x, axis=axis, keepdims=keepdims)


def _cumsum_spec(x: Spec, *, axis: int | None) -> Spec:
    normalize_axes(axis, len(x.shape), "cumsum(x)")
    dtype = np.cumsum(np.empty(0, x.dtype)).dtype
    return Spec((int(np.prod(x.shape)),) if axis is None else x.shape, dtype)


def _cumsum_gradient(g: Tensor, node: Tensor, x: Tensor, *, axis: int | None) -> tuple[Tensor]:
    along = 0 if axis is None else axis % x.ndim
    backwards = (slice(None),) * along + (slice(None, None, -1),)
    return (cumsum(g[backwards], axis=along)[backwards].reshape(x.shape),)


@opaque(
    spec=_cumsum_spec,
    gradient=_cumsum_gradient,
    reads=[False],
    samples=[sample((2, 3)), sample((2, 3), axis=-1), sample((0,), axis=0)],
    wrong=[
        wrong("cumsum(x): axis 1 is out of bounds for 1 dimension(s)", (3,), axis=1),
        wrong("cumsum(x): axis 0 is out of bounds for 0 dimension(s)", (), axis=0),
    ],
)
def cumsum(x: Array, *, axis: int | None = None) -> Array:
    """Running sum along `axis` (of the flattened tensor for None)."""
    return np.cumsum(x, axis=None if axis is None else normalize_axis(axis, x.ndim, "cumsum(x)"))


def _count(x: Tensor, axes: tuple[int, ...]) -> int:
    return int(np.prod([x.shape[i] for i in axes], dtype=np.int64))


def _freedom(x: Tensor, axis: Axes, ddof: float, name: str) -> float:
    """Return what squared distances are divided by: count - ddof, or NaN where nothing is left of it."""
    if not ddof >= 0:
        raise ArgumentError(f"{name}: ddof must be a number of at least 0, got {ddof}")
    free = _count(x, normalize_axes(axis, x.ndim, name)) - ddof
    return free if free > 0 else np.nan
