"""Geometry: the sizes of a convolution, and which tap meets which place along each of its axes.

The one relation of a sliding window is source = place * stride + tap * dilation - pad. Read from
the outputs' side and from the inputs' side it gives `Reads`, from which the kernels take their
tables and their unrolled columns. Nothing here knows of layouts, vectors or code.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True)
class Geometry:
    """A convolution of n images of c x h x w with o filters of kh x kw, as `conv2d` has it.

    `pads` is ((top, bottom), (left, right)); `stride` and `dilation` are (down, across).
    A 1-D convolution has h = kh = 1. c and o are multiples of `groups`.
    """

    n: int
    c: int
    h: int
    w: int
    o: int
    kh: int
    kw: int
    stride: tuple[int, int] = (1, 1)
    pads: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def down(self) -> Axis:
        """The window's axis from row to row."""
        return Axis(self.h, self.kh, self.stride[0], self.pads[0], self.dilation[0])

    @property
    def across(self) -> Axis:
        """The window's axis from column to column."""
        return Axis(self.w, self.kw, self.stride[1], self.pads[1], self.dilation[1])

    @property
    def out_h(self) -> int:
        """Rows of the output."""
        return self.down.outputs

    @property
    def out_w(self) -> int:
        """Columns of the output."""
        return self.across.outputs

    @property
    def flops(self) -> int:
        """Multiplications and additions of a pass in either direction; taps on padding do not count."""
        windows = self.down.forward().meetings * self.across.forward().meetings
        return 2 * self.n * self.o * (self.c // self.groups) * windows

    @property
    def numbers(self) -> int:
        """How many numbers the images, the filters and the outputs have together."""
        images = self.n * (self.c * self.h * self.w + self.o * self.out_h * self.out_w)
        return images + self.o * (self.c // self.groups) * self.kh * self.kw


@dataclass(frozen=True)
class Reads:
    """What every place of a result reads along an axis: `places[p]` = its (tap, source), taps ascending.

    From a tap to the next of one place the tap grows by `tap_step`, the source by `source_step`.
    Places that are `phases` apart read with the same taps, from sources that are `pace` apart.
    """

    places: tuple[tuple[tuple[int, int], ...], ...]
    phases: int
    pace: int
    tap_step: int
    source_step: int

    @property
    def meetings(self) -> int:
        """How many pairs of a place and a tap read something."""
        return sum(len(each) for each in self.places)


@dataclass(frozen=True)
class Axis:
    """One axis of a sliding window over `inputs` numbers with `taps` taps."""

    inputs: int
    taps: int
    stride: int
    pads: tuple[int, int]
    dilation: int

    @property
    def outputs(self) -> int:
        """Return how many places the window takes."""
        reach = (self.taps - 1) * self.dilation + 1
        return max(0, (self.inputs + sum(self.pads) - reach) // self.stride + 1)

    def forward(self) -> Reads:
        """Return what each output reads of the inputs."""
        starts = range(-self.pads[0], self.outputs * self.stride - self.pads[0], self.stride)
        meets = (((tap, start + tap * self.dilation) for tap in range(self.taps)) for start in starts)
        places = tuple(tuple(meet for meet in each if 0 <= meet[1] < self.inputs) for each in meets)
        return Reads(places, 1, self.stride, 1, self.dilation)

    def backward(self) -> Reads:
        """Return what the gradient at each input reads of the gradients of the outputs."""
        met: list[list[tuple[int, int]]] = [[] for _ in range(self.inputs)]
        for output, taps in enumerate(self.forward().places):
            for tap, place in taps:
                met[place].append((tap, output))
        shared = gcd(self.stride, self.dilation)
        steps = self.stride // shared, -self.dilation // shared
        return Reads(tuple(tuple(sorted(each)) for each in met), self.stride, 1, *steps)

    def shared(self) -> Reads:
        """Return for each tap the (output, source) pairs that it brings together."""
        met: list[list[tuple[int, int]]] = [[] for _ in range(self.taps)]
        for output, taps in enumerate(self.forward().places):
            for tap, source in taps:
                met[tap].append((output, source))
        return Reads(tuple(tuple(each) for each in met), 1, self.dilation, 1, self.stride)
