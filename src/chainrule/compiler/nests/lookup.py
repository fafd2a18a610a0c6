"""Lookup: indices that are not known before there are numbers, and indices that broadcast.

An integer that is read from an array becomes part of an index. It is counted from the end where it
is negative, and kept inside whatever it is: that it was wrong is reported by the step. Sums of loop
variables and bounded integers are indices as they are, so that a row that begins anywhere is a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import scalar
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.index import Index, dynamic, number
from chainrule.compiler.nests.term import Term
from chainrule.core.program import Equation, Operand, Value
from chainrule.core.spec import Shape
from chainrule.errors import IndexRangeError
from chainrule.ops.index import Slot
from chainrule.scalar.expr import Expr, walk

Indices = tuple[Index, ...]
_PLACE = np.dtype(np.int64)
_X, _Y = scalar.variable("x"), scalar.variable("y")
_WITHIN = scalar.minimum(scalar.maximum(scalar.select(_X < 0, _X + _Y, _X), 0), _Y - 1)


def broadcast(operand: Operand, shape: Shape, at: Indices) -> Indices:
    """Return where the element of an operand lies that meets the one at `at` of a result of `shape`."""
    if not isinstance(operand, Value):
        return ()
    own = operand.spec.shape
    lead = len(shape) - len(own)
    return tuple(i if size != 1 else number(0) for i, size in zip(at[lead:], own, strict=True))


def looked_up(
    elements: Any, equation: Equation, arrays: Sequence[Value], shape: Shape, at: Indices, depth: int
) -> Indices:
    """Return where in an array of `shape` the key of a lookup finds the item at `at`."""
    key = equation.params["key"]
    common = np.broadcast_shapes(*(each.spec.shape for each in arrays))
    inside, parts = _key_axes(key, shape, common)
    places: list[Index] = []
    for part, axis, size in parts:
        if part == "all":
            places.append(at[axis])
        elif isinstance(part, slice):
            start, _, step = part.indices(size)
            places.append(at[axis] * step + start)
        elif isinstance(part, Slot):
            array = arrays[part.place]
            read = elements.of(array, broadcast(array, common, at[inside : inside + len(common)]), depth)
            places.append(_place(read, size))
        else:
            places.append(number(int(part) % size))
    return tuple(places)


def slots(step: Equation) -> list[tuple[Value, int, str]]:
    """Return each index array of a lookup, the size of the axis it looks into, and the error if wrong."""
    first, *arrays = step.reads
    shape = first.spec.shape if step.op.name == "picked" else step.params["shape"]
    _, parts = _key_axes(step.params["key"], shape, ())
    text = "index: a place is out of bounds for an axis of size"
    return [(arrays[part.place], size, f"{text} {size}") for part, _, size in parts if isinstance(part, Slot)]


def refuse_known(step: Equation) -> None:
    """Raise IndexRangeError if a known integer is no place of what it looks into."""
    for array, size, text in slots(step):
        known = array.constant
        if known is not None and ((known < -size) | (known >= size)).any():
            raise IndexRangeError(text)


def _key_axes(key: tuple[Any, ...], shape: Shape, common: Shape) -> tuple[int, list[Any]]:
    """Return where the index arrays' axes stand in the result, and each source axis with its part."""
    given = len([each for each in key if each is not None and each is not Ellipsis])
    at = key.index(Ellipsis) if Ellipsis in key else len(key)
    full = (*key[:at], *(["all"] * (len(shape) - given)), *key[at + 1 :])
    looked = [i for i, part in enumerate(full) if isinstance(part, (Slot, int, np.integer))]
    together = looked == list(range(looked[0], looked[-1] + 1))
    parts: list[Any] = []
    axis, source, inside = (0, 0, 0) if together else (len(common), 0, 0)
    for place, part in enumerate(full):
        if place in looked:
            if together and place == looked[0]:
                inside, axis = axis, axis + len(common)
            parts.append((part, -1, shape[source]))
        else:
            if part is not None:
                parts.append((part, axis, shape[source]))
            axis += 1
        source += part is not None
    return inside, parts


def _place(read: Term, size: int) -> Index:
    """Return the place on an axis that an integer means; one beyond is kept inside (the step reports it)."""
    found = whole(read)
    if found is not None and 0 <= found.low and found.high < size:
        return found
    if found is not None and -size <= found.low and found.high < 0:
        return found + size
    wrapped = terms.apply(_WITHIN, ("x", "y"), [terms.cast(read, _PLACE), terms.value(size)], _PLACE)
    return dynamic(wrapped, 0, max(size - 1, 0))


def whole(term: Term) -> Index | None:
    """Return a whole number as an index, if it is made of loop variables and integers of known range."""
    if term.kind == "number" and isinstance(term.data[2], int):
        return number(int(term.data[2]))
    if term.kind == "cast" and term.dtype == _PLACE and np.can_cast(term.args[0].dtype, _PLACE):
        return whole(term.args[0])
    if term.kind == "load":
        buffer, place = term.data
        if buffer.progression is not None:
            start, step = buffer.progression
            return place * step + start
        return None if buffer.within is None else dynamic(term, *buffer.within)
    if term.kind == "apply" and all(arg.weak or arg.dtype == _PLACE for arg in (term, *term.args)):
        return _combined(*term.data, [whole(arg) for arg in term.args])
    return None


def _combined(root: Expr, names: Sequence[str], args: Sequence[Index | None]) -> Index | None:
    """Return an expression of indices, if it is a sum of multiples of them."""
    known = dict(zip(names, args, strict=True))
    found: dict[Expr, Index | None] = {}
    for node in walk(root):
        parts = [found[arg] for arg in node.args]
        if node.function == "variable":
            found[node] = known[str(node.value)]
        elif node.function == "constant":
            found[node] = number(node.value) if isinstance(node.value, int) else None
        elif node.function in _LINEAR and None not in parts:
            found[node] = _LINEAR[node.function](*parts)
        else:
            return None
    return found[root]


def _multiplied(one: Index, two: Index) -> Index | None:
    if one.terms and two.terms:
        return None
    return one * two.constant if one.terms else two * one.constant


_LINEAR: dict[str, Callable[..., Index | None]] = {
    "add": lambda one, two: one + two,
    "subtract": lambda one, two: one - two,
    "multiply": _multiplied,
    "negative": lambda one: one * -1,
}
