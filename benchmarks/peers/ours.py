"""chainrule: the step as a user writes it, compiled; or run eagerly."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.nets import Net, Training
from benchmarks.peers.modules import build, loss_of, optimizer_of, step_of
from chainrule import nn, optim
from chainrule.nn import functional as F


class Trainer:
    """A net in training, on the data of an epoch."""

    def __init__(self, training: Training, mode: str, threads: int) -> None:
        _set_threads(threads)
        self.x, self.y = training.data()
        self.batch, self.epochs = training.batch, 0
        model = build(training.net, nn, _assign)
        step = step_of(loss_of(training, model, F), optimizer_of(training, model, optim))
        self.compiled = mode == "compiled"
        self.run = cr.compile(step) if self.compiled else step

    def step(self, place: int = 0) -> float:
        """Train on one batch; return its loss."""
        rows = slice(place * self.batch, (place + 1) * self.batch)
        return self.run(self.x[rows], self.y[rows]).item()

    def epoch(self, count: int, shuffle: bool = True) -> float:
        """Train on the first `count` batches; return the mean loss."""
        samples = count * self.batch
        x, y = self.x[:samples], self.y[:samples]
        self.epochs += 1
        if self.compiled:
            return float(np.mean(self.run.epoch(x, y, self.batch, shuffle, epoch=self.epochs)))
        order = np.random.permutation(samples) if shuffle else np.arange(samples)
        return float(np.mean([self.run(x[part], y[part]).item() for part in np.split(order, count)]))


class Predictor:
    """A net that scores samples."""

    def __init__(self, net: Net, x: np.ndarray, mode: str, threads: int) -> None:
        _set_threads(threads)
        model = build(net, nn, _assign).eval()
        self.x = x

        def scores(x: Any) -> cr.Tensor:
            with cr.no_grad():
                return model(x)

        self.run = cr.compile(scores)

    def sample(self) -> np.ndarray:
        """Return the scores."""
        return self.run(self.x).data


def _assign(parameter: Any, weight: np.ndarray) -> None:
    parameter.data[...] = weight


def _set_threads(threads: int) -> None:
    """Set the number of threads where this version can; the environment says the same."""
    if hasattr(cr, "set_num_threads"):
        cr.set_num_threads(threads)
