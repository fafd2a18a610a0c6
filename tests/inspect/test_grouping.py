"""Boxes: composites and modules closed into one gate and opened again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.core.families import composite
from chainrule.core.mode import Scope, mode
from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY
from chainrule.core.tensor import Tensor
from chainrule.errors import UnknownNameError
from chainrule.inspect import Box, ComputationalGraph, Local
from chainrule.nn import functional as F


@pytest.fixture(scope="module")
def squash() -> Any:
    """The lecture's sigmoid, grouped by the user from primitive gates."""

    def box_sigmoid(x: Tensor) -> Tensor:
        """Logistic function of primitive gates."""
        return 1 / (1 + cr.exp(-x))

    yield composite(box_sigmoid)
    del REGISTRY["box_sigmoid"]


def neuron(squash: Op) -> ComputationalGraph:
    values = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
    w0, x0, w1, x1, w2 = (cr.tensor(v, requires_grad=True, name=n) for n, v in values.items())
    return ComputationalGraph(squash(w0 * x0 + w1 * x1 + w2))


def test_sigmoid_gate_closed_and_opened(squash: Op) -> None:
    graph = neuron(squash)
    opened = graph.nodes_topologically_sorted()
    before = graph.backward()
    gate = graph.group().output
    assert isinstance(gate, Box)
    assert [each.op for each in graph if not each.is_leaf] == [
        "multiply",
        "multiply",
        "add",
        "add",
        "box_sigmoid",
    ]
    assert [each.op for each in gate.inside] == ["negative", "exp", "add", "divide"]
    assert [each.name for each in gate.inputs] == ["add_2"]
    assert graph.backward() == before
    assert float(gate.local(0)) == pytest.approx(0.1966, abs=5e-5)  # type: ignore[arg-type]
    assert (gate.upstream, gate.downstream(0)) == (1, graph["add_2"].upstream)
    graph.forward({"w0": 1.0})
    assert gate.value == pytest.approx(1 / (1 + np.exp(-2)))
    assert gate.downstream(0) is None
    for each in reversed(graph.nodes_topologically_sorted()):
        each.backward()
    assert float(gate.downstream(0)) == pytest.approx(0.105, abs=5e-4)  # type: ignore[arg-type]
    assert graph.ungroup().nodes_topologically_sorted() == opened


def test_boxes_inside_boxes_open_one_after_the_other() -> None:
    x = cr.tensor([[1.0, 2.0], [4.0, 8.0]], requires_grad=True, name="x")
    graph = ComputationalGraph(F.layer_norm(x, (2,)).sum()).group()
    assert [gate.op for gate in graph] == ["input", "layer_norm", "sum"]
    assert [gate.op for gate in graph.ungroup("layer_norm")].count("mean") == 2
    assert [gate.op for gate in graph.ungroup("mean")].count("mean") == 0
    local = graph.group("layer_norm")["layer_norm"].local(0)
    assert isinstance(local, Local)
    assert local.dense().shape == (2, 2, 2, 2)


@contextmanager
def scoped(kind: str, label: str, owner: object) -> Iterator[None]:
    """Mark what is computed inside as a call of `owner`, as modules and composites do."""
    outer = mode.scope
    mode.scope = Scope(kind, label, owner, outer)
    yield
    mode.scope = outer


def test_a_scope_with_two_results_stays_open() -> None:
    x = cr.tensor(2.0, requires_grad=True, name="x")
    with scoped("composite", "leaky", None):
        kept = x * 3
        result = cr.exp(kept)
    assert [g.op for g in ComputationalGraph(result * kept).group()] == [
        "input", "constant", "multiply", "exp", "multiply",
    ]  # fmt: skip
    assert [g.op for g in ComputationalGraph(result * 2).group()] == [
        "input",
        "constant",
        "leaky",
        "multiply",
    ]


def test_gradients_of_gradients_keep_the_graph_of_boxes_sorted(squash: Op) -> None:
    x = cr.tensor([0.5, 1.0], requires_grad=True, name="x")
    graph = ComputationalGraph(cr.grad(lambda t: squash(t).sum())(x).sum()).group()
    seen: set[Any] = set()
    for gate in graph:
        assert seen.issuperset(gate.inputs)
        seen.add(gate)
    y = 1 / (1 + np.exp(-x.data))
    np.testing.assert_allclose(graph.backward()["x"], y * (1 - y) * (1 - 2 * y), rtol=1e-5)


def test_modules_close_by_path() -> None:
    class Layer:
        """Stands for a module: what matters here is the scope of its call."""

    x, w = (cr.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name=name) for name in ("x", "weight"))
    with scoped("module", "", Layer()):
        with scoped("module", "body", Layer()):
            with scoped("module", "first", Layer()):
                h = cr.tanh(x @ w)
            y = h @ w
    graph = ComputationalGraph(y.sum())
    assert [gate.name for gate in graph if gate.op == "tanh"] == ["body.first.tanh"]
    graph.group("body.first")
    assert (graph["body.first"].op, len(graph["body.first"].inputs)) == ("Layer", 2)
    assert [gate.name for gate in graph.group(kind="module") if not gate.is_leaf] == ["body", "sum"]
    with pytest.raises(UnknownNameError, match="nothing is called 'body.frist'"):
        graph.group("body.frist")


def test_a_network_closes_module_by_module() -> None:
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    x = cr.tensor(np.ones((2, 4), np.float32), name="x")
    graph = ComputationalGraph(nn.functional.cross_entropy(net(x), np.array([0, 2])))
    assert [gate.name for gate in graph.parameters] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    gradients = graph.group(kind="module").backward()
    assert [gate.op for gate in graph if not gate.is_leaf][:3] == ["Linear", "ReLU", "Linear"]
    np.testing.assert_allclose(graph["2"].product(0), graph["2"].downstream(0), rtol=1e-5)
    np.testing.assert_array_equal(graph["2"].downstream(1), gradients["2.weight"])
