"""Elements: what one element of each value of a program is, keyed by the family of its op.

An elementwise op applies its expression, a movement changes indices, a reduction folds, a transpose
asks where an element went. Values that have a home in memory are read from it; all others are
written out in terms of those, so a chain of ops is one term, and no movement ever moves anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, cast

import numpy as np

from chainrule import scalar
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import Buffer, flat, unflat
from chainrule.compiler.nests.index import Index, Variable, loop, number, variable
from chainrule.compiler.nests.lookup import Indices, broadcast, looked_up
from chainrule.compiler.nests.term import Bound, Term
from chainrule.core.families.contraction import Contraction
from chainrule.core.families.elementwise import Elementwise
from chainrule.core.families.movement import IndexMap, Movement, Transposed
from chainrule.core.families.reduction import Reduction
from chainrule.core.program import Equation, Operand, Value
from chainrule.core.spec import Shape, normalize_axes
from chainrule.core.watched import Watched
from chainrule.errors import TraceError

_IMAGES = ".lane"  # how names of variables over images side by side end; no axis of an op is called so


class Elements:
    """The elements of a program's values, as far as decided: `homes` says which lie in memory."""

    def __init__(self, equations: dict[int, Equation], setting: Callable[[Watched], Term]) -> None:
        self.homes: dict[int, Buffer] = {}
        self.equations, self.setting = equations, setting
        self.split = 0  # so many items of axis 0 of an image-like value lie side by side
        self._known: dict[Any, Term] = {}

    def settle(self, value: Value, home: Buffer) -> None:
        """Let a value be read from memory from now on."""
        self.homes[id(value)] = home
        self._known.clear()

    def of(self, operand: Operand, at: Indices, depth: int = 0) -> Term:
        """Return the element of an operand at `at`, inside `depth` folds."""
        if not isinstance(operand, Value):
            assert operand is not None
            return terms.value(operand)
        home = self.homes.get(id(operand))
        if home is not None:
            return terms.load(home, home.address(at))
        if operand.constant is not None:
            return terms.held(operand.constant.item(), operand.spec.dtype)
        if 0 in operand.spec.shape:  # there is no element to be read
            return terms.held(0, operand.spec.dtype)
        key = (id(operand), at, depth)
        found = self._known.get(key)
        if found is None:
            equation = self.equations[id(operand)]
            found = self._known[key] = _FAMILIES[equation.op.family](self, equation, at, depth)
        return found

    def computed(self, value: Value, at: Indices) -> Term:
        """Return the element as it is computed, whether or not the value has a home."""
        equation = self.equations[id(value)]
        return _FAMILIES[equation.op.family](self, equation, at, 0)

    def loops(self, shape: Shape, name: str, spread: bool = False) -> tuple[list[Variable], Indices]:
        """Return loop variables over a shape, and the indices that they make.

        With `spread`, axis 0 is cut into blocks of `split` items, and the items come last.
        """
        counted = 0
        made: list[Variable] = []
        for size in shape:  # axes of size 1 are not counted, so that spaces that differ by them are one
            made.append(variable(f"{name}{counted}", size))
            counted += size != 1
        if not spread or not self.split:
            return made, tuple(map(loop, made))
        block = variable(f"{name}block", -(-shape[0] // self.split))
        inside = variable(f"{name}lane", self.split)
        return [block, *made[1:], inside], (
            loop(block) * self.split + loop(inside),
            *map(loop, made[1:]),
        )

    def spread(self, value: Value) -> bool:
        """Tell whether elements of a value are made of images of a batch that lie side by side in memory."""
        home = self.homes.get(id(value))
        if home is not None or id(value) not in self.equations:
            return home is not None and home.lanes > 0
        shape = value.spec.shape
        if not self.split or len(shape) < 2:
            return False
        made = [variable(f"p{axis}", size) for axis, size in enumerate(shape)]
        return any(
            each.kind == "load"
            and each.data[0].lanes
            and made[0] in each.free
            and each.data[1].step(made[0]) in (None, 1)  # its neighbours are neighbours
            for each in terms.walk([self.of(value, tuple(map(loop, made)))])
        )


def _elementwise(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    op = cast("Elementwise", equation.op)
    shape = equation.output.spec.shape
    args = [elements.of(each, broadcast(each, shape, at), depth) for each in equation.inputs]
    for name in op.floats:
        given = equation.params[name]
        args.append(elements.setting(given) if isinstance(given, Watched) else terms.value(float(given)))
    names = (*op.inputs, *op.floats)
    return terms.apply(op.meaning(**equation.params), names, args, equation.output.spec.dtype)


def _movement(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    (source,) = equation.reads
    if isinstance(equation.op, Transposed):
        inner = equation.params
        back = equation.op.forward.map(tuple(inner["shape"]), **inner["params"])
        return _transposed(elements, source, back, at, depth)
    return _moved(elements, source, cast("Movement", equation.op), equation.params, at, depth)


def _moved(
    elements: Elements, source: Value, op: Movement, params: dict[str, Any], at: Indices, depth: int
) -> Term:
    found = op.map(source.spec.shape, **params)
    if found.indices is None:
        return elements.of(source, unflat(flat(at, found.shape), source.spec.shape), depth)
    places = tuple(
        sum((at[axis] * step for axis, step in index.steps), number(index.start)) for index in found.indices
    )
    bounds: list[Bound] = [(i, 0, size - 1) for i, size in zip(places, source.spec.shape, strict=True)]
    inside = elements.of(source, places, depth)
    return terms.guard(bounds, inside, terms.held(found.fill, source.spec.dtype))


def _transposed(elements: Elements, source: Value, back: IndexMap, at: Indices, depth: int) -> Term:
    """Ask, for each element of the map's source, which elements of the result were read from it."""
    dtype = source.spec.dtype
    if back.indices is None:
        return elements.of(source, unflat(flat(at, back.source), back.shape), depth)
    found: list[Index | None] = [None] * len(back.shape)
    bounds: list[Bound] = []
    free: list[Variable] = []

    def folded(axis: int) -> Index:
        made = variable(f"t{depth}_{axis}", back.shape[axis])
        free.append(made)
        return loop(made)

    for index, place in zip(back.indices, at, strict=True):
        steps = sorted(((a, s) for a, s in index.steps if s), key=lambda pair: -back.shape[pair[0]])
        offset = place - index.start
        if len(steps) == 2 and _tiles(steps, back.shape):
            (outer, stride), (inner, step) = sorted(steps, key=lambda pair: -abs(pair[1]))
            found[inner], found[outer] = (offset % stride) // step, offset // stride
            bounds.append((offset // stride, 0, back.shape[outer] - 1))
            bounds.append((offset % stride, 0, step * (back.shape[inner] - 1)))
            bounds.append((offset % stride % step, 0, 0))
            continue
        for axis, step in steps[1:]:
            found[axis] = folded(axis)
            offset = offset - found[axis] * step  # pyright: ignore
        if not steps:
            bounds.append((offset, 0, 0))
            continue
        (axis, step), size = steps[0], back.shape[steps[0][0]]
        if step < 0:
            offset, step = offset * -1, -step
        found[axis] = offset // step
        bounds += [(offset % step, 0, 0), (found[axis], 0, size - 1)]  # pyright: ignore
    places = tuple(each if each is not None else folded(axis) for axis, each in enumerate(found))
    term = terms.guard(bounds, elements.of(source, places, depth + bool(free)), terms.held(0, dtype))
    return terms.fold("add", free, term, dtype) if free else term


def _tiles(steps: Sequence[tuple[int, int]], shape: Shape) -> bool:
    """Tell whether two axes step through one without meeting: windows that do not overlap."""
    (outer, stride), (inner, step) = sorted(steps, key=lambda pair: -abs(pair[1]))
    return stride > 0 and step > 0 and step * (shape[inner] - 1) < stride and (outer != inner)


def _reduction(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    op = cast("Reduction", equation.op)
    axes, places = _along(equation, at)
    return _folded(elements, op.monoid, equation.reads[0], places, axes, equation.output.spec.dtype, depth)


def _along(equation: Equation, at: Indices) -> tuple[tuple[int, ...], dict[int, Index]]:
    """Return the axes along which items of the input become one, and where its other axes are at `at`."""
    ndim = len(equation.reads[0].spec.shape)
    axes = normalize_axes(equation.params["axis"], ndim, equation.op.heading)
    kept = [i for i in range(ndim) if i not in axes]
    given = [at[i] for i in kept] if equation.params["keepdims"] else at
    return axes, dict(zip(kept, given, strict=True))


def _folded(
    elements: Elements,
    monoid: str,
    x: Value,
    places: dict[int, Index],
    axes: Sequence[int],
    dtype: np.dtype[Any],
    depth: int,
) -> Term:
    """Fold over `axes` of x, its other axes being at `places`."""
    free, indices, bounds = _loops_over(elements, x, axes, depth)
    places = {**places, **dict(zip(axes, indices, strict=True))}
    item = elements.of(x, tuple(places[i] for i in range(len(places))), depth + 1)
    item = terms.cast(item, dtype)
    if bounds:
        item = terms.guard(bounds, item, terms.identity(monoid, dtype))
    return terms.fold(monoid, free, item, dtype)


def sums_over_images(term: Term) -> list[Term]:
    """Return the sums in a term, none inside another, over more than a block of images and all of a plane."""
    found, waiting, seen = list[Term](), [term], set[Term]()
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        if each.kind != "fold":
            waiting += each.args
        elif each.data[0] == "add" and len(each.data[1]) > 2:
            block, *own, lane = each.data[1]
            if lane.name.endswith(_IMAGES) and block.extent > 1 and prod(of.extent for of in own) > 1:
                found.append(each)
    return found


def _loops_over(
    elements: Elements, x: Value, axes: Sequence[int], depth: int
) -> tuple[list[Variable], list[Index], list[Bound]]:
    """Return loop variables over axes of x; where its images lie side by side, over blocks and items."""
    shape = x.spec.shape
    free = [variable(f"f{depth}_{axis}", shape[axis]) for axis in axes]
    indices = list(map(loop, free))
    if not (axes and axes[0] == 0 and elements.spread(x)):
        return free, indices, []
    block = variable(f"f{depth}_0", -(-shape[0] // elements.split))
    inside = variable(f"f{depth}{_IMAGES}", elements.split)
    indices[0] = loop(block) * elements.split + loop(inside)
    return [block, *free[1:], inside], indices, [(indices[0], 0, shape[0] - 1)]


def _contraction(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    op = cast("Contraction", equation.op)
    a, b = equation.reads
    axes, dtype = op.axes, equation.output.spec.dtype
    lead = len(at) - len(axes.out)
    places = dict(zip(axes.out, at[lead:], strict=True))
    sizes = dict(zip(reversed(axes.left), reversed(a.spec.shape), strict=False))
    free = [variable(f"f{depth}_{n}", sizes[n]) for n in axes.left if n not in axes.out]
    summed = [n for n in axes.left if n not in axes.out]
    places.update(zip(summed, map(loop, free), strict=True))

    def read(value: Value, names: Sequence[str]) -> Term:
        own = value.spec.shape
        extra = len(own) - len(names)
        before = at[lead - extra : lead]
        leading = tuple(i if s != 1 else number(0) for i, s in zip(before, own, strict=False))
        found = elements.of(value, (*leading, *(places[n] for n in names)), depth + 1)
        return terms.cast(found, dtype)

    product = terms.apply(_PRODUCT, ("x", "y"), [read(a, axes.left), read(b, axes.right)], dtype)
    return terms.fold("add", free, product, dtype) if free else product


def _opaque(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    made = _OPAQUE.get(equation.op.name)
    if made is None:
        raise TraceError(f"compile: {equation.op.name} has no native form")
    return made(elements, equation, at, depth)


def _sum_to(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    (x,) = equation.reads
    shape, out = x.spec.shape, equation.output.spec.shape
    lead = len(shape) - len(out)
    axes = [i for i in range(len(shape)) if i < lead or (out[i - lead] == 1 and shape[i] != 1)]
    places = {i: at[i - lead] for i in range(len(shape)) if i not in axes}
    if not axes:
        return elements.of(x, at, depth)
    return _folded(elements, "add", x, places, axes, x.spec.dtype, depth)


def _joined(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    axis = equation.params["axis"] % len(at)
    dtype = equation.output.spec.dtype
    found = terms.held(0, dtype)
    start = 0
    for each in equation.reads:
        size = each.spec.shape[axis]
        place = at[axis] - start
        if size:
            inside = elements.of(each, (*at[:axis], place, *at[axis + 1 :]), depth)
            found = terms.guard([(place, 0, size - 1)], terms.cast(inside, dtype), found)
        start += size
    return found


def _picked(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    x, *arrays = equation.reads
    return elements.of(x, looked_up(elements, equation, arrays, x.spec.shape, at, depth), depth)


def _place_of(monoid: str) -> Callable[..., Term]:
    """Return the element of argmax or argmin: the first place that holds the extreme."""

    def element(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
        (x,) = equation.reads
        axes, places = _along(equation, at)
        best = _folded(elements, monoid, x, places, axes, x.spec.dtype, depth)
        return _matched(elements, x, best, places, axes, equation.output.spec.dtype, depth)

    return element


def _first_place(elements: Elements, equation: Equation, at: Indices, depth: int) -> Term:
    x, y = equation.reads
    axes = equation.params["axes"]
    places = {i: at[i] for i in range(len(at)) if i not in axes}
    best = elements.of(y, at, depth)
    return _matched(elements, x, best, places, axes, equation.output.spec.dtype, depth)


def _matched(
    elements: Elements,
    x: Value,
    best: Term,
    places: dict[int, Index],
    axes: Sequence[int],
    dtype: np.dtype[Any],
    depth: int,
) -> Term:
    """Return the place along `axes` of the first item of x that is `best` (or NaN with it)."""
    free = [variable(f"f{depth}_{axis}", x.spec.shape[axis]) for axis in axes]
    places = {**places, **dict(zip(axes, map(loop, free), strict=True))}
    item = elements.of(x, tuple(places[i] for i in range(len(places))), depth + 1)
    return terms.first(free, terms.apply(_MATCH, ("x", "y"), (item, best), np.dtype(np.bool_)), dtype)


_X, _Y = scalar.variable("x"), scalar.variable("y")
_PRODUCT = _X * _Y
_MATCH = scalar.logical_or(
    scalar.equal(_X, _Y), scalar.logical_and(scalar.not_equal(_X, _X), scalar.not_equal(_Y, _Y))
)
_OPAQUE: dict[str, Callable[..., Term]] = {
    "sum_to": _sum_to,
    "joined": _joined,
    "picked": _picked,
    "first_place": _first_place,
    "argmax": _place_of("maximum"),
    "argmin": _place_of("minimum"),
}
_FAMILIES: dict[str, Callable[..., Term]] = {
    "elementwise": _elementwise,
    "movement": _movement,
    "reduction": _reduction,
    "contraction": _contraction,
    "opaque": _opaque,
}
