"""Nets, stated once: every contender builds its own from the same layers, weights and batches.

A statement holds no arrays: they follow from a seed, so that each process makes its own. Weights are
in PyTorch's layouts and in the order of the layers. Useful flops are counted here, one formula for
all: 2 for each multiply-add of a contraction, once forward, and twice backward (for the weights and
for what comes in; the input of the whole net needs none). Nothing else is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Linear:
    inputs: int
    outputs: int
    bias: bool = True


@dataclass(frozen=True)
class Conv:
    """A 2-D convolution with a square kernel."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0
    bias: bool = True


@dataclass(frozen=True)
class BatchNorm:
    """Batch norm over images, with PyTorch's eps and momentum, its running estimates kept up."""

    channels: int


@dataclass(frozen=True)
class Activation:
    """One of relu, tanh, sigmoid."""

    name: str


@dataclass(frozen=True)
class MaxPool:
    size: int


@dataclass(frozen=True)
class MeanPool:
    """The mean over all pixels: (n, c, h, w) to (n, c)."""


@dataclass(frozen=True)
class Flatten:
    """(n, c, h, w) to (n, c h w)."""


@dataclass(frozen=True)
class Dropout:
    p: float


@dataclass(frozen=True)
class Residual:
    """relu(body(x) + shortcut(x)); an empty shortcut is x itself."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()


Layer = Linear | Conv | BatchNorm | Activation | MaxPool | MeanPool | Flatten | Dropout | Residual


@dataclass(frozen=True)
class Net:
    """Layers, and the shape of one sample."""

    name: str
    shape: Shape
    layers: tuple[Layer, ...]

    @cached_property
    def leaves(self) -> list[tuple[Layer, Shape]]:
        """Every layer that is no Residual, in the order of the weights, with the shape of its input."""
        return list(_walk(self.layers, self.shape))

    @cached_property
    def flops(self) -> list[int]:
        """Flops of each contraction for one sample, forward."""
        return [
            2 * layer.inputs * layer.outputs * _reach(layer, shape)
            for layer, shape in self.leaves
            if isinstance(layer, Linear | Conv)
        ]

    @property
    def classes(self) -> int:
        return next(layer.outputs for layer, _ in reversed(self.leaves) if isinstance(layer, Linear))

    @property
    def has_images(self) -> bool:
        return len(self.shape) == 3

    def weights(self) -> list[np.ndarray]:
        """Return the weights that everyone starts with, float32 (He et al. 2015, equation 10)."""
        rng, made = np.random.default_rng(1), []
        for layer, _ in self.leaves:
            if isinstance(layer, BatchNorm):
                made += [np.ones(layer.channels), np.zeros(layer.channels)]
            elif isinstance(layer, Linear | Conv):
                window = (layer.kernel,) * 2 if isinstance(layer, Conv) else ()
                deviation = math.sqrt(2 / (layer.inputs * math.prod(window)))
                made.append(rng.normal(0, deviation, (layer.outputs, layer.inputs, *window)))
                made += [rng.normal(0, 0.1, layer.outputs)] if layer.bias else []
        return [each.astype(np.float32) for each in made]


@dataclass(frozen=True)
class Training:
    """What is trained, and how; `iterations` batches make an epoch.

    `loss` is cross_entropy (mean), mean_squared or sum_squared. The optimiser is SGD (with
    `momentum` and `weight_decay`) or, if `adam`, Adam with PyTorch's defaults.
    """

    net: Net
    batch: int
    iterations: int
    rate: float
    loss: str = "cross_entropy"
    momentum: float = 0.0
    weight_decay: float = 0.0
    adam: bool = False

    @property
    def name(self) -> str:
        return f"{self.net.name}, batch {self.batch}"

    @property
    def flops(self) -> int:
        """Useful flops of one step."""
        return self.batch * (3 * sum(self.net.flops) - self.net.flops[0])

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the samples and the targets of an epoch."""
        rng, count = np.random.default_rng(2), self.batch * self.iterations
        x = rng.normal(size=(count, *self.net.shape)).astype(np.float32)
        if self.loss == "cross_entropy":
            return x, rng.integers(0, self.net.classes, count)
        return x, rng.normal(size=(count, self.net.classes)).astype(np.float32)

    def smaller(self) -> Training:
        """Return a quick one of the same kind, to see whether it runs at all."""
        return replace(self, batch=min(self.batch, 8 if self.net.has_images else 32), iterations=10)

    def without_dropout(self) -> Training:
        """Return the same with nothing dropped, so that losses can be compared."""
        kept = tuple(layer for layer in self.net.layers if not isinstance(layer, Dropout))
        return replace(self, net=replace(self.net, layers=kept))


def after(layer: Layer, shape: Shape) -> Shape:
    """Return the shape of one sample behind a layer."""
    if isinstance(layer, Linear):
        return (layer.outputs,)
    if isinstance(layer, Conv):
        sides = ((side + 2 * layer.padding - layer.kernel) // layer.stride + 1 for side in shape[1:])
        return (layer.outputs, *sides)
    if isinstance(layer, MaxPool):
        return (shape[0], *(side // layer.size for side in shape[1:]))
    if isinstance(layer, MeanPool):
        return shape[:1]
    if isinstance(layer, Residual):
        for each in layer.body:
            shape = after(each, shape)
        return shape
    return (math.prod(shape),) if isinstance(layer, Flatten) else shape


def _walk(layers: tuple[Layer, ...], shape: Shape) -> Iterator[tuple[Layer, Shape]]:
    for layer in layers:
        if isinstance(layer, Residual):
            yield from _walk(layer.body, shape)
            yield from _walk(layer.shortcut, shape)
        else:
            yield layer, shape
        shape = after(layer, shape)


def _reach(layer: Linear | Conv, shape: Shape) -> int:
    """Return how often one weight is used for one sample."""
    return layer.kernel**2 * math.prod(after(layer, shape)[1:]) if isinstance(layer, Conv) else 1
