"""A linear classifier, f = W x + b, on 8 x 8 digits: scores, softmax loss, gradient descent by hand.

Each row of W is a template for one class. Needs scikit-learn, which carries the digits.
"""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.data import Batches, load


def loss_of(scores: cr.Tensor, labels: np.ndarray) -> cr.Tensor:
    """Return the mean of -log(probability of the right class)."""
    right = scores[np.arange(len(labels)), labels]
    return cr.mean(cr.logsumexp(scores, axis=1) - right)


def pixels(images: np.ndarray) -> np.ndarray:
    """Return one row of numbers in [0, 1] for each image."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def train(epochs: int = 30, rate: float = 0.5, strength: float = 1e-4) -> tuple[list[float], float]:
    """Return the mean loss of every epoch, and the share of test images that is classified right."""
    splits = load("digits")
    w = cr.zeros((10, 64), requires_grad=True, name="w")
    b = cr.zeros(10, requires_grad=True, name="b")
    history = []
    batches = Batches(pixels(splits.train.x), splits.train.y, batch_size=64, shuffle=True, seed=0)
    for _ in range(epochs):
        losses = []
        for x, labels in batches:
            loss = loss_of(x @ w.T + b, labels) + strength * (w * w).sum()
            w.grad = b.grad = None
            loss.backward()
            with cr.no_grad():
                w -= rate * w.grad
                b -= rate * b.grad
            losses.append(loss.item())
        history.append(float(np.mean(losses)))
    scores = pixels(splits.test.x) @ w.data.T + b.data
    return history, float((scores.argmax(axis=1) == splits.test.y).mean())


if __name__ == "__main__":
    history, right = train()
    print(f"loss {history[0]:.3f} -> {history[-1]:.3f}, {right:.1%} of the test images right")
