"""`graph.check()`: twenty planted faults each named, no false alarm, kinks excused with their proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.inspect.planting import LABELS, Change, at, leaf, put

import chainrule as cr
from chainrule import nn
from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY
from chainrule.errors import CheckError
from chainrule.inspect import ComputationalGraph
from chainrule.nn import functional as F

OPS = sorted(name for name, op in REGISTRY.items() if isinstance(op, Op) and op.differentiable and op.samples)


def all_tied(a: Any, g: cr.Tensor, node: cr.Tensor) -> Any:
    x = node.inputs[0].data
    return (x == x.max(axis=1, keepdims=True)) * g.data[:, None]


def x34() -> cr.Tensor:
    return leaf(3, 4)


def tied() -> cr.Tensor:
    return cr.tensor(np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0]]), requires_grad=True, name="x")


def images() -> cr.Tensor:
    return leaf(2, 3, 6, 6)


FAULTS: dict[str, tuple[str, str, Callable[[], cr.Tensor], Change]] = {
    # fault: (op, input, the graph it is planted in, the wrong rule)
    "sign": ("subtract", "b", lambda: leaf(3) - leaf(3, name="w", seed=1), at(1, lambda a, g, n: -a)),
    "missing factor": ("square", "x", lambda: cr.square(x34()), at(0, lambda a, g, n: a / 2)),
    "extra factor": ("exp", "x", lambda: cr.exp(x34()), at(0, lambda a, g, n: 2 * a)),
    "swapped inputs": (
        "multiply", "a", lambda: leaf(3) * leaf(3, name="w", seed=1),
        at(0, lambda a, g, n: g.data * n.inputs[0].data),
    ),
    "lost broadcast sum": (
        "add", "b", lambda: x34() + leaf(4, name="bias", seed=1), at(1, lambda a, g, n: g.data),
    ),
    "one row of the broadcast sum": (
        "add", "b", lambda: x34() + leaf(4, name="bias", seed=1), at(1, lambda a, g, n: g.data[0]),
    ),
    "wrong axis of a sum": (
        "sum", "x", lambda: leaf(3, 3).sum(axis=1) * leaf(3, seed=1),
        at(0, lambda a, g, n: a.T if n.params["axis"] == 1 else a),
    ),
    "wrong axis of a running sum": (
        "cumsum", "x", lambda: cr.cumsum(x34(), axis=1) * leaf(3, 4, seed=1),
        at(0, lambda a, g, n: np.cumsum(g.data[::-1], axis=0)[::-1]),
    ),
    "missing 1/n": ("divide", "a", lambda: x34().mean(), at(0, lambda a, g, n: g.data)),
    "off-by-one window": (
        "windows", "x", lambda: F.max_pool2d(images(), 2), at(0, lambda a, g, n: np.roll(a, 1, axis=-1)),
    ),
    "window without the last row": (
        "windows", "x", lambda: F.avg_pool2d(images(), 2), at(0, put((..., -1, slice(None)), np.zeros_like)),
    ),
    "dropped branch": (
        "where", "y", lambda: cr.where(x34().detach() > 0, x34(), leaf(3, 4, seed=2, name="other")),
        lambda given, g, node: [given[0], given[1], None],
    ),
    "transposed operand": (
        "matrix_product", "b", lambda: leaf(3, 3) @ leaf(3, 3, name="w", seed=1), at(1, lambda a, g, n: a.T),
    ),
    "one number of a large operand": (
        "linear_scores", "weight", lambda: nn.Linear(60, 40)(leaf(5, 60)) ** 2,
        at(1, put((31, 17), lambda a: a + 0.5)),
    ),
    "no gradient at saturation": ("tanh", "x", lambda: cr.tanh(2 * x34()), at(0, lambda a, g, n: a * (abs(n.data) < 0.9))),
    "leak on the dead side": ("relu", "x", lambda: F.relu(x34()), at(0, lambda a, g, n: a + 0.01 * g.data)),
    "wrong tie routing": ("max", "x", lambda: tied().max(axis=1), at(0, all_tied)),
    "no one wins the tie": (
        "max", "x", lambda: tied().max(axis=1), at(0, lambda a, g, n: np.zeros_like(a)),
    ),
    "lost sum term of softmax": (
        "log_softmax", "x", lambda: F.log_softmax(x34(), 1)[:, 0], at(0, lambda a, g, n: g.data),
    ),
    "picked twice, counted once": (
        "picked", "x[0]", lambda: cr.take(leaf(5), np.array([1, 1, 3])), at(0, lambda a, g, n: np.minimum(a, a * 0 + 1)),
    ),
    "permutation not undone": (
        "transpose", "x", lambda: leaf(3, 3, 3).transpose(1, 2, 0) * leaf(3, 3, 3, seed=1),
        at(0, lambda a, g, n: g.data),
    ),
    "nan where the value is fine": ("sqrt", "x", lambda: cr.sqrt(leaf(4, low=0.5)), at(0, put(2, lambda a: a * np.nan))),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_named(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, wrong, build, change = FAULTS[fault]
    output = build().sum()
    op: Any = next(g.tensor.op for g in ComputationalGraph(output) if g.op == name)
    assert ComputationalGraph(output).check().ok
    right = op.vjp
    monkeypatch.setattr(
        op, "vjp", lambda g, node, needs: change(list(right(g, node, needs)), g, node), raising=False
    )
    report = ComputationalGraph(output).check(limit=20)
    assert {each.op for each in report.findings} == {name}, report
    assert {each.input for each in report.findings} == {wrong}, report


def test_two_inputs_that_both_win_their_tie_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 1 and 1 is a subgradient of its own input; together they are twice the slope."""
    op: Any = REGISTRY["maximum"]
    monkeypatch.setattr(op, "vjp", lambda g, node, needs: [g * 1.0, g * 1.0], raising=False)
    x, y = (cr.tensor([1.0, 2.0], requires_grad=True, name=name) for name in "xy")
    (found,) = ComputationalGraph(cr.maximum(x, y).sum()).check().findings
    assert (found.kind, found.op) == ("tie", "maximum")


def test_worst_number_and_pattern_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    op: Any = REGISTRY["multiply"]
    right = op.vjp
    change = at(1, put((2, 1), lambda a: -a))
    monkeypatch.setattr(
        op, "vjp", lambda g, node, needs: change(list(right(g, node, needs)), g, node), raising=False
    )
    (found,) = ComputationalGraph((x34() * leaf(3, 4, name="w", seed=1)).sum()).check().findings
    assert (found.index, found.wrong, found.source) == ((2, 1), 1, "w")
    assert "worst at b[2, 1]" in str(found) and "the sign is wrong" in str(found)


@pytest.mark.parametrize("name", OPS)
def test_no_false_alarm_on_the_registry(name: str) -> None:
    op: Any = REGISTRY[name]
    for sample in op.samples:
        for seed in (0, 7):
            arrays = sample.arrays(np.float64, seed)
            inputs = [
                cr.Tensor(a, requires_grad=True) if getattr(a, "dtype", 0) == np.float64 else a
                for a in arrays
            ]
            output = op(*inputs, **sample.params)
            if output.requires_grad:
                report = ComputationalGraph(output).check(limit=20)
                assert report.ok and not report.undecided, report


def dense() -> Any:
    return F.cross_entropy(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))(leaf(8, 6)), LABELS)


def dead_relu() -> Any:
    first = nn.Linear(6, 16)
    with cr.no_grad():
        first.weight.assign(0.0)
        first.bias.assign(0.0)  # every input of the ReLU is exactly 0
    return F.cross_entropy(nn.Sequential(first, nn.ReLU(), nn.Linear(16, 3))(leaf(8, 6)), LABELS)


def convolutional() -> Any:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    return F.cross_entropy(model(leaf(8, 1, 12, 12)), LABELS)


def ties() -> Any:
    grid = np.rint(cr.random.Stream(3).uniform((4, 2, 8, 8), -2, 2, np.float64))
    x = cr.tensor(grid, requires_grad=True, name="x")
    return (F.max_pool2d(F.relu(x), 2) * leaf(4, 2, 4, 4, seed=5)).sum() + cr.maximum(x, 0.0).sum()


def maxout_hinge() -> Any:
    model = nn.Sequential(nn.Maxout(6, 10, 3), nn.Dropout(0.5), nn.Linear(10, 3))
    return F.hinge_loss(model(leaf(8, 6)), LABELS) + cr.abs(leaf(5, seed=4)).sum()


@pytest.mark.parametrize("build", [dense, dead_relu, convolutional, ties, maxout_hinge])
def test_no_false_alarm_on_networks(build: Callable[[], Any]) -> None:
    cr.random.seed(1)
    report = ComputationalGraph(build()).check(limit=40)
    assert report.ok and not report.undecided, report
    assert bool(report.excused) == (build in (dead_relu, convolutional, ties)), report


@pytest.mark.parametrize(
    ("build", "proof"),
    [
        (lambda: F.relu(cr.tensor([3e-7, 1.0], requires_grad=True, dtype="float64")), "x[0] = 3e-07 +- 6e-06 crosses the switch of maximum(x, 0)"),
        (lambda: cr.abs(cr.tensor([1.0, -1e-7], requires_grad=True)), "x[1] = -1e-07 +- 6e-06 crosses the switch of |x|"),
        (lambda: cr.floor(cr.tensor([0.5, 2.0], requires_grad=True) * 1.0), "crosses the switch of floor(x)"),
        (lambda: tied().max(axis=1), "x[0, 0] = 1 and x[0, 1] = 1 tie for the max, 0 apart"),
        (lambda: F.leaky_relu(cr.tensor([0.0], requires_grad=True)), "x[0] = 0 +- 6e-06 crosses the switch of x > 0"),
    ],
)  # fmt: skip
def test_kinks_are_excused_with_their_proof(build: Callable[[], Any], proof: str) -> None:
    report = ComputationalGraph(build().sum()).check()
    assert report.ok
    assert any(proof in str(each) for each in report.excused), report


def test_a_kink_excuses_no_other_number_and_no_wrong_subgradient(monkeypatch: pytest.MonkeyPatch) -> None:
    x = cr.tensor([0.0, 1.0], requires_grad=True)
    op: Any = REGISTRY["relu"]
    for wrong in (-0.5, 1.5):  # outside [0, 1], so no subgradient
        with monkeypatch.context() as patched:
            patched.setattr(op, "vjp", lambda g, node, needs, first=wrong: [cr.Tensor(g.data * [first, 1.0])])
            (found,) = ComputationalGraph(F.relu(x).sum()).check().findings
            assert (found.op, found.index, found.wrong) == ("relu", (0,), 1)


def test_stale_value_and_json_and_require() -> None:
    w = cr.tensor([1.0, 2.0], requires_grad=True, name="w")
    graph = ComputationalGraph((w * w).sum())
    assert json.loads(graph.check().json())["ok"]
    graph.check().require()
    w.assign(np.array([3.0, 4.0]))
    report = graph.check()
    assert [each.kind for each in report.findings] == ["stale"]
    with pytest.raises(CheckError, match="check: multiply .*changed after it was computed"):
        report.require()


@pytest.mark.parametrize("name", OPS)
def test_one_wrong_number_in_any_op_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule in the graph of an op's first sample, one at a time, is off by 0.01 in one number."""
    op: Any = REGISTRY[name]
    arrays = op.samples[0].arrays(np.float64)
    real = [cr.Tensor(a, requires_grad=True) if getattr(a, "dtype", 0) == np.float64 else a for a in arrays]
    output = op(*real, **op.samples[0].params)
    if not output.requires_grad:
        return
    graph = ComputationalGraph(output)
    rules = {id(gate.tensor.op): gate.tensor.op for gate in graph if not gate.is_leaf}
    for rule in rules.values():
        with monkeypatch.context() as patched:
            right, planted = rule.vjp, list[int]()

            def off(g: Any, node: Any, needs: Any, right: Any = right, planted: Any = planted) -> Any:
                given = list(right(g, node, needs))
                place = next((i for i, each in enumerate(given) if each is not None and each.size), None)
                if place is not None:
                    planted.append(place)
                    unit = np.eye(1, given[place].size).reshape(given[place].shape)
                    given[place] = cr.Tensor(given[place].data + 0.01 * unit)
                return given

            patched.setattr(rule, "vjp", off, raising=False)
            report = graph.check(limit=20)
        assert {each.op for each in report.findings} == ({rule.name} if planted else set()), report
