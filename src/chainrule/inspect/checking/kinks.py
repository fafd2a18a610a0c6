"""Kinks: where a difference quotient straddles two branches of an op, and the proof that it does.

The scalar expression of an elementwise op names its own switches: the conditions of its choices,
maxima, absolute values, signs and floors. A switch that stands differently at the two ends of a step
is a kink between them. For maxima over axes the proof is the tie; for all other ops the two one-sided
differences, which do not meet as the step shrinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import scalar
from chainrule.core.families import Elementwise
from chainrule.core.families.reduction import Reduction
from chainrule.core.spec import Array, normalize_axes
from chainrule.core.tensor import Tensor
from chainrule.scalar import numpy as scalar_numpy
from chainrule.scalar.expr import VARIABLE, Expr, apply, walk

_COMPARED = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}
_ROUNDED = {"floor", "ceil", "rint"}


def switches(op: Elementwise, params: dict[str, Any]) -> list[tuple[str, Expr]]:
    """Return the switches in an op's meaning: what each is, and an expression of how it stands."""
    found: dict[Expr, str] = {}
    for node in walk(op.meaning(**params)):
        a, b = node.args[0] if node.args else node, node.args[-1] if node.args else node
        if node.function in {"maximum", "minimum"} | _COMPARED:
            found.setdefault(apply("sign", apply("subtract", a, b)), scalar.text(node))
        elif node.function in ("absolute", "sign"):
            found.setdefault(apply("sign", a), scalar.text(node))
        elif node.function in _ROUNDED:
            found.setdefault(node, scalar.text(node))
        elif node.function in ("floor_divide", "remainder"):
            found.setdefault(apply("floor_divide", a, b), scalar.text(node))
        elif node.function == "select" and a.function == VARIABLE:
            found.setdefault(apply("not_equal", a, scalar.constant(0.0)), scalar.text(node))
    return [(text, state) for state, text in found.items()]


def crossings(
    op: Elementwise, params: dict[str, Any], points: Sequence[Sequence[Any]]
) -> list[tuple[str, Array]]:
    """Return, for each switch, its text and where it stands differently at some of the `points`.

    A point is the list of all inputs.
    """
    names = (*op.inputs, *op.floats)
    floats = [params[name] for name in op.floats]
    found: list[tuple[str, Array]] = []
    for text, state in switches(op, params):
        function: Callable[..., Any] = scalar_numpy.function("switch", names, state)
        with np.errstate(all="ignore"):
            first, *others = (np.asarray(function(*point, *floats)) for point in points)
        flips = np.zeros(np.broadcast_shapes(*(np.shape(each) for each in points[0])), bool)
        for other in others:
            flips = flips | ((first != other) & ~(np.isnan(first) & np.isnan(other)))
        found.append((text, flips))
    return found


def tied(node: Tensor, x: Array, gap: float | Array) -> Array | None:
    """Mark the numbers of a maximum's (or minimum's) folds that are within `gap` of the extreme.

    Only folds in which several are; None where the op is no such reduction.
    """
    op = node.op
    if not isinstance(op, Reduction) or op.monoid not in ("maximum", "minimum"):
        return None
    axes = normalize_axes(node.params["axis"], x.ndim, op.name)
    extreme = op.ufunc.reduce(x, axis=axes, keepdims=True)
    with np.errstate(invalid="ignore"):
        near = (np.abs(x - extreme) <= gap) | (x == extreme)
    return near & (near.sum(axis=axes, keepdims=True) > 1)


def tie_proof(node: Tensor, x: Array, where: tuple[int, ...], gap: float) -> str:
    """Return which number ties with the one at `where`, or '' if none does."""
    ties = tied(node, x, gap)
    if ties is None or not ties[where]:
        return ""
    axes = normalize_axes(node.params["axis"], x.ndim, node.op.name)
    fold = tuple(slice(None) if axis in axes else where[axis] for axis in range(x.ndim))
    rivals = np.zeros(x.shape, bool)
    rivals[fold] = ties[fold]
    rivals[where] = False
    other = tuple(int(i) for i in np.argwhere(rivals)[0])
    return (
        f"x{list(where)} = {x[where]:.6g} and x{list(other)} = {x[other]:.6g} tie for the {node.op.name}, "
        f"{abs(x[where] - x[other]):.2g} apart, within the step {gap:.1g}"
    )
