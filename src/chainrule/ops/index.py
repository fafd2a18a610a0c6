"""Indexing: NumPy's whole `x[...]`, split into slices (a movement) and lookups by integer arrays.

Both have rules of their own: the gradient of a lookup adds up where an item was taken several times. Which
elements a mask selects is looked up at once.
"""

from __future__ import annotations

import operator
from typing import Any, cast

import numpy as np

from chainrule.core.families import movement, opaque
from chainrule.core.families.movement import Index, IndexMap, Source
from chainrule.core.mode import mode
from chainrule.core.op import apply
from chainrule.core.registry import public
from chainrule.core.sample import Integers, sample, wrong
from chainrule.core.spec import Array, Shape, Spec, normalize_axis
from chainrule.core.tensor import Tensor, as_tensor, to_array
from chainrule.errors import DTypeError, IndexRangeError
from chainrule.ops.shape import ravel


@movement(
    view=lambda x, *, key: x[key],
    samples=[
        sample((5, 4), key=(slice(1, None, 2),)),
        sample((5, 4), key=(slice(None, None, -2), None, -1)),
        sample((5, 4), key=(Ellipsis, slice(3, 0, -1))),
        sample((3, 4, 2), key=(1, ..., None, 0)),
        sample((5,), key=(slice(4, 2),)),
        sample((), key=()),
    ],
    wrong=[
        wrong("index: 5 is out of bounds for axis 1 of size 3", (2, 3), key=(0, 5)),
        wrong("index: 3 indices for a tensor of 2 axes, shape (2, 3)", (2, 3), key=(0, 0, 0)),
        wrong("index: there may be one ... only", (2, 3), key=(..., 0, ...)),
    ],
)
def sliced(x: Source, *, key: tuple[Any, ...] = ()) -> IndexMap:
    """The part of a tensor that slices, integers, None and ... select."""
    given = len([each for each in key if each is not None and each is not Ellipsis])
    if given > x.ndim:
        raise IndexRangeError(f"index: {given} indices for a tensor of {x.ndim} axes, shape {x.shape}")
    if key.count(Ellipsis) > 1:
        raise IndexRangeError("index: there may be one ... only")
    at = key.index(Ellipsis) if Ellipsis in key else len(key)
    key = key[:at] + (slice(None),) * (x.ndim - given) + key[at + 1 :]
    shape: list[int] = []
    indices: list[Index] = []
    for each in key:
        if each is None:
            shape.append(1)
        elif isinstance(each, slice):
            start, stop, step = each.indices(x.shape[len(indices)])
            indices.append(Index(start, ((len(shape), step),)))
            shape.append(len(range(start, stop, step)))
        else:
            axis, size = len(indices), x.shape[len(indices)]
            if not -size <= each < size:
                raise IndexRangeError(f"index: {each} is out of bounds for axis {axis} of size {size}")
            indices.append(Index(operator.index(each) % size))
    return x.at(indices, tuple(shape))


def _rebuilt(key: tuple[Any, ...], indices: tuple[Array, ...]) -> tuple[Any, ...]:
    """Put the index arrays back where the key holds their numbers."""
    return tuple(indices[each.place] if isinstance(each, Slot) else each for each in key)


class Slot:
    """The place of an index array in a key."""

    def __init__(self, place: int) -> None:
        self.place = place

    def __repr__(self) -> str:
        return f"index[{self.place}]"


def _picked_spec(x: Spec, *indices: Spec, key: tuple[Any, ...]) -> Spec:
    zeros = tuple(np.zeros(each.shape, np.int64) for each in indices)
    probe = np.broadcast_to(np.zeros((), np.bool_), x.shape)
    try:
        return Spec(probe[_rebuilt(key, zeros)].shape, x.dtype)
    except IndexError as error:
        raise IndexRangeError(f"index: {error}") from None


def _picked_gradient(
    g: Tensor, node: Tensor, x: Tensor, *indices: Array, key: tuple[Any, ...]
) -> list[Tensor | None]:
    return [placed(g, *indices, shape=x.shape, key=key), *(None for _ in indices)]


@opaque(
    spec=_picked_spec,
    gradient=_picked_gradient,
    samples=[
        sample((5, 4), Integers((3,), 0, 5), key=(Slot(0),)),
        sample((5, 4), Integers((2, 3), -5, 5), Integers((3,), 0, 4), key=(Slot(0), Slot(1))),
        sample((5, 4, 3), Integers((2,), 0, 5), key=(Slot(0), None, slice(1, None), 0)),
        sample((5, 4), Integers((0,), 0, 5), key=(slice(None), Slot(0))),
    ],
)
def picked(*x: Array, key: tuple[Any, ...] = ()) -> Array:
    """The items of x[0] at integer arrays x[1:]; an item may be picked several times."""
    return x[0][_rebuilt(key, x[1:])]


def _placed_spec(g: Spec, *indices: Spec, shape: Shape, key: tuple[Any, ...]) -> Spec:
    return Spec(tuple(shape), g.dtype)


def _placed_gradient(
    g: Tensor, node: Tensor, x: Tensor, *indices: Array, shape: Shape, key: tuple[Any, ...]
) -> list[Tensor | None]:
    return [picked(g, *indices, key=key), *(None for _ in indices)]


@opaque(
    spec=_placed_spec,
    gradient=_placed_gradient,
    samples=[sample((3, 4), Integers((3,), 0, 5), shape=(5, 4), key=(Slot(0),))],
)
def placed(*g: Array, shape: Shape = (), key: tuple[Any, ...] = ()) -> Array:
    """Zeros of `shape` with g[0] added at integer arrays g[1:]: the transpose of picking."""
    out = np.zeros(shape, g[0].dtype)
    np.add.at(out, _rebuilt(key, g[1:]), g[0])
    return out


_PLAIN = (slice, int, type(None), type(Ellipsis))


@public
def getitem(x: Any, key: Any) -> Tensor:
    """NumPy's `x[key]`: slices, integers, None, ..., integer arrays and boolean masks."""
    tensor = as_tensor(x)
    if key.__class__ is int or key.__class__ is slice:
        return apply(sliced, (tensor,), {"key": (key,)})
    parts = tuple(map(_plain, cast("tuple[Any, ...]", key) if isinstance(key, tuple) else (key,)))
    if all(each.__class__ in _PLAIN or isinstance(each, np.integer) for each in parts):
        return sliced(tensor, key=parts)
    if any(map(_is_flag, parts)):
        tensor, parts = _without_flags(tensor, parts)
    arrays: list[Array] = []
    slots: list[Any] = []
    for part in parts:
        if part is None or part is Ellipsis or isinstance(part, slice):
            slots.append(part)
            continue
        array = _index_array(part)
        for each in array.nonzero() if array.dtype == np.bool_ and array.ndim else (array,):
            slots.append(Slot(len(arrays)))
            arrays.append(each)
        if array.dtype == np.bool_:
            _check_mask(array, tensor.shape, slots)
    return picked(tensor, *arrays, key=tuple(slots))


def _plain(part: Any) -> Any:
    """Return a tensor's array; where a mask selects is looked up at once, so it must be known."""
    if not isinstance(part, Tensor):
        return part
    if part.dtype == np.bool_:
        return part.read("index by a mask")
    if mode.trace is not None:
        mode.trace.seen(part)
    return part._data


def _is_flag(part: Any) -> bool:
    """Tell whether a part of a key is a single boolean: a mask without axes."""
    if isinstance(part, np.ndarray):
        array = cast("Array", part)
        return not array.ndim and array.dtype == np.bool_
    return isinstance(part, (bool, np.bool_))


def _without_flags(tensor: Tensor, parts: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
    """Return a tensor with a new axis for every single boolean, of which its one item, or none, is taken."""
    axes: list[Any] = []
    for each in parts:
        if each is Ellipsis:
            axes.append(each)
        elif _is_flag(each):
            axes.append(None)
        elif isinstance(each, slice):
            axes.append(slice(None))
        elif each is not None:
            array = _index_array(each)
            axes += [slice(None)] * (array.ndim if array.dtype == np.bool_ else 1)
    taken = (np.zeros(int(each), np.int64) if _is_flag(each) else each for each in parts)
    return sliced(tensor, key=tuple(axes)), tuple(taken)


def _index_array(part: Any) -> Array:
    array: Array = np.asarray(part)
    if not array.size and not isinstance(part, np.ndarray):
        array = array.astype(np.int64)  # NumPy makes an empty list float, and takes it as an index
    if array.dtype.kind not in "iub":
        raise DTypeError(
            f"index: {array.dtype} is no index; use slices, integers, None, ..., integer or bool arrays"
        )
    return array


def _check_mask(mask: Array, shape: Shape, slots: list[Any]) -> None:
    axis = sum(each is not None for each in slots) - mask.ndim
    if Ellipsis not in slots and mask.shape != shape[axis : axis + mask.ndim]:
        raise IndexRangeError(
            f"index: a mask of shape {mask.shape} does not fit "
            f"axes {axis} to {axis + mask.ndim - 1} of {shape}"
        )


@public
def take(a: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The items at integer `indices` along `axis` (of the flattened tensor for None)."""
    tensor = as_tensor(a)
    given = indices if isinstance(indices, Tensor) else to_array(indices)
    if axis is None:
        return getitem(ravel(tensor), (given,))
    along = normalize_axis(axis, tensor.ndim, "take(x)")
    return getitem(tensor, (*(slice(None),) * along, given))
