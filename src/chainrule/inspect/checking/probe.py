"""Probes: which numbers of an input can be moved at once, with effects that can be told apart.

A difference quotient for every number alone costs two runs a number. But the numbers of an
elementwise op do not meet, the folds of a reduction do not, and the rows of a product do not: they
are moved together, and what arrives is sorted back to where it came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.families import Elementwise, Movement
from chainrule.core.families.contraction import Contraction
from chainrule.core.families.reduction import Reduction
from chainrule.core.spec import Array, Shape, normalize_axes
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor

Collect = Callable[[Array], Array]


@dataclass(frozen=True)
class Probe:
    """Numbers to be moved at once.

    `moved` marks them in the input; `collect` sums an array of the output's shape into the input's
    shape, each number to the moved one that it depends on.
    """

    moved: Array
    collect: Collect


def probes(node: Tensor, place: int, limit: int) -> Iterator[Probe]:
    """Yield at most `limit` probes of one input; together they may leave numbers of it unmoved."""
    op, shape = node.op, node.inputs[place].shape
    if isinstance(op, Elementwise):
        yield Probe(np.ones(shape, bool), lambda effect: summed_to(effect, shape))
    elif isinstance(op, Movement):
        yield _moving(node)
    else:
        alone = _axes_moved_alone(node, place)
        yield from _sliced(shape, alone, _keeper(node, place), limit)


def single(moved: Array) -> Probe:
    """Return the probe of the one number that `moved` marks."""
    return Probe(moved, lambda effect: np.where(moved, effect.sum(), 0.0))


def summed_to(effect: Array, shape: Shape) -> Array:
    """Return `effect` summed over the axes along which `shape` was broadcast to it."""
    lead = effect.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, size in enumerate(shape) if size == 1))
    return effect.sum(axis=axes, keepdims=True).reshape(shape) if axes else effect


def _moving(node: Tensor) -> Probe:
    """Every number of a movement's result is one of the source, whose number is found by moving numbers."""
    x = node.inputs[0]
    numbers = np.arange(1.0, x.size + 1).reshape(x.shape)
    with np.errstate(all="ignore"):
        source = np.asarray(node.op.value(numbers, **node.params))
    inside = np.isfinite(source) & (source >= 1) & (source <= x.size) & (source == np.rint(source))
    index = np.where(inside, source, 1).astype(np.int64) - 1

    def collect(effect: Array) -> Array:
        if not x.size:
            return np.zeros(x.shape)
        weights = np.where(inside, effect, 0.0).ravel()  # what was filled in moved with nothing
        return np.bincount(index.ravel(), weights, minlength=x.size).reshape(x.shape)

    return Probe(np.ones(x.shape, bool), collect)


def _axes_moved_alone(node: Tensor, place: int) -> tuple[int, ...]:
    """Return the axes along which only one number may be moved at a time."""
    op, x = node.op, node.inputs[place]
    if isinstance(op, Reduction):
        return normalize_axes(node.params["axis"], x.ndim, op.name)
    if isinstance(op, Contraction):
        names = (op.axes.left, op.axes.right)[place]
        lead = x.ndim - len(names)
        return tuple(lead + i for i, name in enumerate(names) if name not in op.axes.out)
    return tuple(range(x.ndim))


def _keeper(node: Tensor, place: int) -> Collect:
    """Return how an effect on the output becomes one number for each number moved, broadcastable."""
    op, x = node.op, node.inputs[place]
    if isinstance(op, Reduction):
        axes = normalize_axes(node.params["axis"], x.ndim, op.name)
        kept = tuple(1 if i in axes else size for i, size in enumerate(x.shape))
        return lambda effect: effect.reshape(kept)
    if isinstance(op, Contraction):
        return lambda effect: _product_effect(op, place, x.shape, effect)
    return lambda effect: effect.sum().reshape((1,) * x.ndim)


def _product_effect(op: Contraction, place: int, shape: Shape, effect: Array) -> Array:
    """Sum over the output's axes that the input does not have, and order the others as it does."""
    names, out = (op.axes.left, op.axes.right)[place], op.axes.out
    lead, own_lead = effect.ndim - len(out), len(shape) - len(names)
    foreign = tuple(lead + i for i, name in enumerate(out) if name not in names)
    total = effect.sum(axis=foreign)
    kept = [name for name in out if name in names]
    wanted = [name for name in names if name in out]
    order = (*range(lead), *(lead + kept.index(name) for name in wanted))
    total = total.transpose(order)
    sizes = (
        *shape[:own_lead],
        *(size if name in out else 1 for name, size in zip(names, shape[own_lead:], strict=True)),
    )
    full = summed_to(total, (*shape[:own_lead], *total.shape[lead:]))
    return full.reshape(sizes)


def _sliced(shape: Shape, alone: tuple[int, ...], keep: Collect, limit: int) -> Iterator[Probe]:
    """Yield a probe for each place along the axes `alone`: all of them, or a fixed random choice."""
    sizes = tuple(shape[axis] for axis in alone)
    count = math.prod(sizes)
    if 0 in shape:
        return
    chosen = range(count) if count <= limit else np.sort(Stream(count).permutation(count)[:limit])
    for number in chosen:
        index: list[Any] = [slice(None)] * len(shape)
        for axis, position in zip(alone, np.unravel_index(number, sizes), strict=True):
            index[axis] = position
        moved = np.zeros(shape, bool)
        moved[tuple(index)] = True
        yield Probe(moved, lambda effect, moved=moved: np.where(moved, keep(effect), 0.0))
