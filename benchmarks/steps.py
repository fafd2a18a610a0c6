"""One training step of small networks: forward, loss, backward, SGD update; compiled, and eager.

`cr.compile` replays the traced step over NumPy. The peers are the same arithmetic written by hand in
NumPy, and PyTorch where it is installed. Losses must agree to 1e-5 over ten steps before anything is
timed. Floor: the arithmetic by hand.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Iterator

import numpy as np

import chainrule as cr
from benchmarks.timing import Row, in_turn
from chainrule import nn, optim, random
from chainrule.nn import functional as F

NETS = {
    "2-8-2, batch 10": (10, 2, 8, 2),
    "64-64-10, batch 32": (32, 64, 64, 10),
    "784-100-10, batch 64": (64, 784, 100, 10),
}
RATE = 0.1
Step = Callable[[], float]


def rows(rounds: int) -> Iterator[Row]:
    """Yield a row a network."""
    for name, (batch, inputs, hidden, classes) in NETS.items():
        random.seed(0)
        model = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))
        rng = np.random.default_rng(0)
        x = rng.normal(size=(batch, inputs)).astype(np.float32)
        y = rng.integers(0, classes, batch)
        weights = [p.data.copy() for p in model.parameters()]
        twin = copy.deepcopy(model)
        contenders = {
            "chainrule": _ours(model, x, y, compiled=True),
            "chainrule eager": _ours(twin, x, y, compiled=False),
            "numpy by hand": _by_hand(weights, x, y),
        }
        if importlib.util.find_spec("torch"):
            contenders["torch eager"] = _torch([w.copy() for w in weights], x, y)
        _agree(name, contenders)
        yield in_turn(f"step {name}", contenders, rounds)


def _agree(name: str, contenders: dict[str, Step]) -> None:
    losses = {peer: [step() for _ in range(10)] for peer, step in contenders.items()}
    for peer, found in losses.items():
        if not np.allclose(found, losses["chainrule"], rtol=1e-5, atol=1e-6):
            raise AssertionError(f"{name}: losses of {peer} differ: {found} and {losses['chainrule']}")


def _ours(model: nn.Module, x: np.ndarray, y: np.ndarray, compiled: bool) -> Step:
    optimizer = optim.SGD(model.parameters(), lr=RATE)

    def step() -> cr.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = cr.compile(step) if compiled else step
    return lambda: run().item()


def _by_hand(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> Step:
    w1, b1, w2, b2 = weights
    rows_ = np.arange(len(x))

    def step() -> float:
        h = np.maximum(x @ w1.T + b1, 0)
        scores = h @ w2.T + b2
        scores -= scores.max(axis=1, keepdims=True)
        e = np.exp(scores)
        total = e.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(total[:, 0]) - scores[rows_, y]))
        g = e / total
        g[rows_, y] -= 1
        g /= len(x)
        gh = (g @ w2) * (h > 0)
        for w, d in ((w2, g.T @ h), (b2, g.sum(0)), (w1, gh.T @ x), (b1, gh.sum(0))):
            np.subtract(w, RATE * d, out=w)
        return loss

    return step


def _torch(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> Step:
    import torch

    params = [torch.nn.Parameter(torch.from_numpy(w)) for w in weights]
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.SGD(params, lr=RATE)

    def step() -> float:
        optimizer.zero_grad()
        hidden = torch.relu(torch.nn.functional.linear(inputs, params[0], params[1]))
        loss = torch.nn.functional.cross_entropy(
            torch.nn.functional.linear(hidden, params[2], params[3]), labels
        )
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
