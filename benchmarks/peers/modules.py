"""The nets as trees of modules, and the step that trains them: one text for chainrule and PyTorch.

Both have the same names, so what is timed is the same code with another `nn`, `optim` and `F`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import nets
from benchmarks.nets import Layer, Net, Training


def build(net: Net, nn: Any, assign: Callable[[Any, Any], object]) -> Any:
    """Return the net in terms of `nn`; `assign(parameter, array)` gives it the weights."""
    model = _sequence(net.layers, nn)
    for parameter, weight in zip(model.parameters(), net.weights(), strict=True):
        assign(parameter, weight)
    return model


def optimizer_of(training: Training, model: Any, optim: Any, **options: Any) -> Any:
    """Return the optimiser of the statement in terms of `optim`."""
    options |= {"lr": training.rate, "weight_decay": training.weight_decay}
    if training.adam:
        return optim.Adam(model.parameters(), **options)
    return optim.SGD(model.parameters(), momentum=training.momentum, **options)


def loss_of(training: Training, model: Any, functional: Any) -> Callable[[Any, Any], Any]:
    """Return the loss of a batch as a function."""
    if training.loss == "cross_entropy":
        return lambda x, y: functional.cross_entropy(model(x), y)
    reduction = training.loss.split("_")[0]
    return lambda x, y: functional.mse_loss(model(x), y, reduction=reduction)


def step_of(loss_of_batch: Callable[[Any, Any], Any], optimizer: Any) -> Callable[[Any, Any], Any]:
    """Return a function of a batch that trains by one step and returns the loss."""

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of_batch(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _sequence(layers: Iterable[Layer], nn: Any) -> Any:
    return nn.Sequential(*(module for layer in layers for module in _modules(layer, nn)))


def _modules(layer: Layer, nn: Any) -> list[Any]:
    """Return what a layer of the statement is in `nn`."""
    match layer:
        case nets.Linear(inputs, outputs, bias):
            return [nn.Linear(inputs, outputs, bias)]
        case nets.Conv(inputs, outputs, kernel, stride, padding, bias):
            return [nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias)]
        case nets.BatchNorm(channels):
            return [nn.BatchNorm2d(channels)]
        case nets.Activation(name):
            return [{"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[name]()]
        case nets.MaxPool(size):
            return [nn.MaxPool2d(size)]
        case nets.MeanPool():
            return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case nets.Flatten():
            return [nn.Flatten()]
        case nets.Dropout(p):
            return [nn.Dropout(p)]
        case nets.Residual(body, shortcut):
            around = _sequence(shortcut, nn) if shortcut else nn.Identity()
            return [_residual(_sequence(body, nn), around, nn), nn.ReLU()]


def _residual(body: Any, shortcut: Any, nn: Any) -> Any:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x: Any) -> Any:
            return self.body(x) + self.shortcut(x)

    return Residual()
