"""Contractions: matrix products and their kin.

Two are declared by the names of their axes; `dot`, `tensordot` and `einsum` make a contraction for each
pattern that they are called with, and keep it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.core.families import Contraction, contraction
from chainrule.core.families.contraction import anonymous, parse
from chainrule.core.registry import public
from chainrule.core.sample import sample, wrong
from chainrule.core.spec import normalize_axes
from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.arithmetic import astype
from chainrule.ops.reduce import sum
from chainrule.ops.shape import expand_dims, reshape, transpose


@contraction(
    "... i, o i -> ... o",
    samples=[sample((4, 3), (2, 3)), sample((3,), (2, 3)), sample((2, 4, 3), (5, 3)), sample((0, 3), (2, 3))],
    wrong=[
        wrong(
            "linear_scores(x, weight): axis 'i' is 3 in x (axis 1) but 4 in weight (axis 1)", (2, 3), (5, 4)
        ),
        wrong("linear_scores(x, weight): weight has shape (3,), needs 2 axes (o i)", (2, 3), (3,)),
    ],
)
def linear_scores(x: Any, weight: Any) -> None:
    """Every row of `x` times every row of `weight`: the score function f = W x."""


@contraction(
    "... m k, ... k n -> ... m n",
    samples=[
        sample((2, 3), (3, 4)),
        sample((5, 2, 3), (5, 3, 4)),
        sample((5, 2, 3), (3, 4)),
        sample((5, 1, 2, 3), (4, 3, 2)),
        sample((2, 0), (0, 3)),
        sample((0, 2, 3), (3, 1)),
    ],
    wrong=[
        wrong("matrix_product(a, b): axis 'k' is 3 in a (axis 1) but 4 in b (axis 0)", (2, 3), (4, 5)),
        wrong("matrix_product(a, b): leading shapes (2,) and (3,) do not broadcast", (2, 1, 1), (3, 1, 1)),
    ],
)
def matrix_product(a: Any, b: Any) -> None:
    """Matrix product over the last two axes; leading axes broadcast."""


@public
def matmul(a: Any, b: Any) -> Tensor:
    """Matrix product, NumPy's `@`: vectors are rows on the left and columns on the right.

    >>> import chainrule as cr
    >>> (cr.ones((2, 3)) @ cr.ones(3)).shape
    (2,)
    """
    left, right = as_tensor(a), as_tensor(b)
    if not left.ndim or not right.ndim:
        raise ShapeError(
            f"matmul(a, b): needs at least one axis each, got shapes {left.shape} and {right.shape}",
            hint="multiply by a number with *",
        )
    rows, columns = left.ndim == 1, right.ndim == 1
    if not rows and not columns:
        return matrix_product(left, right)
    product = matrix_product(
        expand_dims(left, 0) if rows else left, expand_dims(right, 1) if columns else right
    )
    shape = product.shape
    lead = shape[:-2]
    return reshape(product, shape=lead + (() if rows else shape[-2:-1]) + (() if columns else shape[-1:]))


@public
def dot(a: Any, b: Any) -> Tensor:
    """NumPy's dot: inner product of vectors, else a sum over a's last and b's second-last axis."""
    left, right = as_tensor(a), as_tensor(b)
    if not left.ndim or not right.ndim:
        return left * right
    return tensordot(left, right, axes=((left.ndim - 1,), (right.ndim - 2 if right.ndim > 1 else 0,)))


@public
def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """Sum of products over pairs of axes: the last n of `a` with the first n of `b`, or two lists."""
    left, right = as_tensor(a), as_tensor(b)
    if isinstance(axes, (int, np.integer)):
        count = operator.index(axes)  # pyright: ignore[reportUnknownArgumentType]
        over = tuple(range(left.ndim - count, left.ndim)), tuple(range(count))
    else:
        over = _axes(axes[0]), _axes(axes[1])
    one = normalize_axes(over[0], left.ndim, "tensordot(a, b)")
    two = normalize_axes(over[1], right.ndim, "tensordot(a, b)")
    if len(one) != len(two):
        raise ArgumentError(f"tensordot(a, b): {len(one)} axes of a but {len(two)} of b")
    names = [f"a{i}" for i in range(left.ndim)], [f"b{i}" for i in range(right.ndim)]
    for i, j in zip(one, two, strict=True):
        names[1][j] = names[0][i]
    kept = [n for i, n in enumerate(names[0]) if i not in one] + [
        n for j, n in enumerate(names[1]) if j not in two
    ]
    return _contraction("tensordot", tuple(names[0]), tuple(names[1]), tuple(kept))(left, right)


def _axes(axes: Any) -> tuple[int, ...]:
    return tuple(map(operator.index, axes)) if isinstance(axes, Sequence) else (operator.index(axes),)  # pyright: ignore


@public
def outer(a: Any, b: Any) -> Tensor:
    """Every item of `a` (flattened) times every item of `b`."""
    left, right = reshape(as_tensor(a), shape=-1), reshape(as_tensor(b), shape=-1)
    return expand_dims(left, 1) * expand_dims(right, 0)


@public
def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Sum of products in Einstein's notation, such as `einsum("ij,jk->ik", a, b)`.

    Operands are contracted from left to right; repeated letters take the diagonal, and letters
    missing from the output are summed. `...` stands for broadcast axes.
    """
    tensors = [as_tensor(each) for each in operands]
    terms, output = _subscripts(subscripts, [each.ndim for each in tensors])
    dtype = np.result_type(*(each.dtype for each in tensors))
    named_operands = [
        _diagonal(_as(x, dtype), term, subscripts) for x, term in zip(tensors, terms, strict=True)
    ]
    total, names = named_operands[0]
    for place, (x, term) in enumerate(named_operands[1:], 1):
        later = {name for _, other in named_operands[place + 1 :] for name in other} | set(output)
        try:
            total, names = _product((total, names), (x, term), later)
        except ShapeError as error:
            raise ShapeError(error.headline, signature=subscripts, got=error.got) from None
    total, names = _summed(total, names, set(output))
    return transpose(total, axes=tuple(names.index(name) for name in output)) if names else total


Operand = tuple[Tensor, list[str]]


def _product(left: Operand, right: Operand, later: set[str]) -> Operand:
    """Contract two operands over the names that nothing later needs."""
    a, a_names = _summed(*left, later | set(right[1]))
    b, b_names = _summed(*right, later | set(left[1]))
    shared = [(a.shape[a_names.index(n)], b.shape[b_names.index(n)]) for n in a_names if n in b_names]
    if any(one != two and 1 in (one, two) for one, two in shared):
        return _broadcast_product((a, a_names), (b, b_names), later)
    kept = [n for n in a_names if n in later] + [n for n in b_names if n in later and n not in a_names]
    return _contraction("einsum", tuple(a_names), tuple(b_names), tuple(kept))(a, b), kept


def _broadcast_product(left: Operand, right: Operand, later: set[str]) -> Operand:
    """Multiply with broadcasting over axes of size 1, then sum."""
    names = left[1] + [name for name in right[1] if name not in left[1]]
    return _summed(_aligned(*left, names) * _aligned(*right, names), names, later)


def _aligned(x: Tensor, names: list[str], wanted: list[str]) -> Tensor:
    order = [name for name in wanted if name in names]
    x = transpose(x, axes=tuple(names.index(name) for name in order)) if order else x
    sizes = dict(zip(order, x.shape, strict=True))
    return reshape(x, shape=tuple(sizes.get(name, 1) for name in wanted))


def _summed(x: Tensor, names: list[str], keep: set[str]) -> Operand:
    axes = tuple(i for i, name in enumerate(names) if name not in keep)
    if not axes:
        return x, names
    return _as(sum(x, axis=axes), x.dtype), [name for name in names if name in keep]


def _diagonal(x: Tensor, term: list[str], subscripts: str) -> Operand:
    """Take the diagonal of letters that occur twice."""
    names = list(term)
    for name in list(dict.fromkeys(term)):
        while names.count(name) > 1:
            i = names.index(name)
            j = names.index(name, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(
                    f"einsum: letter {name!r} is {x.shape[i]} on axis {i} but {x.shape[j]} on axis {j}",
                    signature=subscripts,
                )
            order = [k for k in range(x.ndim) if k not in (i, j)]
            square = transpose(x, axes=(i, j, *order))
            places = list(range(x.shape[i]))
            x, names = square[places, places], [name, *(names[k] for k in order)]
    return x, names


def _subscripts(subscripts: str, ndims: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """Return the axis names of each operand and of the output."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ArgumentError(f"einsum: {subscripts!r} names {len(terms)} operand(s), got {len(ndims)}")
    named_terms: list[list[str]] = []
    widest = 0
    for term, ndim in zip(terms, ndims, strict=True):
        letters = term.replace("...", "", 1)
        extra = ndim - len(letters)
        if not all(each.isalpha() for each in letters) or extra < 0 or (extra and "..." not in term):
            raise ShapeError(f"einsum: {term!r} does not fit an operand of {ndim} axes", signature=subscripts)
        dots = [f".{i}" for i in range(extra, 0, -1)]
        before, _, after = term.partition("...")
        named_terms.append([*before, *dots, *after])
        widest = max(widest, extra)
    dots = [f".{i}" for i in range(widest, 0, -1)]
    if not arrow:
        letters = inputs.replace("...", "").replace(",", "")
        output = "..." * ("..." in inputs) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    before, _, after = output.partition("...")
    wanted = [*before, *(dots if "..." in output else []), *after]
    known = {name for term in named_terms for name in term}
    for name in wanted:
        if name not in known or wanted.count(name) > 1:
            raise ArgumentError(f"einsum: {subscripts!r}: output letter {name!r} is unknown or repeated")
    return named_terms, wanted


@lru_cache(maxsize=1024)
def _contraction(
    name: str, left: tuple[str, ...], right: tuple[str, ...], out: tuple[str, ...]
) -> Contraction:
    return anonymous(name, parse(f"{' '.join(left)}, {' '.join(right)} -> {' '.join(out)}"))


def _as(x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype == dtype else astype(x, dtype=dtype)
