"""The residual of upstream x local = downstream, measured on every edge that a gradient went through.

What an op's rule sent is compared with the product of what the card shows. The operators of one gate
are applied together, so that its value is computed once more and not once for each input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core.op import apply
from chainrule.core.registry import named
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.core.transform import vjp
from chainrule.inspect.explain.subject import Subject
from chainrule.inspect.local import Local

LocalGradient = Array | Local | None


def measured(
    gate: Subject, upstream: Array | None, locals_: Sequence[LocalGradient], sent: Sequence[Array | None]
) -> list[float | None]:
    """Return the largest |upstream x local - downstream| for each input; None where there is none yet."""
    flowing = [i for i, (local, down) in enumerate(zip(locals_, sent, strict=True)) if _known(local, down)]
    found: list[float | None] = [None] * len(sent)
    if upstream is None or not flowing:
        return found
    whole = not gate.inside and isinstance(locals_[flowing[0]], Local)
    products = (
        _together(gate, upstream, flowing) if whole else [_product(upstream, locals_[i]) for i in flowing]
    )
    for i, product in zip(flowing, products, strict=True):
        down: Any = sent[i]
        found[i] = _difference(_summed(product, down.shape), down)
    return found


def _known(local: LocalGradient, down: Array | None) -> bool:
    return local is not None and down is not None


def _product(upstream: Array, local: Any) -> Array:
    with np.errstate(all="ignore"):
        return upstream @ local if isinstance(local, Local) else upstream * local


def _together(gate: Subject, upstream: Array, inputs: Sequence[int]) -> list[Array]:
    """Apply the operators of several inputs of one gate to its upstream gradient."""
    node = gate.tensor
    places = [gate.places[i] for i in inputs]

    def run(*values: Tensor) -> Tensor:
        given = [each.detach() if isinstance(each, Tensor) else each for each in node.inputs]
        for place, value in zip(places, values, strict=True):
            given[place] = value
        return apply(node.op, given, node.params)

    with np.errstate(all="ignore"):
        pull = vjp(run, *(Tensor(gate.inputs[i].value) for i in inputs))[1]
    return [each.data for each in pull(upstream)]


def _summed(product: Array, shape: tuple[int, ...]) -> Array:
    """Sum back over the axes on which the input was broadcast."""
    return product if product.shape == shape else named("sum_to")(Tensor(product), shape=shape).data


def _difference(one: Array, two: Array) -> float:
    """Return the largest difference; the same infinity, and NaN in both, is none."""
    if np.array_equal(one, two):
        return 0.0
    with np.errstate(all="ignore"):
        apart = np.abs(one - two)
    same = (one == two) | (np.isnan(one) & np.isnan(two))
    return float(np.where(same, 0, apart).max(initial=0))
