"""The three kernels of a convolution, as the lowering names them: forward, and its two gradients.

Images are in the `lanes` layout [ceil(n / L), channels, rows, columns, L] (L = 16 for float32,
8 for float64; spare lanes of the operands hold zeros, those of the results then do too); weights
are plain (o, c / groups, kh, kw). Here sizes become strides; the code is written elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.sliding import Sliding, Steps
from chainrule.compiler.cpu.convolution.weights import Weights
from chainrule.compiler.cpu.target import Target


@dataclass(frozen=True)
class _Pass(ABC):
    """A convolution in one direction; `flops` counts no tap on padding, `bytes` every operand once."""

    geometry: Geometry
    dtype: str

    @abstractmethod
    def plan(self) -> Sliding | Weights:
        """Return how the work is cut and written."""

    @cached_property
    def _plan(self) -> Sliding | Weights:
        return self.plan()

    @property
    def parts(self) -> int:
        return self._plan.parts

    @property
    def scratch(self) -> int:
        return self._plan.scratch

    @property
    def flops(self) -> int:
        return self.geometry.flops

    @property
    def bytes(self) -> int:
        return self.geometry.numbers * np.dtype(self.dtype).itemsize

    def emit(self, function: ir.Function, target: Target) -> None:
        """Write the kernel's function."""
        self._plan.emit(function, target)


@dataclass(frozen=True)
class Forward(_Pass):
    """y from x and the weights: operands x, weight, y."""

    name = "convolution"

    def plan(self) -> Sliding:
        """Return how the work is cut and written."""
        g = self.geometry
        taps, c, o = g.kh * g.kw, g.c // g.groups, g.o // g.groups
        steps = Steps(group=o * c * taps, source=taps, result=c * taps, row=g.kw)
        reads = g.down.forward(), g.across.forward()
        return Sliding(g.n, g.groups, c, o, (g.h, g.w), *reads, steps, np.dtype(self.dtype))


@dataclass(frozen=True)
class InputGradient(_Pass):
    """The gradient at x from that at y and the weights: operands g, weight, dx."""

    name = "convolution dx"

    def plan(self) -> Sliding:
        """Return how the work is cut and written."""
        g = self.geometry
        taps, c, o = g.kh * g.kw, g.c // g.groups, g.o // g.groups
        steps = Steps(group=o * c * taps, source=c * taps, result=taps, row=g.kw)
        reads = g.down.backward(), g.across.backward()
        return Sliding(g.n, g.groups, o, c, (g.out_h, g.out_w), *reads, steps, np.dtype(self.dtype))


@dataclass(frozen=True)
class WeightGradient(_Pass):
    """The gradient at the weights from that at y and x: operands g, x, dweight (one for each of `images`)."""

    name = "convolution dw"

    @property
    def images(self) -> int:
        """Shares of the images, each with a gradient of its own, which are to be added up."""
        return self.plan().shares.images

    def plan(self) -> Weights:
        """Return how the work is cut and written."""
        return Weights(self.geometry, np.dtype(self.dtype))
