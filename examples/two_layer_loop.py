"""The lecture's two-layer network, trained in full with the loop written out.

Random data, one sigmoid layer, the squared error summed, 2,000 steps of plain gradient descent. The
backward pass that the lecture writes by hand (four lines of products) is one call here.
"""

from __future__ import annotations

import numpy as np

import chainrule as cr

N, D_IN, H, D_OUT = 64, 1000, 100, 10


def draw(seed: int = 0) -> list[np.ndarray]:
    """Draw x, y and the two weight matrices from the normal distribution, in float64."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in ((N, D_IN), (N, D_OUT), (D_IN, H), (H, D_OUT))]


def train(steps: int = 2000, rate: float = 1e-4, seed: int = 0) -> list[float]:
    """Return the loss before each step."""
    x, y, *weights = draw(seed)
    w1, w2 = (cr.tensor(w, requires_grad=True) for w in weights)
    losses = []
    for _ in range(steps):
        h = 1 / (1 + cr.exp(-cr.dot(x, w1)))
        y_pred = h.dot(w2)
        loss = cr.square(y_pred - y).sum()
        losses.append(loss.item())

        w1.grad = w2.grad = None
        loss.backward()
        with cr.no_grad():
            w1 -= rate * w1.grad
            w2 -= rate * w2.grad
    return losses


if __name__ == "__main__":
    for t, loss in enumerate(train()):
        if t % 100 == 0:
            print(t, loss)
