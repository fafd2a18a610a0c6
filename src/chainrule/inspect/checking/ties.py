"""Ties moved together: the one smooth direction at a tie, in which conventions must agree.

Which of two equal numbers gets the gradient of their maximum is a convention. What they get
together is not: raise both and the maximum rises by as much.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.families import Elementwise
from chainrule.core.spec import Array, normalize_axes
from chainrule.core.tensor import Tensor
from chainrule.inspect.checking.differences import Moved
from chainrule.inspect.checking.kinks import crossings, tied
from chainrule.inspect.checking.rule import given_by_rule

_RTOL = 1e-6


def wrong_share(moved: Moved, rule: Array) -> tuple[tuple[int, ...], float, float] | None:
    """Return a number whose tie gets the wrong sum of gradients, with that sum and the right one.

    None where all is right, or the op is no maximum over axes.
    """
    ties = tied(moved.node, moved.x, 2 * moved.steps(1.0))
    if ties is None or not ties.any():
        return None
    op = moved.node.op
    axes = normalize_axes(moved.node.params["axis"], moved.x.ndim, op.name)
    got = np.where(ties, rule, 0.0).sum(axis=axes, keepdims=True)
    step = moved.step
    change = moved.value(moved.x + step * ties) - moved.value(moved.x - step * ties)
    with np.errstate(invalid="ignore"):
        right = (moved.upstream * change / (2 * step)).reshape(got.shape)
        off = ties & (np.abs(got - right) > _RTOL * (np.abs(right) + 1))
    if not off.any():
        return None
    where = tuple(int(i) for i in np.argwhere(off)[0])
    both = (float(np.broadcast_to(each, ties.shape)[where]) for each in (got, right))
    return where, next(both), next(both)


def wrong_together(node: Tensor, upstream: Array) -> tuple[float, float] | None:
    """Return what the inputs of an elementwise op get together at its ties, and what they should.

    Looked at is where moving one input alone crosses a switch and moving all does not. None where
    all is right, or there is no such place.
    """
    places = [i for i, each in enumerate(node.inputs) if isinstance(each, Tensor) and each.requires_grad]
    if len(places) < 2 or not isinstance(node.op, Elementwise):
        return None
    each_moved = [Moved(node, place, upstream) for place in places]
    step = each_moved[0].step
    alone = np.zeros(upstream.shape, bool)
    for moved in each_moved:
        alone = alone | moved.flips((moved.x + step, moved.x - step))
    if not alone.any():
        return None
    above, below = ([_shifted(node, i, sign * step) for i in range(len(node.inputs))] for sign in (1, -1))
    together = np.zeros(upstream.shape, bool)
    for _, flips in crossings(node.op, node.params, [each_moved[0].arrays, above, below]):
        together = together | flips
    smooth = np.where(alone & ~together, upstream, 0.0)
    with np.errstate(all="ignore"):
        change = node.op.value(*above, **node.params) - node.op.value(*below, **node.params)
        right = float((smooth * change).sum() / (2 * step))
    got = float(sum(part.sum() for part in given_by_rule(node, smooth) if part is not None))
    size = float(np.abs(smooth).sum()) + 1
    return (got, right) if abs(got - right) > _RTOL * size else None


def _shifted(node: Tensor, place: int, by: float) -> object:
    each = node.inputs[place]
    array = each.data if isinstance(each, Tensor) else each
    return array + by if isinstance(each, Tensor) and each.requires_grad else array
