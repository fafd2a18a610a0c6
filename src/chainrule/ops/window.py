"""Sliding windows, and convolution: a contraction of every window with the weights.

One mechanism serves every number of axes: pad, view the windows, contract over channels and taps.
No op here has a gradient rule of its own; those of its parts are enough. Pooling, which reduces
windows instead of weighing them, is in `pool`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from chainrule.core.families import Contraction, composite
from chainrule.core.families.contraction import anonymous, parse
from chainrule.core.op import Op, describe_inputs
from chainrule.core.sample import sample, wrong
from chainrule.core.spec import Shape
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, ChainruleError, DTypeError, ShapeError
from chainrule.ops.shape import constant_pad, windows

Sizes = int | tuple[int, ...]


@dataclass(frozen=True)
class Slide:
    """How a window moves over the last axes of a tensor, axis by axis; `pads` are (before, after)."""

    size: Shape
    stride: Shape
    dilation: Shape
    pads: tuple[tuple[int, int], ...]

    def reach(self) -> Shape:
        """The length that a window covers along each axis, holes of the dilation included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True))

    def over(self, x: Tensor, fill: float = 0.0) -> Tensor:
        """View `x` (..., h, w) as windows (..., rows, columns, *size); padding reads as `fill`."""
        if any(before or after for before, after in self.pads):
            lead = ((0, 0),) * (x.ndim - len(self.size))
            x = constant_pad(x, pad_width=lead + self.pads, fill=fill)
        return windows(x, size=self.size, stride=self.stride, dilation=self.dilation)


def clash(
    op: Op, inputs: tuple[Any, ...], text: str, hint: str = "", kind: type[ChainruleError] = ShapeError
) -> ChainruleError:
    """Return an error about a call of `op`: its headline, signature and what it got."""
    got = describe_inputs(op, inputs)
    return kind(f"{op.heading}: {text}", signature=op.signature, got=got, hint=hint)


def per_axis(op: Op, name: str, value: Any, axes: int, least: int = 1) -> Shape:
    """Return a parameter (one integer, or one an axis) as a tuple; ArgumentError if below `least`."""
    given: tuple[Any, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes  # pyright: ignore
    try:
        found = tuple(map(operator.index, given))
    except TypeError:
        found = ()
    if len(found) != axes or min(found, default=least) < least:
        wanted = f"an integer of at least {least}" + (f", or {axes} of them" if axes > 1 else "")
        raise ArgumentError(f"{op.heading}: {name} must be {wanted}, got {value!r}", signature=op.signature)
    return found


def check_images(op: Op, x: Tensor, axes: int) -> None:
    """Raise unless `x` holds floats, with a channel axis and maybe a batch axis before the others."""
    if x.dtype.kind != "f":
        raise clash(op, (x,), f"x is {x.dtype}, needs floats", "x.astype(np.float32) / 255", DTypeError)
    if x.ndim not in (axes + 1, axes + 2):
        names = "n c y x" if axes == 2 else "n c x"
        raise clash(op, (x,), f"x has shape {x.shape}, needs {axes + 2} axes ({names}), or no n")


def check_fit(op: Op, x: Tensor, slide: Slide) -> None:
    """Raise when the window is longer than the padded input."""
    lead = x.ndim - len(slide.size)
    for axis, (reach, pad) in enumerate(zip(slide.reach(), slide.pads, strict=True), lead):
        if reach > x.shape[axis] + sum(pad):
            padded = f"{x.shape[axis]} + {sum(pad)} padding" if sum(pad) else f"{x.shape[axis]}"
            raise clash(op, (x,), f"a window of {reach} does not fit axis {axis} of x, of size {padded}")


class _Geometry(NamedTuple):
    """How windows lie, as the caller says it: a number, or one an axis; `padding` also 'same' or 'valid'."""

    stride: Sizes
    padding: Sizes | str
    dilation: Sizes


def _slide(op: Op, size: Shape, given: _Geometry) -> Slide:
    """Return the checked geometry of a convolution with weights of this size."""
    axes, padding = len(size), given.padding
    stride = per_axis(op, "stride", given.stride, axes)
    dilation = per_axis(op, "dilation", given.dilation, axes)
    if padding == "same":
        if any(step != 1 for step in stride):
            raise ArgumentError(f"{op.heading}: padding 'same' needs stride 1, got {stride}")
        reach = Slide(size, stride, dilation, ()).reach()
        return Slide(size, stride, dilation, tuple(((r - 1) // 2, r // 2) for r in reach))
    if isinstance(padding, str) and padding != "valid":
        raise ArgumentError(f"{op.heading}: padding must be integers, 'same' or 'valid', got {padding!r}")
    widths = per_axis(op, "padding", 0 if padding == "valid" else padding, axes, least=0)
    return Slide(size, stride, dilation, tuple((width, width) for width in widths))


def _check_channels(op: Op, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    inputs = (x, weight, bias)
    axes = weight.ndim - 2
    channels, place = x.shape[-axes - 1], x.ndim - axes - 1
    takes = weight.shape[1] * groups
    if channels != takes:
        shown = f"{groups} groups x {weight.shape[1]}" if groups > 1 else f"{takes}"
        last = axes == 2 and x.shape[-1] == takes
        raise clash(
            op,
            inputs,
            f"axis 'c' is {channels} in x (axis {place}) but {shown} in weight (axis 1)",
            "channels come before height and width: x.transpose(0, 3, 1, 2)"
            if last and x.ndim == 4
            else f"weights are stored (out, in / groups, ...): "
            f"did you mean Conv{axes}d({channels}, {weight.shape[0]}, ...)?",
        )
    if weight.shape[0] % groups:
        raise clash(op, inputs, f"{groups} groups do not divide the {weight.shape[0]} outputs of weight")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise clash(op, inputs, f"bias has shape {bias.shape} but weight has {weight.shape[0]} outputs")


@lru_cache(maxsize=8)
def _weighing(axes: int, grouped: bool) -> Contraction:
    """Return the contraction of weights with windows over `axes` axes."""
    places, taps = " y x"[-2 * axes :], " i j"[-2 * axes :]
    g = "g " if grouped else ""
    made = anonymous("weigh_windows", parse(f"{g}o c{taps}, n {g}c{places}{taps} -> n {g}o{places}"))
    made.inputs = ("weight", "windows")
    return made


def _convolution(
    op: Op, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: _Geometry, *, axes: int, groups: int
) -> Tensor:
    """Convolve over the last `axes` axes: pad, view the windows, contract, add the bias."""
    check_images(op, x, axes)
    if weight.ndim != axes + 2:
        raise clash(op, (x, weight, bias), f"weight has shape {weight.shape}, needs {axes + 2} axes")
    (groups,) = per_axis(op, "groups", groups, 1)
    _check_channels(op, x, weight, bias, groups)
    slide = _slide(op, weight.shape[2:], geometry)
    check_fit(op, x, slide)
    batch = x if x.ndim == axes + 2 else x.reshape((1, *x.shape))
    out = _weighed(axes, batch, weight, slide, groups)
    if bias is not None:
        out = out + bias.reshape((-1, *(1,) * axes))
    return out if x.ndim == axes + 2 else out.reshape(out.shape[1:])


def _weighed(axes: int, x: Tensor, weight: Tensor, slide: Slide, groups: int) -> Tensor:
    """Contract weights with windows; with several groups, each with its own part of the channels."""
    if groups == 1:
        return _weighing(axes, False)(weight, slide.over(x))
    outputs, inputs = weight.shape[:2]
    x = x.reshape((x.shape[0], groups, inputs, *x.shape[2:]))
    weight = weight.reshape((groups, outputs // groups, inputs, *slide.size))
    out = _weighing(axes, True)(weight, slide.over(x))
    return out.reshape((out.shape[0], outputs, *out.shape[3:]))


@composite(
    samples=[
        sample((2, 3, 7), (4, 3, 3), (4,)),
        sample((3, 7), (4, 3, 2), stride=2, padding=1, dilation=2),
        sample((1, 4, 6), (6, 2, 3), (6,), groups=2, padding="same"),
        sample((0, 1, 4), (2, 1, 3), (2,)),
    ],
    wrong=[
        wrong("conv1d(x, weight, bias): stride must be an integer of at least 1, got -1",
              (1, 2, 5), (3, 2, 2), stride=-1),
        wrong("conv1d(x, weight, bias): x has shape (5,), needs 3 axes (n c x), or no n", (5,), (3, 2, 2)),
    ],
)  # fmt: skip
def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Slide `weight` (out, in / groups, k) over signals `x` (n, in, length), as PyTorch's conv1d."""
    op: Any = conv1d
    geometry = _Geometry(stride, padding, dilation)
    return _convolution(op, x, weight, bias, geometry, axes=1, groups=groups)


@composite(
    samples=[
        sample((2, 3, 5, 4), (4, 3, 3, 2), (4,)),
        sample((2, 1, 5, 6), (2, 1, 3, 3), stride=2, padding=(1, 2)),
        sample((3, 7, 6), (2, 3, 2, 3), (2,), dilation=(2, 1)),
        sample((2, 4, 3, 3), (6, 2, 3, 2), groups=2, padding="same"),
        sample((1, 1, 1, 1), (1, 1, 1, 1), (1,)),
        sample((0, 4, 4, 4), (2, 2, 3, 3), (2,), groups=2),
    ],
    wrong=[
        wrong("conv2d(x, weight, bias): axis 'c' is 3 in x (axis 1) but 1 in weight (axis 1)",
              (2, 3, 5, 5), (4, 1, 3, 3)),
        wrong("conv2d(x, weight, bias): axis 'c' is 3 in x (axis 1) but 2 groups x 3 in weight (axis 1)",
              (2, 3, 5, 5), (4, 3, 3, 3), groups=2),
        wrong("conv2d(x, weight, bias): 2 groups do not divide the 3 outputs of weight",
              (2, 4, 5, 5), (3, 2, 3, 3), groups=2),
        wrong("conv2d(x, weight, bias): bias has shape (3,) but weight has 4 outputs",
              (2, 3, 5, 5), (4, 3, 3, 3), (3,)),
        wrong("conv2d(x, weight, bias): weight has shape (4, 3), needs 4 axes", (2, 3, 5, 5), (4, 3)),
        wrong("conv2d(x, weight, bias): a window of 5 does not fit axis 3 of x, of size 2 + 2 padding",
              (2, 3, 3, 2), (4, 3, 5, 5), padding=1),
        wrong("conv2d(x, weight, bias): padding 'same' needs stride 1, got (2, 2)",
              (2, 3, 5, 5), (4, 3, 3, 3), padding="same", stride=2),
        wrong("conv2d(x, weight, bias): padding must be integers, 'same' or 'valid', got 'full'",
              (2, 3, 5, 5), (4, 3, 3, 3), padding="full"),
        wrong("conv2d(x, weight, bias): groups must be an integer of at least 1, got 0",
              (2, 3, 5, 5), (4, 3, 3, 3), groups=0),
    ],
)  # fmt: skip
def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Slide `weight` (out, in / groups, kh, kw) over images `x` (n, in, h, w), as PyTorch's conv2d.

    Without a batch axis, `x` may be (in, h, w).
    """
    op: Any = conv2d
    geometry = _Geometry(stride, padding, dilation)
    return _convolution(op, x, weight, bias, geometry, axes=2, groups=groups)
