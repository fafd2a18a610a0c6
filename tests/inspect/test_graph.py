"""The lecture's graph object: its two worked graphs, its loop, its patterns, and what it refuses."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.tensor import Tensor
from chainrule.errors import DTypeError, GraphError, IndexRangeError, ShapeError, UnknownNameError
from chainrule.inspect import ComputationalGraph, Gate, Local


def leaves(**values: Any) -> list[Tensor]:
    return [
        cr.tensor(value, dtype=np.float64, requires_grad=True, name=name) for name, value in values.items()
    ]


def first_graph() -> tuple[ComputationalGraph, list[Tensor]]:
    x, y, z = leaves(x=-2.0, y=5.0, z=-4.0)
    return ComputationalGraph((x + y) * z), [x, y, z]


def neuron() -> ComputationalGraph:
    w0, x0, w1, x1, w2 = leaves(w0=2.0, x0=-1.0, w1=-3.0, x1=-2.0, w2=-3.0)
    return ComputationalGraph(1 / (1 + cr.exp(-(w0 * x0 + w1 * x1 + w2))))


def edges(gate: Gate) -> list[tuple[float, float]]:
    """(local, downstream) of every input."""
    return [(float(gate.local(i)), float(gate.downstream(i))) for i in range(len(gate.inputs))]  # type: ignore[arg-type]


# ---- the worked graphs ---------------------------------------------------------------------------
def test_first_worked_graph() -> None:
    graph, _ = first_graph()
    assert [gate.op for gate in graph] == ["input", "input", "input", "add", "multiply"]
    assert [each.name for each in graph.output.inputs] == ["add", "z"]
    for gate in graph.nodes_topologically_sorted():
        gate.forward()
    for gate in reversed(graph.nodes_topologically_sorted()):
        gate.backward()
    assert graph.output.value == -12
    assert {gate.name: float(gate.upstream) for gate in graph.inputs} == {"x": -4, "y": -4, "z": 3}
    assert edges(graph["add"]) == [(1, -4), (1, -4)]
    assert edges(graph.output) == [(-4, -4), (3, 3)]
    assert (graph["add"].upstream, graph.output.upstream) == (-4, 1)


def test_the_neuron_gate_by_gate() -> None:
    graph = neuron()
    gradients = graph.backward()
    computed = [gate for gate in graph if not gate.is_leaf]
    assert [gate.op for gate in computed] == [
        "multiply", "multiply", "add", "add", "negative", "exp", "add", "divide",
    ]  # fmt: skip
    values = [-2, 6, 4, 1, -1, 0.37, 1.37, 0.73]
    upstreams = [0.20, 0.20, 0.20, 0.20, -0.20, -0.53, -0.53, 1]
    np.testing.assert_allclose([gate.value for gate in computed], values, atol=0.005)
    np.testing.assert_allclose([gate.upstream for gate in computed], upstreams, atol=0.005)
    wanted = {"w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20}
    assert gradients == pytest.approx(wanted, abs=0.005)
    (_, one_over), (_, plus_one), (exp,) = edges(computed[-1]), edges(computed[-2]), edges(computed[-3])
    assert one_over == pytest.approx((-0.53, -0.53), abs=0.005)
    assert plus_one == pytest.approx((1, -0.53), abs=0.005)
    assert exp == pytest.approx((0.37, -0.20), abs=0.005)


@pytest.mark.parametrize(
    ("f", "values", "expected"),
    [
        (lambda x, y: (x + y) * 2, (3.0, 4.0), (2, 2)),  # add distributes
        (lambda x, y: x * y * 2, (3.0, 4.0), (8, 6)),  # multiply swaps
        (lambda x, y: cr.maximum(x, y) * 2, (3.0, 4.0), (0, 2)),  # max routes
        (lambda x, y: x * y + x * 2, (3.0, 4.0), (6, 3)),  # a branch adds
        (lambda x, y: x * x + y, (3.0, 4.0), (6, 1)),  # both edges of one gate from one value
    ],
)
def test_patterns(f: Any, values: tuple[float, float], expected: tuple[float, float]) -> None:
    x, y = leaves(x=values[0], y=values[1])
    assert tuple(ComputationalGraph(f(x, y)).backward().values()) == expected


def test_local_gradients_of_one_value_used_twice_stay_apart() -> None:
    (x,) = leaves(x=3.0)
    graph = ComputationalGraph(x * (x + 1))
    graph.backward()
    assert edges(graph.output) == [(4, 4), (3, 3)]
    assert graph["x"].upstream == 7


# ---- values anew ---------------------------------------------------------------------------------
def test_the_loop_can_be_repeated_with_changed_leaves() -> None:
    graph, (x, y, z) = first_graph()
    nodes = graph.nodes_topologically_sorted()
    for value in (-2, 1.0, 7.5):
        x.data = value
        y.data[...] = 2 * value
        for gate in nodes:
            gate.forward()
        for _ in range(2):  # a second sweep starts anew and does not add
            for gate in reversed(nodes):
                gate.backward()
        assert x.dtype == np.float64  # plain numbers take the leaf's dtype
        assert graph.output.value == 3 * value * -4
        assert [float(t.grad.data) for t in (x, y, z)] == [-4, -4, 3 * value]


def test_forward_takes_names_and_tensors_and_keeps_dtypes() -> None:
    graph, (x, y, _) = first_graph()
    assert graph.forward({"x": 0.1, y: cr.tensor(1)}) == (0.1 + 1) * -4
    assert (x.dtype, y.dtype, graph.output.value.dtype) == (np.float64,) * 3


def test_forward_keeps_the_users_own_array() -> None:
    mine = np.ones(3)
    x = Tensor(mine, requires_grad=True, name="x")
    graph = ComputationalGraph((x * 2).sum())
    assert graph.forward({"x": [1.0, 2.0, 3.0]}) == 12
    assert mine.tolist() == [1, 1, 1]


def test_a_leaf_keeps_its_shape() -> None:
    (x,) = leaves(x=[1.0, 2.0])
    graph = ComputationalGraph(cr.mean(x))
    x.data = np.ones(5)
    with pytest.raises(ShapeError, match=r"'x' has shape \(2,\) in this graph, but \(5,\)"):
        graph.forward()


def test_freezing_a_leaf_later_changes_nothing_that_was_recorded() -> None:
    graph, (x, _, _) = first_graph()
    x.requires_grad = False
    assert graph.backward() == {"x": -4, "y": -4, "z": 3}


def test_captured_masks_stay() -> None:
    x = Tensor(np.arange(6.0), requires_grad=True, name="x")
    mask = cr.random.bernoulli((6,), 0.5)
    graph = ComputationalGraph((x * mask).sum())
    assert graph.forward({"x": np.ones(6)}) == mask.data.sum()


def test_the_engines_own_backward_agrees_after_forward() -> None:
    x, y = leaves(x=[[1.0, 2.0]], y=[[3.0], [4.0]])
    hidden = cr.tanh(x @ y + x)
    loss = hidden.sum()
    graph = ComputationalGraph(loss)
    graph.forward({"x": [[0.5, -1.0]]})
    gradients = graph.backward()
    x.grad = y.grad = hidden.grad = None
    loss.backward()
    np.testing.assert_array_equal(gradients["x"], x.grad.data)
    np.testing.assert_array_equal(gradients["y"], y.grad.data)


def test_a_result_outside_the_graph_is_stale_after_forward() -> None:
    (x,) = leaves(x=2.0)
    shared = x * 3
    inside, outside = shared + 1, cr.square(shared)
    ComputationalGraph(inside).forward({"x": 5.0})
    with pytest.raises(GraphError, match="changed in place after square used it"):
        outside.backward()


# ---- gradients are shown when they are there -----------------------------------------------------
def test_a_gradient_is_none_until_it_is_complete() -> None:
    (x,) = leaves(x=3.0)
    a, b = x * 2, x * 5
    graph = ComputationalGraph(a + b)
    assert [gate.upstream for gate in graph] == [None] * len(graph)
    assert graph.output.downstream(0) is None
    assert graph.output.local(0) == 1  # a local gradient needs no sweep
    graph.output.backward()
    assert (graph[a].upstream, graph[a].downstream(0), graph["x"].upstream) == (1, None, None)
    graph[a].backward()
    assert graph[a].downstream(0) == 2
    assert graph["x"].upstream is None  # half of it has arrived
    with pytest.raises(GraphError, match="'x' still waits for 1 of 2 upstream"):
        graph["x"].backward()
    graph[b].backward()
    assert graph["x"].upstream == 7
    graph["x"].forward()
    assert [gate.upstream for gate in graph] == [None] * len(graph)


def test_flat_ops_send_zeros_and_constants_have_downstream_too() -> None:
    x, c = cr.tensor([1.5, -2.0], requires_grad=True, name="x"), cr.tensor([1.0, 2.0], name="c")
    graph = ComputationalGraph((cr.floor(x) * c * 3).sum())
    assert graph.backward()["x"].tolist() == [0, 0]
    scaled = graph["multiply"]
    assert scaled.local(1).tolist() == [1, -2]
    assert scaled.downstream(1).tolist() == [3, -6]
    assert graph["c"].upstream is None


def test_broadcast_partials_are_told_for_each_number_of_the_value() -> None:
    x, b = leaves(x=[[1.0, 2.0], [3.0, 4.0]], b=[10.0, 20.0])
    graph = ComputationalGraph(x * b)
    graph.backward(np.ones((2, 2)))
    assert graph.output.local(1).tolist() == [[1, 2], [3, 4]]
    assert graph.output.downstream(1).tolist() == [4, 6]


def test_operators() -> None:
    x, w = leaves(x=[[1.0, 2.0, 3.0]], w=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    graph = ComputationalGraph(x @ w)
    graph.backward([[1.0, 10.0]])
    local = graph.output.local(0)
    assert isinstance(local, Local)
    assert (np.array([[1.0, 10.0]]) @ local).tolist() == [[1, 10, 11]] == graph["x"].upstream.tolist()
    assert (local @ [[1.0, 1.0, 1.0]]).tolist() == [[2, 2]]
    np.testing.assert_array_equal(local.dense().reshape(2, 3), w.data.T)
    with pytest.raises(ShapeError):
        local @ np.ones(4)
    with pytest.raises(ValueError, match="more than the limit of 5"):
        local.dense(limit=5)


# ---- names, sizes, refusals ----------------------------------------------------------------------
def test_names_are_unique_and_lead_to_gates() -> None:
    a, b = (cr.tensor(1.0, requires_grad=True, name="w") for _ in range(2))
    y = a * b * 2.0 + cr.tensor(1.0)
    y.name = "score"
    graph = ComputationalGraph(y)
    assert [gate.name for gate in graph] == ["w", "w_2", "input", "2.0", "multiply", "multiply_2", "score"]
    assert all(graph[gate.name] is gate is graph[gate.tensor] for gate in graph if gate.op != "constant")
    assert "score = add(multiply_2, input) 3." in " ".join(repr(graph).split())


def test_a_leaf_alone_is_a_graph() -> None:
    (x,) = leaves(x=2.0)
    graph = ComputationalGraph(x)
    assert (graph.forward({"x": 3.0}), graph.backward(), len(graph.group())) == (3, {"x": 1}, 1)


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_empty_tensors(shape: tuple[int, ...]) -> None:
    x = cr.zeros(shape, requires_grad=True, name="x")
    graph = ComputationalGraph((cr.exp(x) * 2).sum())
    assert graph.forward() == 0
    assert graph.backward()["x"].shape == shape


def test_refusals() -> None:
    graph, (x, _, _) = first_graph()
    vector = ComputationalGraph(x * np.ones(3))
    for kind, message, act in [
        (DTypeError, "ComputationalGraph: needs the tensor", lambda: ComputationalGraph(1.0)),  # type: ignore[arg-type]
        (GraphError, "has no recorded graph", lambda: ComputationalGraph(cr.tensor(1.0))),
        (UnknownNameError, "no gate for 'xx'", lambda: graph["xx"]),
        (UnknownNameError, "no gate for 'q'", lambda: graph.forward({"q": 1.0})),
        (ShapeError, r"'x' has shape \(\) in this graph, but \(2,\)", lambda: graph.forward({x: [1.0, 2.0]})),
        (
            DTypeError,
            "'x' has a gradient, so it cannot hold int64",
            lambda: setattr(x, "data", np.ones(1, int)),
        ),
        (GraphError, "'add' is computed by add", lambda: graph.forward({"add": 1.0})),
        (GraphError, "still waits for 1 of 1", graph["add"].backward),
        (GraphError, "'add' is not the output", lambda: graph["add"].backward(1.0)),
        (IndexRangeError, "there is no input 2", lambda: graph.output.local(2)),
        (GraphError, "holds 3 values", vector.backward),
        (ShapeError, "gradient has shape", lambda: vector.backward(np.ones(4))),
    ]:
        with pytest.raises(kind, match=message):
            act()


@pytest.mark.slow
def test_a_long_chain_needs_no_recursion() -> None:
    (x,) = leaves(x=1.0)
    y = x
    for _ in range(100_000):
        y = y + x
    graph = ComputationalGraph(y)
    assert graph.forward({"x": 2.0}) == 200_002
    assert graph.backward() == {"x": 100_001}
    assert len(repr(graph).splitlines()) == 42
    del x, y, graph
    gc.collect()
