"""Pooling: windows of an image reduced to one number each.

Maximum and mean over the windows of `window`, PyTorch's rule for windows that hang over the edge
(`ceil_mode`), means onto a wanted size, and fractional max pooling, whose regions are random.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core.families import composite
from chainrule.core.op import Op
from chainrule.core.sample import Real, sample, wrong
from chainrule.core.spec import Array, Shape
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import floor
from chainrule.ops.index import Slot, picked
from chainrule.ops.linear import linear_scores, matrix_product
from chainrule.ops.reduce import max, mean, sum
from chainrule.ops.shape import joined
from chainrule.ops.window import Sizes, Slide, check_fit, check_images, clash, per_axis


class _Geometry(NamedTuple):
    """How windows lie, as the caller says it: a number, or one an axis; a stride of None is the size."""

    size: Sizes
    stride: Sizes | None
    padding: Sizes
    dilation: Sizes = 1


def _slide(op: Op, axes: int, x: Tensor, given: _Geometry) -> Slide:
    """Return the checked geometry of a pooling, without the overhang of ceil_mode."""
    check_images(op, x, axes)
    sizes = per_axis(op, "kernel_size", given.size, axes)
    strides = sizes if given.stride is None else per_axis(op, "stride", given.stride, axes)
    pads = per_axis(op, "padding", given.padding, axes, least=0)
    dilation = per_axis(op, "dilation", given.dilation, axes)
    slide = Slide(sizes, strides, dilation, tuple((each, each) for each in pads))
    for pad, reach in zip(pads, slide.reach(), strict=True):
        if 2 * pad > reach:
            raise ArgumentError(f"{op.heading}: padding {pad} is more than half of the window {reach}")
    return slide


def _overhang(x: Tensor, slide: Slide) -> Slide:
    """Return the slide with PyTorch's ceil_mode: a last window may hang over, if it starts inside."""
    pads: list[tuple[int, int]] = []
    lengths = x.shape[x.ndim - len(slide.size) :]
    for length, reach, step, (before, after) in zip(
        lengths, slide.reach(), slide.stride, slide.pads, strict=True
    ):
        count = -(-(length + before + after - reach) // step) + 1
        count -= (count - 1) * step >= length + before
        missing = (count - 1) * step + reach - (length + before + after)
        pads.append((before, after + missing if missing > 0 else after))
    return Slide(slide.size, slide.stride, slide.dilation, tuple(pads))


def _max_pool(op: Op, axes: int, x: Tensor, geometry: _Geometry, ceil_mode: bool) -> Tensor:
    slide = _slide(op, axes, x, geometry)
    slide = _overhang(x, slide) if ceil_mode else slide
    check_fit(op, x, slide)
    return max(slide.over(x, fill=-np.inf), axis=tuple(range(-axes, 0)))


@composite(
    samples=[
        sample((2, 3, 7), kernel_size=2),
        sample((3, 8), kernel_size=3, stride=2, padding=1, ceil_mode=True),
        sample((0, 3, 4), kernel_size=2),
    ],
    wrong=[
        wrong("max_pool1d(x): a window of 5 does not fit axis 2 of x, of size 4",
              (1, 1, 4), kernel_size=5),
    ],
)  # fmt: skip
def max_pool1d(
    x: Tensor,
    *,
    kernel_size: Sizes = 2,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Largest number of every window of signals (n, c, length); the gradient goes to the first."""
    op: Any = max_pool1d
    geometry = _Geometry(kernel_size, stride, padding, dilation)
    return _max_pool(op, 1, x, geometry, ceil_mode)


@composite(
    samples=[
        sample((2, 3, 4, 6), kernel_size=2),
        sample((2, 1, 5, 7), kernel_size=(3, 2), stride=(2, 1), padding=1),
        sample((3, 6, 5), kernel_size=2, dilation=2, stride=1),
        sample((1, 1, 6, 7), kernel_size=3, stride=2, ceil_mode=True),
        sample((0, 3, 4, 4), kernel_size=2),
    ],
    wrong=[
        wrong("max_pool2d(x): padding 2 is more than half of the window 2",
              (1, 1, 4, 4), kernel_size=2, padding=2),
        wrong("max_pool2d(x): a window of 5 does not fit axis 2 of x, of size 4",
              (1, 1, 4, 8), kernel_size=5),
        wrong("max_pool2d(x): stride must be an integer of at least 1, or 2 of them, got 0",
              (1, 1, 4, 4), kernel_size=2, stride=0),
        wrong("max_pool2d(x): x has shape (4, 4), needs 4 axes (n c y x), or no n", (4, 4), kernel_size=2),
    ],
)  # fmt: skip
def max_pool2d(
    x: Tensor,
    *,
    kernel_size: Sizes = 2,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Largest number of every window of images (n, c, h, w); the gradient goes to the first."""
    op: Any = max_pool2d
    geometry = _Geometry(kernel_size, stride, padding, dilation)
    return _max_pool(op, 2, x, geometry, ceil_mode)


def _counts(length: int, slide: Slide, axis: int, before: int, after: int) -> Array:
    """Return how many items of a window lie within `before` and `after` of the input, window by window."""
    (pad, hang), size, step = slide.pads[axis], slide.size[axis], slide.stride[axis]
    starts = np.arange(0, length + pad + hang - size + 1, step) - pad
    return np.minimum(starts + size, length + after) - np.maximum(starts, -before)


def _avg_pool(
    op: Op,
    axes: int,
    x: Tensor,
    geometry: _Geometry,
    *,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Tensor:
    plain = _slide(op, axes, x, geometry)
    slide = _overhang(x, plain) if ceil_mode else plain
    check_fit(op, x, slide)
    total = sum(slide.over(x), axis=tuple(range(-axes, 0)))
    if divisor_override is not None:
        (divisor,) = per_axis(op, "divisor_override", divisor_override, 1)
        return total / divisor
    counts = np.ones((), x.dtype)
    for axis, length in enumerate(x.shape[x.ndim - axes :]):
        before, after = plain.pads[axis] if count_include_pad else (0, 0)
        counts = np.multiply.outer(counts, _counts(length, slide, axis, before, after))
    uniform = counts.size > 0 and (counts == counts.flat[0]).all()
    return total / (float(counts.flat[0]) if uniform else counts.astype(x.dtype))


@composite(
    samples=[
        sample((2, 3, 7), kernel_size=2),
        sample((3, 8), kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    ],
    wrong=[
        wrong("avg_pool1d(x): a window of 5 does not fit axis 2 of x, of size 4",
              (1, 1, 4), kernel_size=5),
    ],
)  # fmt: skip
def avg_pool1d(
    x: Tensor,
    *,
    kernel_size: Sizes = 2,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Mean of every window of signals (n, c, length); padding counts as zeros unless told otherwise."""
    op: Any = avg_pool1d
    geometry = _Geometry(kernel_size, stride, padding)
    return _avg_pool(op, 1, x, geometry, ceil_mode=ceil_mode, count_include_pad=count_include_pad)


@composite(
    samples=[
        sample((2, 3, 4, 6), kernel_size=2),
        sample((2, 1, 5, 7), kernel_size=(3, 2), stride=(2, 1), padding=1, count_include_pad=False),
        sample((3, 6, 5), kernel_size=3, stride=2, padding=1, ceil_mode=True),
        sample((1, 1, 6, 7), kernel_size=3, stride=2, divisor_override=4),
        sample((0, 3, 4, 4), kernel_size=2),
    ],
    wrong=[
        wrong("avg_pool2d(x): divisor_override must be an integer of at least 1, got 0",
              (1, 1, 4, 4), kernel_size=2, divisor_override=0),
    ],
)  # fmt: skip
def avg_pool2d(
    x: Tensor,
    *,
    kernel_size: Sizes = 2,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean of every window of images (n, c, h, w); padding counts as zeros unless told otherwise."""
    op: Any = avg_pool2d
    geometry = _Geometry(kernel_size, stride, padding)
    return _avg_pool(
        op,
        2,
        x,
        geometry,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )


def _averaging(length: int, count: int, dtype: Any) -> Array:
    """Return the matrix (count, length) of the means over `count` nearly equal parts of an axis."""
    part = np.arange(count)
    starts, stops = part * length // count, -(-(part + 1) * length // count)
    places = np.arange(length)
    inside = (places >= starts[:, None]) & (places < stops[:, None])
    return (inside / (stops - starts)[:, None]).astype(dtype)


@composite(
    samples=[
        sample((2, 3, 5, 7), output_size=(2, 3)),
        sample((3, 4, 6), output_size=(None, 1)),
        sample((2, 1, 2, 3), output_size=4),
        sample((0, 2, 4, 4), output_size=1),
    ],
    wrong=[
        wrong("adaptive_avg_pool2d(x): "
              "output_size must be an integer of at least 1, or 2 of them, got (0, 0)",
              (1, 1, 4, 4), output_size=0),
    ],
)  # fmt: skip
def adaptive_avg_pool2d(x: Tensor, *, output_size: Any = 1) -> Tensor:
    """Means of images (n, c, h, w) over a grid of `output_size` parts; None keeps an axis as it is."""
    op: Any = adaptive_avg_pool2d
    check_images(op, x, 2)
    given: Any = (output_size, output_size) if np.ndim(output_size) == 0 else output_size
    wanted = tuple(s if each is None else each for each, s in zip(given, x.shape[-2:], strict=False))
    rows, columns = per_axis(op, "output_size", wanted, 2)
    if rows == columns == 1:
        return mean(x, axis=(-2, -1), keepdims=True)
    down = matrix_product(_averaging(x.shape[-2], rows, x.dtype), x)
    return linear_scores(down, _averaging(x.shape[-1], columns, x.dtype))


def _starts(samples: Tensor, length: int, count: int, size: int) -> Tensor:
    """Return where the `count` random regions of an axis start: (n, c) numbers in [0, 1) -> (n, c, count).

    Source: Graham 2014, "Fractional Max-Pooling", section 2.1, in PyTorch's arithmetic.
    """
    last = Tensor(np.full((*samples.shape, 1), length - size, np.int64))
    if count == 1:
        return last
    alpha = samples.dtype.type(length - size) / samples.dtype.type(count - 1)
    first = samples.reshape((*samples.shape, 1))
    steps = np.arange(count - 1).astype(samples.dtype)
    return joined((floor((first + steps) * alpha) - floor(first * alpha)).astype(np.int64), last, axis=-1)


def _region_places(rows: Tensor, columns: Tensor, size: Shape, image: Shape) -> Tensor:
    """Return the flat index of every item of every region: (n, c, oh, ow, kh * kw)."""
    n, c, height, width = image
    planes = (np.arange(n * c) * (height * width)).reshape(n, c, 1, 1, 1, 1)
    down = rows.reshape((*rows.shape, 1, 1, 1)) + np.arange(size[0]).reshape(-1, 1)
    across = columns.reshape((n, c, 1, columns.shape[2], 1, 1)) + np.arange(size[1])
    places = planes + down * width + across
    return places.reshape((*places.shape[:4], size[0] * size[1]))


@composite(
    samples=[
        sample((2, 3, 7, 6), Real((2, 3, 2), 0.0, 1.0), kernel_size=2, output_size=(4, 3)),
        sample((1, 5, 5), Real((1, 1, 2), 0.0, 1.0), kernel_size=(2, 3), output_size=(3, 1)),
    ],
    wrong=[
        wrong("fractional_max_pool2d(x, samples): output_size 4 with a window of 2 does not fit "
              "axis 2 of x, of size 4", (1, 1, 4, 6), (1, 1, 2), kernel_size=2, output_size=4),
        wrong("fractional_max_pool2d(x, samples): samples has shape (1, 1), needs (1, 1, 2)",
              (1, 1, 6, 6), (1, 1), kernel_size=2, output_size=4),
    ],
)  # fmt: skip
def fractional_max_pool2d(
    x: Tensor, samples: Tensor, *, kernel_size: Sizes = 2, output_size: Sizes = 1
) -> Tensor:
    """Largest number of random overlapping regions of images; `samples` (n, c, 2) in [0, 1) place them.

    The first sample of a plane places the columns, the second the rows, as in PyTorch.
    """
    op: Any = fractional_max_pool2d
    check_images(op, x, 2)
    size = per_axis(op, "kernel_size", kernel_size, 2)
    count = per_axis(op, "output_size", output_size, 2)
    batch = x if x.ndim == 4 else x.reshape((1, *x.shape))
    if samples.shape != (*batch.shape[:2], 2):
        needs = (*batch.shape[:2], 2)
        raise clash(op, (x, samples), f"samples has shape {samples.shape}, needs {needs}")
    for axis in (-2, -1):
        if count[axis] + size[axis] - 1 > x.shape[axis]:
            raise clash(
                op,
                (x, samples),
                f"output_size {count[axis]} with a window of {size[axis]} does not fit "
                f"axis {x.ndim + axis} of x, of size {x.shape[axis]}",
            )
    rows = _starts(samples[..., 1], x.shape[-2], count[0], size[0])
    columns = _starts(samples[..., 0], x.shape[-1], count[1], size[1])
    places = _region_places(rows, columns, size, batch.shape)
    items = picked(x.reshape((x.size,)), places.reshape((places.size,)), key=(Slot(0),)).reshape(places.shape)
    out = max(items, axis=-1)
    return out if x.ndim == 4 else out.reshape(out.shape[1:])
