"""PyTorch: eager, eager with images in channels_last, and torch.compile, in their quickest forms.

The optimisers are the fused ones. `torch.compile` is given the net and the loss, whose backward pass
it compiles too; with the optimiser inside it was never quicker.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.nets import Net, Training
from benchmarks.peers.modules import build, loss_of, optimizer_of, step_of


class Trainer:
    """A net in training, on the data of an epoch."""

    def __init__(self, training: Training, mode: str, threads: int) -> None:
        torch.set_num_threads(threads)
        torch._dynamo.reset()
        x, y = training.data()
        self.x, self.y, self.batch = torch.from_numpy(x), torch.from_numpy(y), training.batch
        model = build(training.net, torch.nn, _assign)
        if mode == "channels_last":
            model = model.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        loss = loss_of(training, model, F)
        optimizer = optimizer_of(training, model, torch.optim, fused=True)
        self.run = step_of(torch.compile(loss) if mode == "compile" else loss, optimizer)

    def step(self, place: int = 0) -> float:
        """Train on one batch; return its loss."""
        rows = slice(place * self.batch, (place + 1) * self.batch)
        return self.run(self.x[rows], self.y[rows]).item()

    def epoch(self, count: int, shuffle: bool = True) -> float:
        """Train on the first `count` batches; return the mean loss."""
        samples = count * self.batch
        order = torch.randperm(samples) if shuffle else torch.arange(samples)
        losses = [self.run(self.x[part], self.y[part]).item() for part in order.split(self.batch)]
        return float(np.mean(losses))


class Predictor:
    """A net that scores samples."""

    def __init__(self, net: Net, x: np.ndarray, mode: str, threads: int) -> None:
        torch.set_num_threads(threads)
        torch._dynamo.reset()
        model = build(net, torch.nn, _assign).eval()
        self.x = torch.from_numpy(x)
        self.run = torch.compile(model) if mode == "compile" else model

    def sample(self) -> np.ndarray:
        """Return the scores."""
        with torch.inference_mode():
            return self.run(self.x).numpy()


def _assign(parameter: Any, weight: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(weight))
