"""Convolutional networks by name: `cnn`, and the residual networks of He et al. for small images.

Both follow from the size of the images, so that they take a digit of 8 x 8 pixels and a photo alike.
What they have in common with other networks (activations, layers after the pixels) is given to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule import nn
from chainrule.core.spec import Shape
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError

Layer = Callable[[], nn.Module]

POOLINGS = ("max", "mean", "fractional")
RESNETS = {f"resnet{depth}": depth for depth in (8, 14, 20, 32, 44, 56)}

_WIDEST = 256
_FRACTION = 0.6  # of a side that fractional pooling keeps: regions of one and of two pixels


@dataclass(frozen=True)
class Design:
    """What can be chosen in a convolutional network; `batch_norm` None leaves it to the network.

    `dropout` and `stochastic_depth` are probabilities of dropping, `pooling` is one of POOLINGS.
    """

    activation: Layer = nn.ReLU
    dropout: float = 0.0
    batch_norm: bool | None = None
    stochastic_depth: float = 0.0
    pooling: str = "max"


def cnn(sample_shape: Shape, design: Design) -> tuple[list[nn.Module], int]:
    """Return stages of convolution, batch norm, activation and pooling, and how many numbers come out.

    Each stage halves the sides, until they are of 2 or 3 pixels; the last four have 32, 64, 128 and
    256 channels, those before them, which only large images have, 16.
    """
    channels, *sides = _checked("cnn", sample_shape)
    if design.stochastic_depth:
        raise ArgumentError(
            "stochastic_depth: a cnn has no branches that could be dropped", hint="--model resnet20"
        )
    layers: list[nn.Module] = []
    for filters in _widths(min(sides)):
        norm = design.batch_norm is not False
        layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=not norm)]
        layers += [nn.BatchNorm2d(filters)] if norm else []
        layers += [design.activation()]
        if min(sides) >= 2:
            pool, sides = _pooled(sides, design.pooling)
            layers.append(pool)
        channels = filters
    layers += [nn.Flatten(), *([nn.Dropout(design.dropout)] if design.dropout else [])]
    return layers, channels * sides[0] * sides[1]


def resnet(depth: int, sample_shape: Shape, outputs: int, design: Design) -> nn.Module:
    """Return the residual network of `depth` = 6 n + 2 layers for images as small as CIFAR's.

    Three groups of n blocks with 16, 32 and 64 channels, the sides halved between the groups, and
    the mean over what is left. Where a block changes the shape, the way round it is a 1 x 1
    convolution (projection, option B). Stochastic depth drops the last block with the probability
    that is given, earlier ones in proportion to their place. Sources: He et al. 2016, "Deep Residual
    Learning for Image Recognition", section 4.2; Huang et al. 2016, "Deep Networks with Stochastic
    Depth", equation 4.
    """
    channels, *_ = _checked("resnet", sample_shape)
    if design.batch_norm is False:
        raise ArgumentError("batch_norm: a resnet is not built without it", hint="--model cnn")
    if design.pooling != "max":
        raise ArgumentError("pooling: a resnet has strides in its place", hint="--model cnn")
    layers: list[nn.Module] = [*_normed(channels, 16, 3, 1), design.activation()]
    blocks = (depth - 2) // 2
    widths = [width for width in (16, 32, 64) for _ in range(blocks // 3)]
    channels = 16
    for place, width in enumerate(widths, 1):
        drop = design.stochastic_depth * place / blocks
        layers.append(Residual(channels, width, design.activation, drop))
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Dropout(design.dropout)] if design.dropout else []
    return nn.Sequential(*layers, nn.Linear(channels, outputs))


class Residual(nn.Module):
    """Two convolutions and the way round them: activation(shortcut(x) + branch(x)).

    More channels than before mean half the pixels. `drop` is the probability with which the branch
    is left out for a sample in training.
    """

    def __init__(self, channels: int, width: int, activation: Layer, drop: float = 0.0) -> None:
        super().__init__()
        stride = 1 if channels == width else 2
        self.branch = nn.Sequential(
            *_normed(channels, width, 3, stride),
            activation(),
            *_normed(width, width, 3, 1),
            *([nn.StochasticDepth(drop, "row")] if drop else []),
        )
        self.shortcut = nn.Sequential(*_normed(channels, width, 1, stride)) if stride > 1 else nn.Identity()
        self.activation = activation()

    def forward(self, x: Any) -> Tensor:
        """Return what the branch adds to `x`, activated."""
        return self.activation(self.shortcut(x) + self.branch(x))


def _normed(channels: int, width: int, kernel: int, stride: int) -> list[nn.Module]:
    """Return a convolution, with weights drawn as in He et al. 2015, and batch norm."""
    convolution = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(width)]


def _widths(side: int) -> list[int]:
    stages = max(1, side.bit_length() - 2)
    narrow = max(0, stages - 4)
    return [16] * narrow + [min(32 << stage, _WIDEST) for stage in range(stages - narrow)]


def _pooled(sides: list[int], pooling: str) -> tuple[nn.Module, list[int]]:
    """Return the pooling after a stage, and the sides of what comes out."""
    if pooling == "fractional":
        smaller = [max(1, min(int(side * _FRACTION), side - 1)) for side in sides]
        return nn.FractionalMaxPool2d(2, output_size=tuple(smaller)), smaller
    return (nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)), [side // 2 for side in sides]


def _checked(model: str, sample_shape: Shape) -> Shape:
    if len(sample_shape) != 3:
        raise ArgumentError(
            f"model: a {model} needs images (channels, height, width), the samples are {sample_shape}",
            hint="use mlp or linear for tables",
        )
    return sample_shape
