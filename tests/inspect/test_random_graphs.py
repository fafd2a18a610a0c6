"""Random graphs of ops of every family: forward anew equals a fresh run, and every edge holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.inspect.edges import check_edges, check_edges_of_boxes

import chainrule as cr
from chainrule.inspect import ComputationalGraph
from chainrule.nn import functional as F

W = cr.random.Stream(9).normal((3, 3), dtype=np.float64)
MASK = np.arange(12).reshape(4, 3) % 2 == 0

# Each takes two tensors of shape (4, 3) and returns one.
POOL: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: 2.0 - a / (b * b + 1),
    cr.maximum,
    lambda a, b: np.sin(a) * b.mean(),
    lambda a, b: a @ W,
    lambda a, b: a @ (b.T @ b),
    lambda a, b: cr.einsum("ij,kj->ik", a, b)[:, :3],
    lambda a, b: a.sum(axis=1, keepdims=True) + b[0],
    lambda a, b: cr.max(a, axis=0) * b,
    lambda a, b: a[::-1] + b[[3, 3, 0, 1]],
    lambda a, b: cr.concatenate([a[:2], b[:2]]),
    lambda a, b: a.reshape(3, 4).T - b,
    lambda a, b: cr.pad(a, 1)[1:-1, :-2] * b,
    lambda a, b: cr.cumsum(a, axis=0) + b,
    lambda a, b: cr.where(MASK, a, b),
    lambda a, b: F.softmax(a, dim=1) * b,
    lambda a, b: a - cr.logsumexp(b, axis=0),
    lambda a, b: a / (cr.std(b) + 1),
    lambda a, b: cr.prod(a, axis=1, keepdims=True) + b,
]


def grown(seed: int, x: cr.Tensor, y: cr.Tensor, steps: int = 30) -> cr.Tensor:
    """Return the output of a random graph over x and y; the same graph for the same seed."""
    draw = np.random.default_rng(seed)
    values = [x, y]
    order = draw.permutation(steps) % len(POOL)
    for op in order:
        a, b = (values[-1 - draw.integers(min(4, len(values)))] for _ in range(2))
        values.append(cr.tanh(POOL[op](a, b)))
    return sum((value.sum() for value in values[-4:]), start=(x * y).sum())


def pair(seed: int) -> list[cr.Tensor]:
    stream = cr.random.Stream(seed)
    return [
        cr.Tensor(stream.normal((4, 3), dtype=np.float64), requires_grad=True, name=name)
        for name in ("x", "y")
    ]


@pytest.mark.parametrize("seed", range(6))
def test_random_graph(seed: int) -> None:
    old, new = pair(seed), pair(seed + 100)
    graph = ComputationalGraph(grown(seed, *old))
    fresh = grown(seed, *new)
    value = graph.forward(dict(zip(old, (tensor.data for tensor in new), strict=True)))
    np.testing.assert_array_equal(value, fresh.data)
    fresh.backward()
    gradients = graph.backward()
    for tensor in new:
        np.testing.assert_array_equal(gradients[str(tensor.name)], tensor.grad.data)  # type: ignore[union-attr]
    check_edges(graph)
    check_edges_of_boxes(graph)


def test_the_pool_has_every_family() -> None:
    families = {
        node.tensor.op.family
        for seed in range(6)
        for node in ComputationalGraph(grown(seed, *pair(seed)))
        if not node.is_leaf
    }
    assert families == {"elementwise", "reduction", "contraction", "movement", "composite", "opaque"}
