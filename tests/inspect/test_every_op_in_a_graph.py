"""Every op of the registry in a graph: values computed anew, and upstream x local = downstream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY
from chainrule.inspect import ComputationalGraph, Local

OPS = sorted(name for name, op in REGISTRY.items() if isinstance(op, Op) and op.differentiable and op.samples)


def tracked(arrays: list[Any]) -> list[Any]:
    """Tracked tensors for real numbers, all else as it is."""
    return [cr.Tensor(a, requires_grad=True) if getattr(a, "dtype", 0) == np.float64 else a for a in arrays]


def check_edges(graph: ComputationalGraph) -> None:
    """On every edge the product of upstream and local is downstream, and the parts add up."""
    for gate in graph:
        arrived = [user.downstream(i) for user, i in graph.consumers(gate)]
        if arrived and gate.tracked:
            np.testing.assert_allclose(sum(arrived[1:], start=arrived[0]), gate.upstream, rtol=1e-12)
        for i, source in enumerate(gate.inputs):
            if not source.tracked:
                continue
            np.testing.assert_allclose(gate.product(i), gate.downstream(i), rtol=1e-10, atol=1e-12)
            local = gate.local(i)
            if isinstance(local, Local):
                check_operator(local)


def check_operator(local: Local) -> None:
    """Its two directions are each other's transpose, and `dense` is the same map."""
    stream = cr.random.Stream(3)
    g, v = stream.normal(local.output, dtype=np.float64), stream.normal(local.input, dtype=np.float64)
    np.testing.assert_allclose((g * (local @ v)).sum(), ((g @ local) * v).sum(), rtol=1e-9, atol=1e-12)
    dense = local.dense()
    assert dense.shape == local.shape
    np.testing.assert_allclose(np.tensordot(dense, v, v.ndim), local @ v, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OPS)
def test_op_in_a_graph(name: str) -> None:
    op: Any = REGISTRY[name]
    for sample in op.samples:
        old, new = (sample.arrays(np.float64, seed) for seed in (1, 2))
        first = tracked(old)
        output = op(*first, **sample.params)
        if not output.requires_grad:
            continue
        graph = ComputationalGraph(output)
        places = {i for i, each in enumerate(first) for gate in graph.parameters if gate.tensor is each}
        # What is no leaf of the graph (labels, masks, drawn samples) was captured, and stays.
        second = tracked([new[i] if i in places else each for i, each in enumerate(old)])
        fresh = op(*second, **sample.params)
        value = graph.forward({first[i]: new[i] for i in places})
        np.testing.assert_array_equal(value, fresh.data, f"{name}{sample.inputs} {sample.params}")
        upstream = cr.random.Stream(5).normal(value.shape, dtype=value.dtype)
        gradients = graph.backward(upstream)
        fresh.backward(upstream)
        for i in places:
            np.testing.assert_array_equal(gradients[graph[first[i]].name], second[i].grad.data)
            np.testing.assert_array_equal(first[i].grad.data, second[i].grad.data)
        check_edges(graph)
        check_edges_of_boxes(graph)


def check_edges_of_boxes(graph: ComputationalGraph) -> None:
    opened = len(graph)
    check_edges(graph.group())
    assert len(graph.ungroup()) == opened
