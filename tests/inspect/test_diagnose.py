"""Planted diseases are found and named; healthy runs on real digits have no finding."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.inspect import Diagnosis, Monitor, diagnose
from chainrule.nn import functional as F
from chainrule.train.report import diagnosed


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    return (x - x.mean(axis=0)) / (x.std(axis=0) + 0.1), y


def run(
    model: nn.Module,
    digits: tuple[Any, Any],
    optimizer: optim.Optimizer,
    iterations: int = 300,
    shape: Any = (64,),
) -> Diagnosis:
    """A training by hand, with a monitor; it stops where the loss is not finite."""
    x, y = digits
    monitor = Monitor(every=5)
    for i in range(iterations):
        part = cr.random.Stream(i).permutation(len(x))[:32]
        optimizer.zero_grad()
        with np.errstate(all="ignore"):
            loss = F.cross_entropy(model(cr.Tensor(x[part].reshape(-1, *shape))), y[part])
            loss.backward()
            monitor.on_iteration(model, loss, optimizer)
            if not np.isfinite(loss.data):
                break
            optimizer.step()
    return monitor.diagnosis()


def mlp(activation: Any = nn.ReLU, depth: int = 2, width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(64, width), activation()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(64, 10),
    )  # fmt: skip


HEALTHY: dict[str, tuple[Callable[[], nn.Sequential], Callable[[Any], optim.Optimizer], Any]] = {
    "relu, SGD with momentum": (mlp, lambda p: optim.SGD(p, lr=0.05, momentum=0.9), (64,)),
    "relu, Adam at a high rate": (mlp, lambda p: optim.Adam(p, lr=0.01), (64,)),
    "tanh, AdamW": (lambda: mlp(nn.Tanh), lambda p: optim.AdamW(p, lr=0.002), (64,)),
    "sigmoid, one hidden layer": (lambda: mlp(nn.Sigmoid, 1), lambda p: optim.Adam(p, lr=0.005), (64,)),
    "gelu, four layers": (lambda: mlp(nn.GELU, 4), lambda p: optim.RMSprop(p, lr=0.001), (64,)),
    "convolutional, batch norm": (convolutional, lambda p: optim.AdamW(p, lr=0.003), (1, 8, 8)),
    "linear": (lambda: nn.Sequential(nn.Linear(64, 10)), lambda p: optim.SGD(p, lr=0.1), (64,)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_run_has_no_finding(name: str, digits: tuple[Any, Any]) -> None:
    build, optimizer, shape = HEALTHY[name]
    for seed in (0, 1):
        cr.random.seed(seed)
        model = build()
        found = run(model, digits, optimizer(model.parameters()), shape=shape)
        assert found.ok, found
        assert found.course.losses[-1] < 0.5 * found.course.losses[0]  # it did learn


class Odd(nn.Module):
    """A layer that does something of its own."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def kinds(found: Diagnosis) -> list[str]:
    return [each.kind for each in found.findings]


def one_batch(model: nn.Module, digits: tuple[Any, Any]) -> Diagnosis:
    return diagnose(model, (digits[0][:64], digits[1][:64]))


def scaled(model: nn.Module, factor: float) -> nn.Module:
    for each in model.parameters():
        each.assign(each.data * factor)
    return model


def dead_layer() -> nn.Module:
    model = mlp()
    model[2].bias.assign(-50.0)
    return model


def frozen() -> nn.Module:
    model = mlp()
    model[2].weight.requires_grad = False
    return model


def unreached() -> nn.Module:
    model = Odd(mlp())
    model.spare = nn.Linear(3, 3)
    return model


def with_odd(function: Callable[[Any], Any]) -> nn.Module:
    return nn.Sequential(nn.Linear(64, 16), Odd(function), nn.Linear(16, 10))


def three_times_kaiming() -> nn.Module:
    model = mlp(depth=12)
    for each in model.parameters():
        if each.ndim > 1:
            nn.init.kaiming_normal_(each)
            each.assign(each.data * 3.0)
    return model


DISEASES: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "dead layer": (dead_layer, "dead units", "3"),
    "saturated sigmoids": (lambda: scaled(mlp(nn.Sigmoid), 40.0), "saturated units", "1"),
    "saturated tanh": (lambda: scaled(mlp(nn.Tanh), 40.0), "saturated units", "3"),
    "vanishing depth": (lambda: mlp(nn.Sigmoid, 12), "vanishing gradient", "0"),
    "exploding depth": (three_times_kaiming, "exploding gradient", "0"),
    "exploding values": (three_times_kaiming, "exploding values", "24"),
    "frozen parameter": (frozen, "frozen parameter", "2.weight"),
    "unreached parameter": (unreached, "no gradient", "spare.weight"),
    "nan in forward": (lambda: with_odd(lambda x: cr.log(x - 100.0)), "value not finite", "1"),
    "infinity in forward": (lambda: with_odd(lambda x: cr.exp(cr.exp(x + 10.0))), "value not finite", "1"),
    "nan in backward only": (lambda: with_odd(lambda x: cr.sqrt((x - x) * 1.0)), "gradient not finite", "1"),
    "bias shift": (lambda: with_odd(lambda x: cr.nn.functional.sigmoid(x * 1e-3 + 1.0)), "bias shift", "1"),
}  # fmt: skip


@pytest.mark.parametrize("disease", DISEASES)
def test_planted_disease_is_named(disease: str, digits: tuple[Any, Any]) -> None:
    build, kind, where = DISEASES[disease]
    cr.random.seed(0)
    with np.errstate(all="ignore"):
        found = one_batch(build(), digits)
    assert (kind, where) in [(each.kind, each.where) for each in found.findings], found
    named = next(each for each in found.findings if each.kind == kind)
    assert named.why and named.remedy and named.kind in str(found)


def test_the_values_that_made_a_nan_are_told(digits: tuple[Any, Any]) -> None:
    cr.random.seed(0)
    with np.errstate(all="ignore"):
        (found,) = one_batch(with_odd(lambda x: cr.log(x - 100.0)), digits).findings
    assert "first in log (layer '1')" in found.text and "from -10" in found.text


@pytest.mark.parametrize(
    ("name", "rate"), [("relu, SGD with momentum", 5.0), ("relu, Adam at a high rate", 1.0)]
)
def test_a_rate_100_times_too_high_is_named(name: str, rate: float, digits: tuple[Any, Any]) -> None:
    build, optimizer, shape = HEALTHY[name]
    cr.random.seed(0)
    model = build()
    rule = optimizer(model.parameters())
    rule.param_groups[0]["lr"] = rate
    found = run(model, digits, rule, shape=shape)
    assert "rate too high" in kinds(found), found


def test_a_rate_too_low_and_a_forgotten_layer_are_named(digits: tuple[Any, Any]) -> None:
    cr.random.seed(0)
    model = mlp()
    found = run(model, digits, optim.SGD(list(model.parameters())[2:], lr=1e-9), iterations=40)
    assert {"rate too low", "not in the optimiser"} <= set(kinds(found)), found


def test_units_that_are_off_in_one_batch_only_are_not_dead(digits: tuple[Any, Any]) -> None:
    """Dead is dead for all batches: each of these switches half of the units off, another half each."""
    cr.random.seed(0)
    model, monitor = mlp(depth=1), Monitor()
    for i in range(4):
        model[0].bias.assign(np.where(np.arange(64) % 2 == i % 2, -50.0, 0.0))
        loss = F.cross_entropy(model(cr.Tensor(digits[0][:32])), digits[1][:32])
        model.zero_grad()
        loss.backward()
        assert diagnose(model, (digits[0][:32], digits[1][:32])).findings[0].kind == "dead units"
        monitor.on_iteration(model, loss)
    assert "dead units" not in kinds(monitor.diagnosis())


def test_diagnose_leaves_all_as_it_was(digits: tuple[Any, Any]) -> None:
    model = convolutional()
    before = {name: each.numpy().copy() for name, each in model.state_dict().items()}
    state = cr.random.get_state()
    found = diagnose(model, (digits[0][:64].reshape(-1, 1, 8, 8), digits[1][:64]))
    assert cr.random.get_state() == state and all(each.grad is None for each in model.parameters())
    for name, each in model.state_dict().items():
        np.testing.assert_array_equal(each.numpy(), before[name])
    assert [each.name for each in found.course.last.layers] == ["0", "4", "10"]
    assert [each.op for each in found.course.last.activations] == ["relu", "relu"]


def test_monitor_thins_out_its_snapshots() -> None:
    model, monitor = nn.Linear(2, 1), Monitor(keep=10)
    for _ in range(57):
        loss = F.mse_loss(model(cr.ones((4, 2))), cr.zeros((4, 1)))
        loss.backward()
        monitor.on_iteration(model, loss)
    assert monitor.iterations == list(range(0, 57, 8)) and len(monitor.course.losses) == 57


def test_pictures_bear_names_in_any_script() -> None:
    model, monitor = nn.Sequential({"層": nn.Linear(2, 2), "$relu$": nn.ReLU()}), Monitor()
    for _ in range(2):
        loss = F.mse_loss(model(cr.ones((4, 2))), cr.zeros((4, 2)))
        loss.backward()
        monitor.on_iteration(model, loss)
    assert all(each.startswith(b"\x89PNG") for each in monitor.figures().values())


def test_text_json_and_page(digits: tuple[Any, Any]) -> None:
    cr.random.seed(0)
    with np.errstate(all="ignore"):
        found = one_batch(with_odd(lambda x: cr.log(x - 100.0)), digits)
    plain = json.loads(found.json())
    assert plain["ok"] is False and plain["findings"][0]["kind"] == "value not finite"
    assert "NaN" not in found.json() and "Infinity" not in found.json()
    page = diagnosed(found)
    assert "<h2>Diagnosis</h2>" in page and "&#x27;1&#x27;" in page


def test_wrong_batch_is_refused() -> None:
    with pytest.raises(cr.errors.ArgumentError, match=r"diagnose: the batch must be a pair \(x, y\)"):
        diagnose(nn.Linear(2, 1), cr.ones((3, 2)))


def test_a_run_with_a_monitor_has_a_section_in_its_report(tmp_path: Any) -> None:
    runner, app = (
        pytest.importorskip("typer.testing").CliRunner(),
        cr.errors.need("chainrule.cli.app", "it").app,
    )
    out = tmp_path / "run"
    options = ["--epochs", "3", "--rate", "3", "--optimizer", "sgd", "--diagnose", "--out", str(out)]
    result = runner.invoke(app, ["train", "digits", *options], catch_exceptions=False)
    assert "rate too high" in result.output
    assert json.loads((out / "diagnosis.json").read_text())["findings"][0]["kind"] == "rate too high"
    page = (out / "report.html").read_text()
    assert "<h2>Diagnosis</h2>" in page and "Values of each layer over time" in page
