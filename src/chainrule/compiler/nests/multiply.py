"""Contractions as matrix products: named axes become rows, columns and sums with strides.

An operand is used where it lies, if its axes can be walked with even steps; else it is copied once
into the order that the product wants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from chainrule.compiler.cpu.product import Matrix, Product
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.agenda import space_of
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import loop, number, variable
from chainrule.compiler.nests.nest import Store
from chainrule.core.families.contraction import Contraction
from chainrule.core.program import Equation, Value

_WIDE = 16  # columns or rows that are enough for a product of its own


@dataclass(frozen=True)
class Axis:
    """One named axis of a product: its size, and its place in the left, right and output values."""

    size: int
    places: tuple[int | None, int | None, int | None]


def product_of(lowering: Any, step: Equation) -> Buffer:
    """Add the product of a contraction to the work, and return the buffer that holds the result."""
    left, right = step.reads
    batch, rows, summed, columns = _groups(step)
    dtype = step.output.spec.dtype
    steps = _strides(step.output.spec.shape)
    turned = _merged(rows[-1:], steps, 2) == 1 and _merged(columns[-1:], steps, 2) != 1
    if turned:  # neighbours in memory should be columns
        left, right, rows, columns = right, left, columns, rows
    one = _operand(lowering, left, int(turned), (batch, rows, summed), dtype)
    two = _operand(lowering, right, int(not turned), (batch, summed, columns), dtype)
    merged = [_merged(group, steps, 2) for group in (rows, columns, batch)]
    order = [*batch, *rows, *columns]
    apart = None in merged
    if apart:  # the result is made in this order and then put into its own
        home = lowering.temporary(tuple(axis.size for axis in order), dtype)
        merged = [_size(columns), 1, _size(rows) * _size(columns)]
    else:
        home = lowering.home(step.output)
    out = Matrix(_size(rows), _size(columns), *merged)
    product = Product(_size(batch), one[1], two[1], out, dtype.name)
    variables, at = lowering.elements.loops(home.shape, "o")
    store = Store(home, home.address(at), terms.product(home, variables))
    plain = not apart and home.shape == (out.rows, out.columns) and out.columns > 1
    lowering.agenda.product(product, [one[0], two[0]], variables if plain else [], store)
    return _reordered(lowering, step.output, home, order) if apart else home


def _reordered(lowering: Any, value: Value, made: Buffer, order: Sequence[Axis]) -> Buffer:
    home = lowering.home(value)
    loops, at = lowering.elements.loops(home.shape, "o")
    seen = terms.load(made, made.address([at[axis.places[2] or 0] for axis in order]))
    lowering.add_store(space_of(home.shape, False), loops, Store(home, home.address(at), seen))
    return home


def _groups(step: Equation) -> tuple[list[Axis], list[Axis], list[Axis], list[Axis]]:
    """Sort the axes into batch, rows, summed and columns; leading axes of one side only are its own."""
    axes = cast("Contraction", step.op).axes
    shapes = [each.spec.shape for each in (*step.reads, step.output)]
    names = (axes.left, axes.right, axes.out)
    leads = [len(shape) - len(given) for shape, given in zip(shapes, names, strict=True)]
    found: dict[Any, list[int | None]] = {}
    sizes: dict[Any, int] = {}
    for side, (shape, given, lead) in enumerate(zip(shapes, names, leads, strict=True)):
        keys = [place - lead for place in range(lead)] + list(given)
        for place, (key, size) in enumerate(zip(keys, shape, strict=True)):
            present = size != 1 or not isinstance(key, int) or side == 2
            found.setdefault(key, [None, None, None])[side] = place if present else None
            sizes[key] = max(size, sizes.get(key, 1))
    order = [key for key in found if isinstance(key, int)]
    order = sorted(order) + [key for key in found if not isinstance(key, int)]
    groups: tuple[list[Axis], ...] = ([], [], [], [])
    for key in order:
        a, b, c = found[key]
        kind = 0 if a is not None and b is not None else 1 if a is not None else 3
        kind = 2 if c is None else kind
        if a is None and b is None:
            continue
        groups[kind].append(Axis(sizes[key], (a, b, c)))
    steps = _strides(shapes[2])
    for group in (
        groups[1],
        groups[3],
    ):  # what does not fit is a batch after all: leading axes, or the outermost
        leading = [axis for axis in group if (axis.places[2] or 0) < leads[2]]
        if _merged(_ordered(group), steps, 2) is None:
            outermost = _ordered(group)[:1] if _size(_ordered(group)[1:]) >= _WIDE else []
            apart = leading or outermost
            group[:] = [axis for axis in group if axis not in apart]
            groups[0].extend(apart)
    return _ordered(groups[0]), _ordered(groups[1]), groups[2], _ordered(groups[3])


def _ordered(axes: list[Axis]) -> list[Axis]:
    return sorted(axes, key=lambda axis: axis.places[2] or 0)


def _operand(
    lowering: Any, value: Value, side: int, groups: tuple[list[Axis], list[Axis], list[Axis]], dtype: Any
) -> tuple[Buffer, Matrix]:
    """Return an operand where it lies, or copied into (batch, first, second) order."""
    sizes = _size(groups[1]), _size(groups[2])
    made = [variable(f"m{axis}", size) for axis, size in enumerate(value.spec.shape)]
    seen = terms.cast(lowering.elements.of(value, tuple(map(loop, made))), dtype)
    if seen.kind == "load":
        place = seen.data[1]
        steps = [place.step(each) for each in made]
        merged = [_merged(group, steps, side) for group in groups]
        if None not in (*steps, *merged) and place.put(dict.fromkeys(made, number(0))).low == 0:
            return seen.data[0], Matrix(*sizes, *merged[1:], merged[0])
    if _same_order(side, *groups) and value.spec.dtype == dtype:
        merged = [_merged(group, _strides(value.spec.shape), side) for group in groups]
        if None not in merged:
            return lowering.laid_out(value), Matrix(*sizes, *merged[1:], merged[0])
    return _copied(lowering, value, side, groups, dtype)


def _same_order(side: int, *groups: list[Axis]) -> bool:
    places = [axis.places[side] for group in groups for axis in group if axis.places[side] is not None]
    return places == sorted(places)  # pyright: ignore


def _copied(
    lowering: Any, value: Value, side: int, groups: Sequence[Sequence[Axis]], dtype: Any
) -> tuple[Buffer, Matrix]:
    order = [axis for group in groups for axis in group]
    sizes = tuple(axis.size for axis in order)
    buffer = lowering.temporary(sizes, dtype)
    loops, at = lowering.elements.loops(sizes, "o")
    own: list[Any] = [number(0)] * len(value.spec.shape)
    for axis, index in zip(order, at, strict=True):
        if axis.places[side] is not None:
            own[axis.places[side]] = index
    term = terms.cast(lowering.elements.of(value, tuple(own)), dtype)
    lowering.add_store(space_of(sizes, False), loops, Store(buffer, buffer.address(at), term))
    rows, columns = _size(groups[1]), _size(groups[2])
    return buffer, Matrix(rows, columns, columns, 1, rows * columns if groups[0] else 0)


def _size(axes: Sequence[Axis]) -> int:
    return math.prod(axis.size for axis in axes)


def _strides(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _merged(axes: Sequence[Axis], steps: Sequence[int | None], side: int) -> Any:
    """Return the one step with which a group of axes is walked, or None if there is none."""
    if None in steps:
        return None
    kept = [axis for axis in axes if axis.size > 1]
    if not kept:
        return 1 if axes else 0
    taken = [0 if axis.places[side] is None else steps[axis.places[side]] for axis in kept]
    for outer, inner, axis in zip(taken, taken[1:], kept[1:], strict=False):
        if outer != inner * axis.size:  # pyright: ignore
            return None
    return taken[-1]
