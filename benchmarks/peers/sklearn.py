"""scikit-learn: MLPClassifier, whose `partial_fit` is one pass over what it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.nets import Activation, Linear, Net, Training


class Trainer:
    """A net in training, on the data of an epoch."""

    def __init__(self, training: Training, mode: str, threads: int) -> None:
        self.x, self.y = training.data()
        self.batch = training.batch
        self.model = _classifier(training.net, self.x, self.y, training.batch, training.rate)

    def step(self, place: int = 0) -> float:
        """Train on one batch; return its loss."""
        rows = slice(place * self.batch, (place + 1) * self.batch)
        return float(self.model.partial_fit(self.x[rows], self.y[rows]).loss_)

    def epoch(self, count: int, shuffle: bool = True) -> float:
        """Train on the first `count` batches; return the mean loss."""
        samples = count * self.batch
        self.model.set_params(shuffle=shuffle)
        return float(self.model.partial_fit(self.x[:samples], self.y[:samples]).loss_)


class Predictor:
    """A net that scores samples."""

    def __init__(self, net: Net, x: np.ndarray, mode: str, threads: int) -> None:
        self.x = x
        fitted = np.repeat(x, net.classes, axis=0), np.arange(net.classes)
        self.model = _classifier(net, *fitted, batch=1, rate=0.0001)

    def sample(self) -> np.ndarray:
        """Return the scores, up to a constant: the logarithms of the probabilities."""
        return np.log(self.model.predict_proba(self.x))


def _classifier(net: Net, x: np.ndarray, y: np.ndarray, batch: int, rate: float) -> Any:
    sizes = [layer.outputs for layer in net.layers if isinstance(layer, Linear)]
    (activation,) = {layer.name for layer in net.layers if isinstance(layer, Activation)}
    model = MLPClassifier(
        sizes[:-1], {"sigmoid": "logistic"}.get(activation, activation), solver="sgd", alpha=0,
        batch_size=batch, learning_rate_init=rate, momentum=0, shuffle=False, nesterovs_momentum=False,
        random_state=0,
    )  # fmt: skip
    model.partial_fit(x[:batch], y[:batch], classes=np.arange(net.classes))
    weights = iter(net.weights())
    for coefficients, intercepts in zip(model.coefs_, model.intercepts_, strict=True):
        coefficients[...] = next(weights).T
        intercepts[...] = next(weights)
    return model
