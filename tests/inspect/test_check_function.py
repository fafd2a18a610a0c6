"""`check_function` and `chainrule check`: right gradients pass, and what spoils a check is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.inspect.planting import LABELS, at, leaf, put

import chainrule as cr
from chainrule import nn
from chainrule.core.registry import REGISTRY
from chainrule.errors import CheckError
from chainrule.inspect import check_function
from chainrule.nn import functional as F


def small(*layers: nn.Module) -> tuple[nn.Sequential, Callable[[], cr.Tensor]]:
    """A network in float64 that has seen some training, and its loss on eight samples."""
    cr.random.seed(3)
    model = nn.Sequential(nn.Linear(6, 8), *layers, nn.Linear(8, 3)).double()
    x = leaf(8, 6).detach()
    return model, lambda: F.cross_entropy(model(x), LABELS)


def names(report: Any) -> str:
    return " | ".join(each.name for each in report.causes)


def test_a_good_function_has_no_findings_and_is_left_as_it_was() -> None:
    model, loss = small(nn.BatchNorm1d(8), nn.Tanh())
    before = {name: each.numpy().copy() for name, each in model.state_dict().items()}
    report = check_function(loss, model)
    assert report.ok and not report.causes and not report.plain, report
    for name, each in model.state_dict().items():
        np.testing.assert_array_equal(each.numpy(), before[name], name)


def test_wrong_rule_is_named_through_the_whole_function(monkeypatch: pytest.MonkeyPatch) -> None:
    model, loss = small(nn.Tanh())
    op: Any = REGISTRY["tanh"]
    right = op.vjp
    monkeypatch.setattr(op, "vjp", lambda g, node, needs: [0.5 * each for each in right(g, node, needs)])
    report = check_function(loss, model)
    assert not report.ok
    with pytest.raises(CheckError, match=r"check: tanh \(gate '1.tanh'\), gradient of input 'x'.*2 times"):
        report.require()


class Counting(nn.Module):
    """A layer whose output depends on how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", cr.zeros(()))

    def forward(self, x: Any) -> Any:
        self.calls.assign(self.calls + 1)
        return x * (1.0 + 0.1 * self.calls.detach())


def spoiled(kind: str) -> tuple[Any, Callable[..., Any], dict[str, Any]]:
    """A right gradient in a condition that spoils its check."""
    model, loss = small(nn.Tanh())
    x = leaf(8, 6).detach()
    options: dict[str, Any] = {}
    if kind == "randomness":
        model, loss = small(nn.Dropout(0.5))
    elif kind == "state":
        model, loss = small(Counting())
    elif kind == "float32":
        model.float()
    elif kind == "not all in float64":
        loss = lambda: F.mse_loss(cr.astype(model(x), np.float32), np.zeros((8, 3), np.float32))
    elif kind == "the step is too large":
        loss, options = (lambda: F.mse_loss(model(x) ** 3, np.zeros((8, 3)))), {"step": 0.3}
    elif kind == "the step is too small":
        options = {"step": 1e-14}
    elif kind == "the gradient is too small":
        loss = lambda: F.cross_entropy(model(x), LABELS) * 1e-12 + 1.0
    elif kind in ("kinks", "many data points"):
        model, _ = small(nn.ReLU())
        with cr.no_grad():  # one unit stands at its kink for one sample
            row, sample = model[0].weight.data[2], x.data[5]
            bias = model[0].bias.data.copy()
            bias[2] = 3e-6 - row @ sample
            model[0].bias.assign(bias)
        loss, options = (lambda x, y: F.cross_entropy(model(x), y)), {"batch": (x.data, LABELS)}
    elif kind == "the regulariser dominates":
        plain, penalty = loss, lambda: sum(100 * (each**2).sum() for each in model.parameters())
        loss, options = (lambda: plain() + penalty()), {"penalty": penalty}
    elif kind == "not burnt in":
        model, loss = small(nn.ReLU())
        with cr.no_grad():
            model[0].weight.assign(0.0)
            model[0].bias.assign(0.0)
    return model, loss, options


@pytest.mark.parametrize(
    "kind",
    ["randomness", "state", "float32", "not all in float64", "the step is too large", "the step is too small",
     "the gradient is too small", "kinks", "many data points", "the regulariser dominates", "not burnt in"],
)  # fmt: skip
def test_what_spoils_a_check_is_named(kind: str) -> None:
    model, loss, options = spoiled(kind)
    report = check_function(loss, model, **options)
    assert kind in names(report), report
    assert report.gates.ok
    assert report.ok or kind == "not all in float64", report


def test_detached_stale_and_scattered_faults_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    w = cr.tensor(np.array([1.0, 2.0]), requires_grad=True)
    v = cr.tensor(np.array([1.0, 2.0]), requires_grad=True)
    report = check_function(lambda: cr.sum(w * v.detach()), {"w": w, "v": v})
    assert not report.ok and names(report) == "detached", report
    report = check_function(lambda: cr.sum(cr.floor(cr.square(w) + 0.5) + v), {"w": w, "v": v})
    assert report.ok and not report.causes, report  # flat, and its gradient is 0
    old = (w * w).sum()
    report = check_function(lambda: old, {"w": w})
    assert not report.ok and "stale" in names(report), report
    big = cr.tensor(leaf(40, 50).data, requires_grad=True)
    op: Any = REGISTRY["square"]
    right = op.vjp
    off = at(0, put((31, 17), lambda a: -a))
    monkeypatch.setattr(op, "vjp", lambda g, node, needs: off(list(right(g, node, needs)), g, node))
    report = check_function(lambda: cr.square(big).sum(), {"big": big}, limit=4)
    assert not report.ok and "too few numbers" in names(report), report
    assert report.gates.findings[0].index == (31, 17)


def test_a_gradient_where_there_is_none_is_no_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding makes the two sides of a flat function differ a little; that excuses nothing."""
    x = cr.tensor(np.full(3, 0.7), requires_grad=True)
    op: Any = REGISTRY["identity"]
    monkeypatch.setattr(op, "vjp", lambda g, node, needs: [g + 0.01], raising=False)
    sines = lambda: cr.sum(cr.square(cr.sin(x)) + cr.square(cr.cos(REGISTRY["identity"](x)))) + 7.3
    report = check_function(sines, {"x": x})
    assert len(report.wrong) == 3 and not report.kinks, report
    assert {each.op for each in report.gates.findings} == {"identity"}


def command(*words: str) -> Any:
    app = pytest.importorskip("chainrule.cli.app").app
    return pytest.importorskip("typer.testing").CliRunner().invoke(app, ["check", *words])


def test_command_line_on_an_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("1/(1+exp(-(w*x+b)))", "w=2", "x=[-1, 3]", "b=0.5")
    assert command(*words).exit_code == 0
    op: Any = REGISTRY["exp"]
    right = op.vjp
    monkeypatch.setattr(op, "vjp", lambda g, node, needs: [-each for each in right(g, node, needs)])
    result = command(*words, "--json")
    assert result.exit_code == 1
    (found,) = json.loads(result.output)["findings"]
    assert (found["op"], found["input"], found["kind"]) == ("exp", "x", "wrong")


def test_command_line_on_a_run(tmp_path: Any) -> None:
    run, app = str(tmp_path / "run"), pytest.importorskip("chainrule.cli.app").app
    train = ["train", "digits", "--epochs", "1", "--dropout", "0.5", "--hidden", "16", "--out", run]
    assert pytest.importorskip("typer.testing").CliRunner().invoke(app, train).exit_code == 0
    still = command(run)
    assert still.exit_code == 0 and "the gradients are right" in still.output and "cause" not in still.output
    moving = command(run, "--training")
    assert moving.exit_code == 0 and "cause    randomness" in moving.output
