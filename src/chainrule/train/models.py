"""Networks by name: `linear`, `mlp`, `cnn`, `resnet20`, or a function in a file of the user's.

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
from chainrule.core.spec import Shape
from chainrule.errors import ArgumentError, UnknownNameError, nearest
from chainrule.train.convnets import RESNETS, Design, cnn, resnet

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
MODELS = ("centroid", "linear", "mlp", "cnn", *RESNETS)


def build_model(
    model: str,
    sample_shape: Shape,
    outputs: int,
    *,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool | None = None,
    stochastic_depth: float = 0.0,
    pooling: str = "max",
) -> nn.Module:
    """Return the network called `model` for samples of `sample_shape` (without the batch axis).

    `hidden` are the sizes of the hidden layers (of a cnn: of those after the convolutions).
    `batch_norm` None leaves it to the network: a cnn has it, an mlp has not. A `centroid` is a linear
    network whose weights somebody else sets. Raises UnknownNameError or ArgumentError for what
    cannot be built.
    """
    if is_from_file(model):
        return _from_file(model, sample_shape, outputs)
    check_names(model, activation)
    design = Design(ACTIVATIONS[activation], dropout, batch_norm, stochastic_depth, pooling)
    if model in RESNETS:
        return resnet(RESNETS[model], sample_shape, outputs, design)
    if model == "cnn":
        layers, width = cnn(sample_shape, design)
        return nn.Sequential(*layers, *_dense(width, hidden, outputs, design))
    if pooling != "max":
        raise ArgumentError(f"pooling: a network called {model} has none", hint="--model cnn")
    if stochastic_depth:
        raise ArgumentError(
            f"stochastic_depth: {model} has no branches that could be dropped", hint="--model resnet20"
        )
    sizes = hidden if model == "mlp" else ()
    return nn.Sequential(nn.Flatten(), *_dense(math.prod(sample_shape), sizes, outputs, design))


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


def _dense(width: int, hidden: Sequence[int], outputs: int, design: Design) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size)]
        layers += [nn.BatchNorm1d(size)] if design.batch_norm else []
        layers += [design.activation()]
        layers += [nn.Dropout(design.dropout)] if design.dropout else []
        width = size
    return [*layers, nn.Linear(width, outputs)]


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
