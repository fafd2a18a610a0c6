"""Movements: other shapes, orders and neighbourhoods of the same numbers.

A movement is declared by its index map; views and transposes are claims that are quicker. Joining, and what
sums back over broadcast axes, are opaque.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core.families import movement, opaque
from chainrule.core.families.movement import IndexMap, Source
from chainrule.core.registry import named, public
from chainrule.core.sample import sample, wrong
from chainrule.core.spec import Array, Axes, Shape, Spec, known_shape, normalize_axes, normalize_axis
from chainrule.core.tensor import Tensor, as_tensor, to_array
from chainrule.errors import ArgumentError, ShapeError


def _new_shape(old: Shape, shape: Any) -> Shape:
    """Fill in the one size that may be given as -1."""
    new = known_shape(shape, "reshape(x)")
    size = math.prod(old)
    if new.count(-1) == 1:
        known = -math.prod(new)
        if known and size % known == 0:
            new = tuple(size // known if each == -1 else each for each in new)
    if any(each < 0 for each in new) or math.prod(new) != size:
        raise ShapeError(f"reshape(x): {size} values of shape {old} cannot take shape {new}")
    return new


def _reshape_view(x: Array, *, shape: Any) -> Array:
    return x.reshape(shape)


def _reshape_back(g: Tensor, source: Shape, *, shape: Any) -> Tensor:
    return reshape(g, shape=source)


@movement(
    view=_reshape_view,
    back=_reshape_back,
    samples=[sample((2, 3), shape=(3, 2)), sample((2, 3), shape=-1), sample((0, 3), shape=(3, 0, 2))],
    wrong=[wrong("reshape(x): 6 values of shape (2, 3) cannot take shape (4, -1)", (2, 3), shape=(4, -1))],
)
def reshape(x: Source, *, shape: Any = ()) -> IndexMap:
    """The same values, in the same order, in another shape; one size may be -1."""
    return x.listed(_new_shape(x.shape, shape))


def _order(ndim: int, axes: Axes) -> tuple[int, ...]:
    order = tuple(range(ndim))[::-1] if axes is None else normalize_axes(axes, ndim, "transpose(x)")
    if len(order) != ndim:
        raise ShapeError(f"transpose(x): axes {axes} must name each of the {ndim} axes once")
    return order


def _transpose_view(x: Array, *, axes: Axes) -> Array:
    return x.transpose(_order(x.ndim, axes))


def _transpose_back(g: Tensor, source: Shape, *, axes: Axes) -> Tensor:
    order = _order(len(source), axes)
    return transpose(g, axes=tuple(order.index(axis) for axis in range(len(source))))


@movement(
    view=_transpose_view,
    back=_transpose_back,
    samples=[sample((2, 3)), sample((2, 3, 4), axes=(1, -1, 0)), sample(()), sample((0, 2), axes=(1, 0))],
    wrong=[wrong("transpose(x): axes (0,) must name each of the 2 axes once", (2, 3), axes=(0,))],
)
def transpose(x: Source, *, axes: Axes = None) -> IndexMap:
    """Reorder the axes (reverse them for None). Moves no data."""
    order = _order(x.ndim, axes)
    grid = x.grid(x.ndim)
    return x.at([grid[order.index(axis)] for axis in range(x.ndim)], tuple(x.shape[axis] for axis in order))


def _broadcast_view(x: Array, *, shape: Any) -> Array:
    return np.broadcast_to(x, shape)


def _broadcast_back(g: Tensor, source: Shape, *, shape: Any) -> Tensor:
    return sum_to(g, shape=source)


@movement(
    view=_broadcast_view,
    back=_broadcast_back,
    samples=[sample((3,), shape=(2, 3)), sample((2, 1), shape=(4, 2, 3)), sample((), shape=(0, 2))],
    wrong=[wrong("broadcast_to(x): shape (3,) does not broadcast to (2, 2)", (3,), shape=(2, 2))],
)
def broadcast_to(x: Source, *, shape: Any = ()) -> IndexMap:
    """Repeat along axes of size 1, and along new leading axes, without copying."""
    new = known_shape(shape, "broadcast_to(x)")
    lead = len(new) - x.ndim
    if lead < 0 or any(s not in (1, n) for s, n in zip(x.shape, new[lead:], strict=True)):
        raise ShapeError(f"broadcast_to(x): shape {x.shape} does not broadcast to {new}")
    grid = x.grid(len(new))[lead:]
    return x.at([o * (size > 1 or n == 0) for o, size, n in zip(grid, x.shape, new[lead:], strict=True)], new)


def _sum_to_spec(g: Spec, *, shape: Shape) -> Spec:
    if np.broadcast_shapes(g.shape, shape) != g.shape:
        raise ShapeError(f"sum_to(g): shape {g.shape} is no broadcast of {shape}")
    return Spec(tuple(shape), g.dtype)


def _sum_to_gradient(g: Tensor, node: Tensor, x: Tensor, *, shape: Shape) -> tuple[Tensor]:
    return (broadcast_to(g, shape=x.shape),)


@opaque(
    spec=_sum_to_spec,
    gradient=_sum_to_gradient,
    reads=[False],
    samples=[sample((2, 3), shape=(3,)), sample((4, 2, 3), shape=(2, 1)), sample((0, 2), shape=())],
)
def sum_to(g: Array, *, shape: Shape = ()) -> Array:
    """Sum over the axes along which `shape` would broadcast: the transpose of broadcast_to."""
    lead = g.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i for i, size in enumerate(shape) if size == 1 and g.shape[lead + i] != 1
    )
    return g.sum(axis=axes, dtype=g.dtype).reshape(shape)


def _flip_view(x: Array, *, axis: Axes) -> Array:
    axes = normalize_axes(axis, x.ndim, "flip(x)")
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


def _flip_back(g: Tensor, source: Shape, *, axis: Axes) -> Tensor:
    return flip(g, axis=axis)


@movement(
    view=_flip_view,
    back=_flip_back,
    samples=[sample((2, 3)), sample((2, 3), axis=-1), sample((2, 0), axis=(0, 1))],
)
def flip(x: Source, *, axis: Axes = None) -> IndexMap:
    """Reverse the order along `axis`."""
    axes = normalize_axes(axis, x.ndim, "flip(x)")
    grid = x.grid(x.ndim)
    return x.at([x.shape[i] - 1 - o if i in axes else o for i, o in enumerate(grid)], x.shape)


def pairs(width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """Return NumPy's pad widths (a number, a pair, or a pair an axis) as a pair an axis."""
    try:
        full = np.broadcast_to(np.asarray(width), (ndim, 2)).tolist()
        found = tuple((operator.index(before), operator.index(after)) for before, after in full)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"pad(x): pad_width {width!r} does not fit {ndim} axes") from error
    if any(each < 0 for pair in found for each in pair):
        raise ArgumentError(f"pad(x): pad_width must not be negative, got {width!r}")
    return found


@movement(
    samples=[
        sample((2, 3), pad_width=1),
        sample((2, 3), pad_width=((0, 0), (2, 1)), fill=7.0),
        sample((0, 2), pad_width=((1, 0), (0, 0))),
    ],
    wrong=[wrong("pad(x): pad_width must not be negative, got -1", (2, 3), pad_width=-1)],
)
def constant_pad(x: Source, *, pad_width: Any = 0, fill: float = 0.0) -> IndexMap:
    """Put `fill` around the tensor: `pad_width` values before and after, along each axis."""
    widths = pairs(pad_width, x.ndim)
    grid = x.grid(x.ndim)
    shape = tuple(size + before + after for size, (before, after) in zip(x.shape, widths, strict=True))
    return x.at([o - before for o, (before, _) in zip(grid, widths, strict=True)], shape, fill)


@movement(
    samples=[
        sample((2, 7), size=(3,), stride=(2,), dilation=(1,)),
        sample((2, 5, 6), size=(2, 3), stride=(1, 2), dilation=(2, 1)),
        sample((0, 4, 4), size=(2, 2), stride=(2, 2), dilation=(1, 1)),
    ],
    wrong=[wrong("windows(x): a window of 5 does not fit axis 1 of size 4", (1, 4), size=(5,))],
)
def windows(
    x: Source, *, size: Shape = (), stride: Shape | None = None, dilation: Shape | None = None
) -> IndexMap:
    """Slide a window over the last axes: (..., h, w) -> (..., rows, columns, *size), without copying."""
    stride, dilation = stride or (1,) * len(size), dilation or (1,) * len(size)
    lead = x.ndim - len(size)
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    for axis, (width, length) in enumerate(zip(reach, x.shape[lead:], strict=True), lead):
        if width > length:
            raise ShapeError(f"windows(x): a window of {width} does not fit axis {axis} of size {length}")
    count = [(length - w) // s + 1 for length, w, s in zip(x.shape[lead:], reach, stride, strict=True)]
    grid = x.grid(x.ndim + len(size))
    moving = [
        s * o + d * k
        for s, o, d, k in zip(stride, grid[lead : x.ndim], dilation, grid[x.ndim :], strict=True)
    ]
    return x.at([*grid[:lead], *moving], (*x.shape[:lead], *count, *size))


def _joined_spec(*specs: Spec, axis: int) -> Spec:
    if not specs:
        raise ArgumentError("concatenate(x): needs at least one tensor")
    first = specs[0]
    along = normalize_axis(axis, len(first.shape), "concatenate(x)")
    for place, spec in enumerate(specs):
        same = [i == along or a == b for i, (a, b) in enumerate(zip(first.shape, spec.shape, strict=False))]
        if len(spec.shape) != len(first.shape) or False in same:
            raise ShapeError(
                f"concatenate(x): x[{place}] has shape {spec.shape} but x[0] has {first.shape}: "
                f"only axis {along} may differ"
            )
    total = sum(spec.shape[along] for spec in specs)
    shape = (*first.shape[:along], total, *first.shape[along + 1 :])
    return Spec(shape, np.result_type(*(spec.dtype for spec in specs)))


def _split_gradient(g: Tensor, node: Tensor, *inputs: Any, axis: int) -> list[Tensor]:
    along = axis % g.ndim
    stops = np.cumsum([each.shape[along] for each in inputs]).tolist()
    lead = (slice(None),) * along
    starts = [0, *stops[:-1]]
    return [g[(*lead, slice(start, stop))] for start, stop in zip(starts, stops, strict=True)]


@opaque(
    spec=_joined_spec,
    gradient=_split_gradient,
    reads=[],
    samples=[sample((2, 3), (1, 3)), sample((2, 3), (2, 0), (2, 1), axis=-1), sample((3,))],
    wrong=[
        wrong(
            "concatenate(x): x[1] has shape (2, 4) but x[0] has (2, 3): only axis 0 may differ",
            (2, 3),
            (2, 4),
        )
    ],
)
def joined(*x: Array, axis: int = 0) -> Array:
    """Join tensors along an axis that they have."""
    return np.concatenate(x, axis=axis)


@public
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Join tensors along an axis that they have (flattened first for None).

    >>> import chainrule as cr
    >>> cr.concatenate([cr.ones((1, 2)), cr.zeros((2, 2))]).shape
    (3, 2)
    """
    if axis is None:
        return joined(*(ravel(each) for each in arrays), axis=0)
    return joined(*arrays, axis=axis)


@public
def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    if len(arrays) == 0:
        raise ArgumentError("stack(x): needs at least one tensor")
    shapes = [np.shape(each) if not isinstance(each, Tensor) else each.shape for each in arrays]
    for place, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ShapeError(f"stack(x): x[{place}] has shape {shape} but x[0] has {shapes[0]}")
    along = normalize_axis(axis, len(shapes[0]) + 1, "stack(x)")
    return joined(*(expand_dims(each, along) for each in arrays), axis=along)


@public
def expand_dims(a: Any, axis: int | Sequence[int]) -> Tensor:
    """Insert axes of size 1 at the given places of the result."""
    shape = list(_shape(a))
    several = axis if isinstance(axis, Sequence) else (axis,)
    places = normalize_axes(tuple(several), len(shape) + len(several), "expand_dims(x)")
    for place in sorted(places):
        shape.insert(place, 1)
    return reshape(a, shape=tuple(shape))


@public
def squeeze(a: Any, axis: Axes = None) -> Tensor:
    """Drop axes of size 1 (all of them for None)."""
    shape = _shape(a)
    axes = normalize_axes(axis, len(shape), "squeeze(x)")
    for each in axes:
        if shape[each] != 1 and axis is not None:
            raise ShapeError(f"squeeze(x): axis {each} has size {shape[each]}, not 1")
    return reshape(a, shape=tuple(s for i, s in enumerate(shape) if i not in axes or s != 1))


@public
def ravel(a: Any) -> Tensor:
    """The values in one axis."""
    return reshape(a, shape=(-1,)) if math.prod(_shape(a)) else reshape(a, shape=(0,))


@public
def swapaxes(a: Any, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes."""
    order = list(range(len(_shape(a))))
    one, two = (normalize_axis(axis, len(order), "swapaxes(x)") for axis in (axis1, axis2))
    order[one], order[two] = order[two], order[one]
    return transpose(a, axes=tuple(order))


@public
def moveaxis(a: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Move axes to other places; the rest keep their order."""
    ndim = len(_shape(a))
    from_, to = (
        normalize_axes(tuple(each) if isinstance(each, Sequence) else (each,), ndim, "moveaxis(x)")
        for each in (source, destination)
    )
    if len(from_) != len(to):
        raise ArgumentError(f"moveaxis(x): {len(from_)} source axes but {len(to)} destinations")
    order = [axis for axis in range(ndim) if axis not in from_]
    for place, axis in sorted(zip(to, from_, strict=True)):
        order.insert(place, axis)
    return transpose(a, axes=tuple(order))


@public
def split(ary: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut along an axis: into equal parts (an integer), or before the given places."""
    x = as_tensor(ary)
    along = normalize_axis(axis, x.ndim, "split(x)")
    size = x.shape[along]
    if isinstance(indices_or_sections, (int, np.integer)):
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ShapeError(
                f"split(x): axis {along} of size {size} has no {indices_or_sections} equal parts"
            )
        step = size // indices_or_sections
        places = [int(step * i) for i in range(1, indices_or_sections)]
    else:
        places = [operator.index(place) for place in indices_or_sections]
    lead = (slice(None),) * along
    return [x[(*lead, slice(a, b))] for a, b in zip([0, *places], [*places, None], strict=True)]


@public
def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Tensor:
    """Widen each axis as `numpy.pad`: `mode` "constant", "edge", "reflect", "symmetric" or "wrap"."""
    if mode == "constant":
        return constant_pad(array, pad_width=pad_width, fill=constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ArgumentError(f"pad(x): mode {mode!r} is not constant, edge, reflect, symmetric or wrap")
    x = as_tensor(array)
    for axis, (before, after) in enumerate(pairs(pad_width, x.ndim)):
        if before or after:
            if not x.shape[axis]:
                raise ArgumentError(
                    f"pad(x): mode {mode!r} has nothing to copy along axis {axis}, which is empty",
                    hint='use mode="constant"',
                )
            places: Any = np.pad(np.arange(x.shape[axis]), (before, after), mode=mode)  # pyright: ignore
            x = named("take")(x, places, axis=axis)
    return x


@public
def repeat(a: Any, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Repeat each item along `axis` (of the flattened tensor for None)."""
    x = as_tensor(a)
    x, axis = (ravel(x), 0) if axis is None else (x, axis)
    along = normalize_axis(axis, x.ndim, "repeat(x)")
    counts = np.asarray(repeats) if isinstance(repeats, Tensor) else to_array(repeats)
    if counts.ndim and counts.size not in (1, x.shape[along]):
        raise ShapeError(f"repeat(x): {counts.size} repeats for axis {along} of size {x.shape[along]}")
    places = np.repeat(np.arange(x.shape[along]), counts)
    return named("take")(x, places, axis=along)


@public
def tile(A: Any, reps: int | Sequence[int]) -> Tensor:
    """Lay copies of the whole tensor side by side: `reps` of them along each axis."""
    x = as_tensor(A)
    counts = known_shape(reps, "tile(x)")
    ndim = max(len(counts), x.ndim)
    counts, shape = (1,) * (ndim - len(counts)) + counts, (1,) * (ndim - x.ndim) + x.shape
    single = tuple(each for size in shape for each in (1, size))
    copies = tuple(each for count, size in zip(counts, shape, strict=True) for each in (count, size))
    spread = broadcast_to(reshape(x, shape=single), shape=copies)
    return reshape(spread, shape=tuple(c * s for c, s in zip(counts, shape, strict=True)))


def _shape(x: Any) -> Shape:
    return x.shape if isinstance(x, Tensor) else to_array(x).shape
