"""Training steps and epochs of multilayer perceptrons, from 2-8-2 to 3072-1024-512-10."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from benchmarks import training
from benchmarks.nets import Activation, Dropout, Layer, Linear, Net, Training
from benchmarks.timing import Options, Row


def mlp(*sizes: int, activation: str = "relu", bias: bool = True, dropout: float = 0.0) -> Net:
    """Return linear layers of these sizes with an activation between them, and dropout behind it."""
    between: list[Layer] = [Activation(activation)] + ([Dropout(dropout)] if dropout else [])
    layers: list[Layer] = []
    for inputs, outputs in pairwise(sizes):
        layers += [*(between if layers else []), Linear(inputs, outputs, bias)]
    return Net("-".join(map(str, sizes)), (sizes[0],), tuple(layers))


TRAININGS = (
    Training(mlp(2, 8, 2), 10, 300, rate=0.01),
    Training(mlp(2, 16, 16, 1), 32, 300, rate=0.01, loss="mean_squared"),
    Training(mlp(24, 8, 2, activation="tanh", dropout=0.2), 200, 100, rate=0.01),
    Training(mlp(64, 64, 10), 32, 200, rate=0.01),
    Training(mlp(784, 100, 10), 64, 100, rate=0.01),
    Training(mlp(1000, 100, 10, activation="sigmoid", bias=False), 64, 100, 1e-4, loss="sum_squared"),
    Training(mlp(784, 256, 128, 10), 128, 50, rate=0.01),
    Training(mlp(3072, 1024, 512, 10), 256, 10, rate=0.01),
)


def rows(options: Options) -> Iterator[Row]:
    """Yield a row for the step and one for the epoch of each net."""
    return training.rows("mlp", TRAININGS, ("step", "epoch"), options)
