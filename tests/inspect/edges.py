"""What must hold on the edges of every graph."""

from __future__ import annotations

import numpy as np

from chainrule.core.stream import Stream
from chainrule.inspect import ComputationalGraph, Local


def check_edges(graph: ComputationalGraph) -> None:
    """On every edge the product of upstream and local is downstream, and the parts add up."""
    for gate in graph:
        arrived = [user.downstream(i) for user, i in graph.consumers(gate)]
        if arrived and gate.tracked:
            np.testing.assert_allclose(
                sum(arrived[1:], start=arrived[0]), gate.upstream, rtol=1e-12, atol=1e-14
            )
        for i, source in enumerate(gate.inputs):
            if not source.tracked:
                continue
            np.testing.assert_allclose(gate.product(i), gate.downstream(i), rtol=1e-10, atol=1e-12)
            local = gate.local(i)
            if isinstance(local, Local):
                check_operator(local)


def check_operator(local: Local) -> None:
    """Its two directions are each other's transpose, and `dense` is the same map."""
    stream = Stream(3)
    g, v = stream.normal(local.output, dtype=np.float64), stream.normal(local.input, dtype=np.float64)
    np.testing.assert_allclose((g * (local @ v)).sum(), ((g @ local) * v).sum(), rtol=1e-9, atol=1e-12)
    dense = local.dense()
    assert dense.shape == local.shape
    np.testing.assert_allclose(np.tensordot(dense, v, v.ndim), local @ v, rtol=1e-9, atol=1e-12)


def check_edges_of_boxes(graph: ComputationalGraph) -> None:
    """The same with every composite closed; opening them gives the old graph back."""
    opened = graph.nodes_topologically_sorted()
    check_edges(graph.group())
    assert graph.ungroup().nodes_topologically_sorted() == opened
