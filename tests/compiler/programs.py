"""Small programs, with sizes that are odd, prime or 1: what golden files and guard pages run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.core.stream import Stream
from chainrule.nn import functional as F


def _array(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def training(model: Any, rule: Any, loss: Callable[..., Any] = F.cross_entropy) -> Callable[..., Any]:
    """Return the plainest step of a training."""

    def step(x, y):
        rule.zero_grad()
        value = loss(model(x), y)
        value.backward()
        rule.step()
        return value

    return step


def _labels(count: int, classes: int = 3) -> np.ndarray:
    return np.arange(count) % classes


def _perceptron(rule: str = "SGD", **options: Any) -> Callable[..., Any]:
    cr.random.seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    return training(model, getattr(optim, rule)(model.parameters(), lr=0.1, **options))


def _dropping() -> Callable[..., Any]:
    cr.random.seed(0)
    model = nn.Sequential(nn.Linear(5, 17), nn.ReLU(), nn.Dropout(0.3), nn.Linear(17, 3))
    return training(model, optim.SGD(model.parameters(), lr=0.1))


def _convolutional(norm: bool = True) -> Callable[..., Any]:
    cr.random.seed(0)
    layers = [
        nn.Conv2d(2, 3, 3, padding=1),
        *([nn.BatchNorm2d(3)] if norm else []),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(3 * 3 * 2, 3))
    return training(model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


def _recurrent(x, w):
    state = cr.zeros((x.shape[1], w.shape[0]))
    for each in x:
        state = cr.tanh(each + state @ w)
    return state.sum()


def _shifted() -> Callable[..., Any]:
    """Rows of pixels from a random place on, read backwards: runs that begin where the data say."""
    stream = Stream(3)

    def views(x):
        start = cr.random.integers(0, 5, (len(x), 1), stream=stream)
        wide = cr.pad(x, ((0, 0), (2, 2)))
        return wide[np.arange(len(x))[:, None], start + np.arange(x.shape[1])][:, ::-1]

    return views


PROGRAMS: dict[str, tuple[Callable[[], Callable[..., Any]], tuple[np.ndarray, ...]]] = {
    "elementwise": (lambda: lambda x, y: cr.exp(x) * y + 1.0, (_array(5, 7), _array(7))),
    "sum_rows": (lambda: lambda x: x.sum(axis=1), (_array(13, 37),)),
    "sum_columns": (lambda: lambda x: x.sum(axis=0), (_array(13, 37),)),
    "softmax": (lambda: lambda x: F.softmax(x, dim=-1), (_array(3, 11),)),
    "standardised": (lambda: lambda x: (x - x.mean(axis=0)) / x.std(axis=0), (_array(19, 5),)),
    "argmax": (lambda: lambda x: x.argmax(axis=1), (_array(5, 7),)),
    "transposed": (lambda: lambda x: cr.transpose(x) * 2.0, (_array(7, 33),)),
    "padded": (lambda: lambda x: cr.pad(x, ((1, 2), (0, 3))), (_array(3, 5),)),
    "reversed": (lambda: lambda x: x[::-2, 1:], (_array(7, 5),)),
    "joined": (lambda: lambda x, y: cr.concatenate([x, y], axis=1), (_array(3, 5), _array(3, 2))),
    "looked_up": (lambda: lambda x, i: x[i], (_array(5, 3), np.array([4, -1, 0]))),
    "shifted": (_shifted, (np.arange(3 * 37, dtype=np.uint8).reshape(3, 37),)),
    "flattened": (lambda: lambda x, w: (x - 1.0).reshape(3, 10) @ w, (_array(3, 2, 5), _array(10, 7))),
    "running_sum": (lambda: lambda x: cr.cumsum(x, axis=0), (_array(5, 3),)),
    "matrix_product": (lambda: lambda x, y: x @ y, (_array(5, 7), _array(7, 3))),
    "batched_product": (lambda: lambda x, y: x @ y, (_array(2, 3, 5, 7), _array(3, 7, 1))),
    "whole_numbers": (lambda: lambda x: (x // 3) @ (x % 5), (np.arange(-8, 8).reshape(4, 4),)),
    "double_precision": (lambda: lambda x: cr.log(x * x + 1).sum(), (_array(3, 9, dtype=np.float64),)),
    "recurrent": (lambda: _recurrent, (_array(3, 2, 5), _array(5, 5))),
    "perceptron": (_perceptron, (_array(7, 5), _labels(7))),
    "perceptron_adam": (lambda: _perceptron("Adam", weight_decay=0.01), (_array(7, 5), _labels(7))),
    "dropout": (_dropping, (_array(9, 5), _labels(9))),
    "convolution": (lambda: _convolutional(norm=False), (_array(16, 2, 6, 5), _labels(16))),
    "convolution_odd": (_convolutional, (_array(5, 2, 7, 5), _labels(5))),
    "convolution_few": (_convolutional, (_array(3, 2, 7, 5), _labels(3))),
}
