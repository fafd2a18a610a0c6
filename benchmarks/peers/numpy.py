"""NumPy by hand: an MLP's forward and backward pass and SGD, as a careful user writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.nets import Activation, Dropout, Linear, Net, Training

# name -> (the function, its derivative from its value)
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda h: h > 0),
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda h: h * (1 - h)),
}


class Trainer:
    """A net in training, on the data of an epoch."""

    def __init__(self, training: Training, mode: str, threads: int) -> None:
        self.x, self.y = training.data()
        self.batch, self.rate, self.loss = training.batch, np.float32(training.rate), training.loss
        self.layers, self.weights = _with_weights(training.net)
        self.rng, self.rows = np.random.default_rng(0), np.arange(training.batch)

    def step(self, place: int = 0) -> float:
        """Train on one batch; return its loss."""
        rows = slice(place * self.batch, (place + 1) * self.batch)
        return self._train(self.x[rows], self.y[rows])

    def epoch(self, count: int, shuffle: bool = True) -> float:
        """Train on the first `count` batches; return the mean loss."""
        samples = count * self.batch
        order = self.rng.permutation(samples) if shuffle else np.arange(samples)
        parts = [order[start : start + self.batch] for start in range(0, samples, self.batch)]
        return float(np.mean([self._train(self.x[part], self.y[part]) for part in parts]))

    def _train(self, x: np.ndarray, y: np.ndarray) -> float:
        kept: list[Any] = []  # of each layer what its backward pass needs
        for layer, (weight, bias) in zip(self.layers, self.weights, strict=True):
            if isinstance(layer, Linear):
                kept.append(x)
                x = x @ weight.T
                if bias is not None:
                    x += bias
            elif isinstance(layer, Dropout):
                kept.append((self.rng.random(x.shape, np.float32) >= layer.p) / np.float32(1 - layer.p))
                x = x * kept[-1]
            else:
                x = ACTIVATIONS[layer.name][0](x)
                kept.append(x)
        loss, gradient = self._loss(x, y)
        for place in range(len(self.layers) - 1, -1, -1):
            layer, (weight, bias), seen = self.layers[place], self.weights[place], kept[place]
            if isinstance(layer, Linear):
                before = gradient @ weight if place else gradient
                weight -= self.rate * (gradient.T @ seen)
                if bias is not None:
                    bias -= self.rate * gradient.sum(axis=0)
                gradient = before
            else:
                gradient *= seen if isinstance(layer, Dropout) else ACTIVATIONS[layer.name][1](seen)
        return float(loss)

    def _loss(self, scores: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return the loss and its gradient."""
        if self.loss != "cross_entropy":
            gap = scores - y
            total, count = np.vdot(gap, gap), gap.size if self.loss == "mean_squared" else 1
            return total / count, gap * np.float32(2 / count)
        scores -= scores.max(axis=1, keepdims=True)
        e = np.exp(scores)
        total = e.sum(axis=1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - scores[self.rows, y])
        e /= total
        e[self.rows, y] -= 1
        e /= len(y)
        return loss, e


class Predictor:
    """A net that scores samples."""

    def __init__(self, net: Net, x: np.ndarray, mode: str, threads: int) -> None:
        self.x = x
        self.layers, self.weights = _with_weights(net)

    def sample(self) -> np.ndarray:
        """Return the scores."""
        x = self.x
        for layer, (weight, bias) in zip(self.layers, self.weights, strict=True):
            if isinstance(layer, Activation):
                x = ACTIVATIONS[layer.name][0](x)
            elif isinstance(layer, Linear):
                x = x @ weight.T
                if bias is not None:
                    x += bias
        return x


def _with_weights(net: Net) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Return the layers, and for each the weight and the bias, None where it has none."""
    weights = iter(net.weights())
    pairs = [
        (next(weights), next(weights) if layer.bias else None) if isinstance(layer, Linear) else (None, None)
        for layer in net.layers
    ]
    return list(net.layers), pairs
