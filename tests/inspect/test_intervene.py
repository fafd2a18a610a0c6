"""Interventions: what is edited is what is computed, gradients follow, and all is put back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import GraphError, ShapeError, UnknownNameError
from chainrule.inspect import ComputationalGraph, intervene
from chainrule.nn import functional as F

Y = np.array([0, 1, 2, 1])


@pytest.fixture
def net() -> nn.Sequential:
    cr.random.seed(0)
    return nn.Sequential(
        nn.Linear(3, 5), nn.Tanh(), nn.Sequential(nn.Linear(5, 5), nn.ReLU()), nn.Linear(5, 3)
    )


@pytest.fixture
def x() -> cr.Tensor:
    return cr.random.normal((4, 3))


def by_hand(net: Any, x: Any, middle: Any) -> cr.Tensor:
    return F.cross_entropy(net[3](net[2](middle(net[1](net[0](x))))), Y)


def gradients(net: nn.Module, loss: cr.Tensor) -> list[Any]:
    net.zero_grad()
    loss.backward()
    return [np.zeros(p.shape) if p.grad is None else p.grad.data for p in net.parameters()]


def same(one: list[Any], two: list[Any]) -> None:
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_reading_changes_no_bit(net: Any, x: cr.Tensor) -> None:
    plain = F.cross_entropy(net(x), Y)
    expected = gradients(net, plain)
    with intervene(net, {"1": None, "2.1": None}) as seen:
        loss = F.cross_entropy(net(x), Y)
        found = gradients(net, loss)
    same(found, expected)
    assert loss.item() == plain.item()
    np.testing.assert_array_equal(seen.value("1"), net[1](net[0](x)).data)
    t = cr.Tensor(seen.value("2.1"), requires_grad=True)
    F.cross_entropy(net[3](t), Y).backward()
    np.testing.assert_array_equal(seen.gradient("2.1"), t.grad.data)


@pytest.mark.parametrize("edit", [lambda t: 0.5 * t, lambda t: t * (np.arange(5) != 2), 0.25])
def test_edited_value_is_what_is_computed(net: Any, x: cr.Tensor, edit: Any) -> None:
    middle = edit if callable(edit) else lambda t: cr.Tensor(np.full(t.shape, edit, t.dtype))
    expected = by_hand(net, x, middle)
    with intervene(net, {"1": edit}):
        loss = F.cross_entropy(net(x), Y)
    assert loss.item() == expected.item()
    same(gradients(net, loss), gradients(net, expected))


def test_edited_gradient_leaves_values_and_later_layers(net: Any, x: cr.Tensor) -> None:
    plain = gradients(net, F.cross_entropy(net(x), Y))
    with intervene(net, gradients={"2": lambda g: 10.0 * g, "1": 0.0}) as seen:
        loss = F.cross_entropy(net(x), Y)
        found = gradients(net, loss)
    same(found[4:], plain[4:])  # the head is behind the edit
    np.testing.assert_allclose(found[2], 10 * plain[2], rtol=1e-5)
    assert not found[0].any() and not seen.gradient("1").any()


def test_everything_is_put_back_even_after_an_error(net: Any, x: cr.Tensor) -> None:
    before = net(x).data
    with pytest.raises(ZeroDivisionError), intervene(net, {"1": 0.0}):
        raise ZeroDivisionError
    np.testing.assert_array_equal(net(x).data, before)


def test_wrong_edits_are_refused(net: Any, x: cr.Tensor) -> None:
    with pytest.raises(UnknownNameError, match="there is no module '7'"), intervene(net, {"7": 0.0}):
        pass
    with (
        pytest.raises(ShapeError, match=r"the value of '1' has shape \(4, 5\), the edit gives \(2, 9\)"),
        intervene(net, {"1": np.zeros((2, 9))}),
    ):
        net(x)
    with intervene(net, {"1": None}) as seen, pytest.raises(GraphError, match="no value of '1' was seen"):
        seen.value("1")


def lecture() -> ComputationalGraph:
    leaves = {"x": -2.0, "y": 5.0, "z": -4.0}
    x, y, z = (cr.tensor(value, requires_grad=True, name=name) for name, value in leaves.items())
    return ComputationalGraph((x + y) * z)


def test_gates_of_a_graph_by_name() -> None:
    graph = lecture()
    assert [float(graph.ablate(name).after) for name in ("x", "z", "add", "multiply")] == [
        -20.0,
        0.0,
        0.0,
        0.0,
    ]
    assert float(graph.scale("add", 2.0).change) == -12.0
    effect = graph.replace("add", 10.0)
    assert (float(effect.before), float(effect.after), float(graph.output.value)) == (-12.0, -40.0, -12.0)
    assert repr(effect) == "<effect of add: -12 -> -40>"
    found = ComputationalGraph(graph.edit("add", gradient=lambda g: -g).output).backward()
    assert {name: float(value) for name, value in found.items()} == {"x": 4.0, "y": 4.0, "z": 3.0}


def test_graph_of_a_network_agrees_with_the_module_path(net: Any, x: cr.Tensor) -> None:
    graph = ComputationalGraph(F.cross_entropy(net(x), Y))
    effect = graph.ablate("1.tanh")
    with intervene(net, {"1": 0.0}):
        assert float(effect.after) == F.cross_entropy(net(x), Y).item()
    weight = graph.scale("3.weight", 0.5)
    net[3].weight.assign(0.5 * net[3].weight.data)
    assert float(weight.after) == F.cross_entropy(net(x), Y).item()
    assert "3.linear_scores" in [gate.name for gate in ComputationalGraph(effect.output)]


def test_closed_boxes_and_taps_are_checked_like_other_gates(net: Any, x: cr.Tensor) -> None:
    graph = ComputationalGraph(F.cross_entropy(net(x), Y)).group(kind="module")
    opened = ComputationalGraph(F.cross_entropy(net(x), Y)).ablate("2.1.relu")
    assert float(graph.ablate("2").after) == float(opened.after)
    assert ComputationalGraph(graph.edit("2", gradient=lambda g: g * 1.0).output).check().ok
    wrong = ComputationalGraph(graph.edit("2", gradient=lambda g: g * 3.0).output).check()
    assert [each.op for each in wrong.findings] == ["tapped"]  # an edited gradient is no gradient
