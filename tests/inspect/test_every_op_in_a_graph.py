"""Every op of the registry in a graph: values computed anew, and upstream x local = downstream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.inspect.edges import check_edges, check_edges_of_boxes

import chainrule as cr
import chainrule.nn
from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY
from chainrule.inspect import ComputationalGraph

OPS = sorted(name for name, op in REGISTRY.items() if isinstance(op, Op) and op.differentiable and op.samples)


def tracked(arrays: list[Any]) -> list[Any]:
    """Tracked tensors for real numbers, all else as it is."""
    return [cr.Tensor(a, requires_grad=True) if getattr(a, "dtype", 0) == np.float64 else a for a in arrays]


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
