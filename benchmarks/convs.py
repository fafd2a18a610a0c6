"""Training steps of conv nets: LeNet-5, three stages of 32, 64 and 128 channels, and ResNet-20."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from benchmarks import training
from benchmarks.nets import (
    Activation,
    BatchNorm,
    Conv,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    Net,
    Residual,
    Training,
)
from benchmarks.timing import Options, Row

RELU = Activation("relu")

LENET5 = Net(
    "LeNet-5",
    (1, 28, 28),
    (
        Conv(1, 6, 5, padding=2), RELU, MaxPool(2),
        Conv(6, 16, 5), RELU, MaxPool(2), Flatten(),
        Linear(400, 120), RELU, Linear(120, 84), RELU, Linear(84, 10),
    ),
)  # fmt: skip


def stages(*channels: int) -> Net:
    """Return stages of convolution, batch norm, relu and pooling on 3 x 32 x 32, and a linear layer."""
    layers: list[Layer] = []
    for inputs, outputs in pairwise((3, *channels)):
        layers += [Conv(inputs, outputs, 3, padding=1), BatchNorm(outputs), RELU, MaxPool(2)]
    side = 32 >> len(channels)
    layers += [Flatten(), Linear(channels[-1] * side * side, 10)]
    return Net("conv " + "-".join(map(str, channels)), (3, 32, 32), tuple(layers))


def resnet(depth: int) -> Net:
    """Return the ResNet for CIFAR of He et al. 2015, section 4.2, with projection shortcuts (B)."""
    layers: list[Layer] = [Conv(3, 16, 3, padding=1, bias=False), BatchNorm(16), RELU]
    inputs = 16
    for outputs in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            layers.append(block(inputs, outputs))
            inputs = outputs
    return Net(f"ResNet-{depth}", (3, 32, 32), (*layers, MeanPool(), Linear(64, 10)))


def block(inputs: int, outputs: int) -> Residual:
    """Return two convolutions and the way round them; more channels mean half the pixels."""
    stride = 1 if inputs == outputs else 2
    body = (
        Conv(inputs, outputs, 3, stride, padding=1, bias=False), BatchNorm(outputs), RELU,
        Conv(outputs, outputs, 3, padding=1, bias=False), BatchNorm(outputs),
    )  # fmt: skip
    around = (Conv(inputs, outputs, 1, stride, bias=False), BatchNorm(outputs)) if stride > 1 else ()
    return Residual(body, around)


# Small rates: at 1e-3 (Adam) and 1e-2 (batch norm) a unit that rounding puts on the other side of its
# kink makes the losses of PyTorch's own layouts part by 1e-4 and more within ten steps.
TRAININGS = (
    Training(LENET5, 32, 10, rate=3e-4, adam=True),
    Training(LENET5, 128, 10, rate=3e-4, adam=True),
    Training(stages(32, 64, 128), 64, 10, rate=1e-4, momentum=0.9),
    Training(resnet(20), 128, 10, rate=1e-4, momentum=0.9, weight_decay=1e-4),
)


def rows(options: Options) -> Iterator[Row]:
    """Yield a row for the step of each net."""
    return training.rows("conv", TRAININGS, ("step",), options)
