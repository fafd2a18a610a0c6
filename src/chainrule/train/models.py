"""Networks by name: `linear`, `mlp`, `cnn`, or a function in a file of the user's.

A network follows from the shape of one sample and the number of outputs. A user's function gets
both, `build(sample_shape, outputs)`, and returns a Module; it is only ever called from a file that
the user names, never from one that a checkpoint names.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from chainrule import nn
from chainrule.errors import ArgumentError, UnknownNameError, nearest

Shape = tuple[int, ...]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
}
MODELS = ("linear", "mlp", "cnn")


def build_model(
    model: str,
    sample_shape: Shape,
    outputs: int,
    *,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    dropout: float = 0.0,
) -> nn.Module:
    """Return the network called `model` for samples of `sample_shape` (without the batch axis).

    `hidden` are the sizes of the hidden layers (of a cnn: of those after the convolutions). Raises
    UnknownNameError or ArgumentError for what cannot be built.
    """
    if is_from_file(model):
        return _from_file(model, sample_shape, outputs)
    check_names(model, activation)
    if model == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(sample_shape), outputs))
    if model == "mlp":
        return nn.Sequential(
            nn.Flatten(), *_dense(math.prod(sample_shape), hidden, outputs, activation, dropout)
        )
    return _convolutional(sample_shape, outputs, hidden, activation, dropout)


def check_names(model: str, activation: str) -> None:
    """Raise UnknownNameError unless both are names that `build_model` knows."""
    if model not in MODELS and not is_from_file(model):
        raise UnknownNameError(
            f"model: there is none called {model!r}", hint=nearest(model, [*MODELS, "file.py:function"])
        )
    if activation not in ACTIVATIONS:
        raise UnknownNameError(
            f"activation: there is none called {activation!r}", hint=nearest(activation, ACTIVATIONS)
        )


def is_from_file(model: str) -> bool:
    """Say whether `model` means a function in a file, as in `net.py:build`."""
    return ".py:" in model or model.endswith(".py")


def _dense(
    width: int, hidden: Sequence[int], outputs: int, activation: str, dropout: float
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), ACTIVATIONS[activation]()]
        layers += [nn.Dropout(dropout)] if dropout else []
        width = size
    return [*layers, nn.Linear(width, outputs)]


def _convolutional(
    sample_shape: Shape, outputs: int, hidden: Sequence[int], activation: str, dropout: float
) -> nn.Module:
    """Stages of convolution, batch norm, activation and pooling until at most 4 pixels a side are left."""
    if len(sample_shape) != 3:
        raise ArgumentError(
            f"model: a cnn needs images (channels, height, width), the samples are {sample_shape}",
            hint="use mlp or linear for tables",
        )
    channels, height, width = sample_shape
    layers: list[nn.Module] = []
    filters = 16
    while not layers or (min(height, width) >= 6 and filters <= 128):
        layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters)]
        layers += [ACTIVATIONS[activation]()]
        if min(height, width) >= 2:
            layers += [nn.MaxPool2d(2)]
            height, width = height // 2, width // 2
        channels, filters = filters, 2 * filters
    features = channels * height * width
    return nn.Sequential(*layers, nn.Flatten(), *_dense(features, hidden, outputs, activation, dropout))


def _from_file(model: str, sample_shape: Shape, outputs: int) -> nn.Module:
    name, _, function = model.rpartition(":")
    path = Path(name or model).expanduser()
    if not name or not function.isidentifier():
        raise ArgumentError(f"model: {model!r} does not say which function", hint=f"{model}:build")
    if not path.is_file():
        raise ArgumentError(f"model: there is no file {str(path)!r}", hint="give the path of the file first")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build = getattr(module, function, None)
    if not callable(build):
        raise UnknownNameError(
            f"model: {path.name} has no function {function!r}",
            hint=nearest(function, [each for each in vars(module) if callable(getattr(module, each))]),
        )
    made = build(sample_shape, outputs)
    if not isinstance(made, nn.Module):
        raise ArgumentError(f"model: {model} must return a Module, it returned {type(made).__name__}")
    return made
