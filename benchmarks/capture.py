"""The price of seeing everything: one eager step of LeNet-5, batch 32, with nothing left out.

Captured are every value, every upstream, local and downstream gradient (`explain`), and with the
cards also the residual of upstream x local = downstream on every edge. Floor: the same step without.
Bar: at most 3 times the eager step. "chainrule" is the bare step; the others take longer than it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.timing import Options, Row, in_process
from chainrule import nn, optim, random
from chainrule.core.tensor import Tensor
from chainrule.inspect import ComputationalGraph
from chainrule.nn import functional as F

NAME = "LeNet-5, batch 32"


def rows(options: Options) -> Iterator[Row]:
    """Yield one row: the step, the step with all gradients and locals, the step with all cards."""
    if options.wants("capture", NAME):
        yield _captured(options)


def _captured(options: Options) -> Row:
    random.seed(0)
    model = lenet5()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 1, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, 32)
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def step(backward: Callable[[Tensor], object]) -> None:
        optimizer.zero_grad()
        backward(F.cross_entropy(model(x), y))
        optimizer.step()

    contenders = {
        "chainrule": lambda: step(Tensor.backward),
        "with every local": lambda: step(locals_of),
        "with every card": lambda: step(cards_of),
    }
    return in_process("capture", NAME, contenders, options)


def lenet5() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def locals_of(loss: Tensor) -> object:
    graph = ComputationalGraph(loss)
    graph.backward()
    return [[gate.local(i) for i in range(len(gate.inputs))] for gate in graph]


def cards_of(loss: Tensor) -> object:
    graph = ComputationalGraph(loss)
    graph.backward()
    return graph.explain()
