"""Every layer against PyTorch's of the same name: value, gradients, ten updates, state, evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

# 1e-5 is what the parity with PyTorch is promised to in float32.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}

LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Linear", {"in_features": 5, "out_features": 3}, (4, 5)),
    ("Linear", {"in_features": 5, "out_features": 3, "bias": False}, (2, 1, 3, 5)),
    ("Linear", {"in_features": 5, "out_features": 3}, (5,)),
    ("Linear", {"in_features": 5, "out_features": 3}, (0, 5)),
    ("Conv1d", {"in_channels": 3, "out_channels": 4, "kernel_size": 3}, (2, 3, 8)),
    ("Conv1d", {"in_channels": 3, "out_channels": 4, "kernel_size": 2, "stride": 2, "padding": 1}, (3, 7)),
    ("Conv1d", {"in_channels": 4, "out_channels": 6, "kernel_size": 4, "padding": "same",
                "dilation": 2, "groups": 2}, (1, 4, 11)),
    ("Conv1d", {"in_channels": 2, "out_channels": 2, "kernel_size": 5, "padding": 3,
                "padding_mode": "circular"}, (2, 2, 6)),
    ("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 3}, (2, 3, 6, 5)),
    ("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 3}, (3, 6, 5)),
    ("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 1, "bias": False}, (1, 3, 4, 4)),
    ("Conv2d", {"in_channels": 1, "out_channels": 2, "kernel_size": (3, 5), "stride": (2, 1),
                "padding": (1, 2)}, (2, 1, 9, 7)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 3, "padding": 2}, (2, 2, 8, 7)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": (2, 3), "dilation": (3, 2)}, (2, 2, 8, 8)),
    ("Conv2d", {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "groups": 4, "padding": 1}, (2, 4, 5, 5)),
    ("Conv2d", {"in_channels": 6, "out_channels": 4, "kernel_size": 2, "groups": 2, "stride": 2}, (2, 6, 6, 7)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": (4, 3), "padding": "same"}, (2, 2, 5, 6)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "padding": "valid"}, (2, 2, 5, 6)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "padding": (2, 1),
                "padding_mode": "reflect"}, (2, 2, 5, 6)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": (2, 5), "padding": "same",
                "padding_mode": "replicate"}, (2, 2, 5, 6)),
    ("Conv2d", {"in_channels": 2, "out_channels": 3, "kernel_size": 3}, (0, 2, 5, 5)),
    ("MaxPool2d", {"kernel_size": 2}, (2, 3, 6, 7)),
    ("MaxPool2d", {"kernel_size": 2}, (3, 6, 7)),
    ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 2, 7, 8)),
    ("MaxPool2d", {"kernel_size": (3, 2), "stride": (2, 3), "ceil_mode": True}, (2, 2, 8, 9)),
    ("MaxPool2d", {"kernel_size": 2, "stride": 2, "padding": 1, "ceil_mode": True}, (1, 2, 5, 6)),
    ("MaxPool2d", {"kernel_size": 2, "stride": 1, "dilation": (2, 3)}, (2, 2, 6, 6)),
    ("MaxPool2d", {"kernel_size": 2}, (0, 2, 4, 4)),
    ("AvgPool2d", {"kernel_size": 2}, (2, 3, 6, 7)),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 2, 7, 8)),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}, (2, 2, 6, 8)),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True,
                   "count_include_pad": False}, (2, 2, 6, 8)),
    ("AvgPool2d", {"kernel_size": (2, 3), "stride": 3, "ceil_mode": True}, (2, 8, 8)),
    ("AvgPool2d", {"kernel_size": 2, "padding": 1, "divisor_override": 3}, (1, 2, 5, 5)),
    ("MaxPool1d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}, (2, 3, 8)),
    ("AvgPool1d", {"kernel_size": 3, "padding": 1, "ceil_mode": True}, (3, 8)),
    ("AdaptiveAvgPool2d", {"output_size": 1}, (2, 3, 5, 7)),
    ("AdaptiveAvgPool2d", {"output_size": (3, 4)}, (2, 3, 5, 7)),
    ("AdaptiveAvgPool2d", {"output_size": (None, 9)}, (3, 5, 7)),
    ("BatchNorm1d", {"num_features": 3}, (5, 3)),
    ("BatchNorm1d", {"num_features": 3, "eps": 0.1, "momentum": 0.3}, (2, 3, 4)),
    ("BatchNorm1d", {"num_features": 3, "momentum": None}, (1, 3, 4)),
    ("BatchNorm2d", {"num_features": 3}, (2, 3, 5, 4)),
    ("BatchNorm2d", {"num_features": 3, "affine": False}, (1, 3, 3, 3)),
    ("BatchNorm2d", {"num_features": 3, "track_running_stats": False}, (2, 3, 3, 3)),
    ("BatchNorm2d", {"num_features": 2, "momentum": None}, (0, 2, 3, 3)),
    ("LayerNorm", {"normalized_shape": 6}, (4, 6)),
    ("LayerNorm", {"normalized_shape": (3, 4), "eps": 0.01}, (2, 3, 4)),
    ("LayerNorm", {"normalized_shape": [4], "bias": False}, (4,)),
    ("LayerNorm", {"normalized_shape": 4, "elementwise_affine": False}, (2, 3, 4)),
    ("Dropout", {"p": 0.0}, (3, 4)),
    ("Dropout2d", {"p": 1.0}, (3, 4, 2, 2)),
    ("Flatten", {}, (2, 3, 4)),
    ("Flatten", {"start_dim": -3, "end_dim": 1}, (2, 3, 4)),
    ("Identity", {}, (2, 3)),
    ("ReLU", {"inplace": False}, (3, 4)),
    ("LeakyReLU", {"negative_slope": 0.2}, (3, 4)),
    ("ELU", {"alpha": 0.7}, (3, 4)),
    ("SELU", {}, (3, 4)),
    ("GELU", {}, (3, 4)),
    ("GELU", {"approximate": "tanh"}, (3, 4)),
    ("SiLU", {}, (3, 4)),
    ("Sigmoid", {}, (3, 4)),
    ("Tanh", {}, (3, 4)),
    ("Softplus", {"beta": 2.0, "threshold": 1.0}, (3, 4)),
    ("Softmax", {"dim": 1}, (3, 4, 2)),
    ("LogSoftmax", {"dim": -1}, (3, 4)),
    ("PReLU", {}, (3, 4)),
    ("PReLU", {"num_parameters": 3, "init": 0.1}, (2, 3, 4)),
]  # fmt: skip


def pair(name: str, kwargs: dict[str, Any], dtype: Any = np.float32) -> tuple[nn.Module, Any]:
    """The layer of both libraries, with PyTorch's start in both."""
    theirs = getattr(torch.nn, name)(**kwargs).to(torch.from_numpy(np.zeros(0, dtype)).dtype)
    ours = getattr(nn, name)(**kwargs).to(dtype)
    with torch.no_grad():  # weights of 1 and biases of 0 would hide mistakes
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def close(ours: Any, theirs: Any, dtype: Any, what: str) -> None:
    found, wanted = ours.data, theirs.detach().numpy()
    assert found.dtype == wanted.dtype, what
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype], err_msg=what)


def update(layer: nn.Module, velocity: dict[str, Any]) -> None:
    """One step of SGD with momentum 0.9 and rate 0.05, by hand."""
    for name, parameter in layer.named_parameters():
        velocity[name] = 0.9 * velocity.get(name, 0.0) + parameter.grad.data
        parameter.assign(parameter.data - parameter.dtype.type(0.05) * velocity[name])
        parameter.grad = None


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize(("name", "kwargs", "shape"), LAYERS, ids=lambda v: str(v).replace(" ", ""))
def test_layer(name: str, kwargs: dict[str, Any], shape: tuple[int, ...], dtype: Any) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    ours, theirs = pair(name, kwargs, dtype)
    array = rng.normal(size=shape).astype(dtype)
    x, tx = cr.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    y, ty = ours(x), theirs(tx)
    close(y, ty, dtype, "value")
    upstream = rng.normal(size=y.shape).astype(dtype)
    y.backward(upstream)
    ty.backward(torch.from_numpy(upstream))
    close(x.grad, tx.grad, dtype, "gradient of the input")
    for (path, parameter), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        close(parameter.grad, other.grad, dtype, f"gradient of {path}")
    ours.zero_grad()

    learns = bool(list(ours.parameters())) and y.size > 0
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9) if learns else None
    velocity: dict[str, Any] = {}
    for _ in range(10 if learns else 0):
        F.mse_loss(ours(array), upstream).backward()
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(theirs(torch.from_numpy(array)), torch.from_numpy(upstream)).backward()
        update(ours, velocity)
        optimizer.step()
    theirs_now = theirs.state_dict()
    assert list(ours.state_dict()) == list(theirs_now)
    for path, tensor in ours.state_dict().items():
        close(tensor, theirs_now[path], dtype, f"{path} after ten updates")
    close(ours.eval()(array), theirs.eval()(torch.from_numpy(array)), dtype, "in evaluation")


def test_gradient_of_max_pool_goes_to_the_first_of_a_tie() -> None:
    array = np.random.default_rng(0).integers(0, 2, (2, 2, 6, 6)).astype(np.float32)
    for kwargs in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}):
        x, tx = cr.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        nn.MaxPool2d(**kwargs)(x).sum().backward()
        torch.nn.MaxPool2d(**kwargs)(tx).sum().backward()
        np.testing.assert_array_equal(x.grad.data, tx.grad.numpy())


@pytest.mark.parametrize(
    ("size", "arguments", "shape"),
    [
        (2, {"output_size": (4, 5)}, (2, 3, 9, 8)),
        ((2, 3), {"output_ratio": (0.5, 0.7)}, (2, 2, 11, 12)),
        (2, {"output_size": (1, 3)}, (3, 6, 7)),
    ],
)
def test_fractional_max_pool_with_given_regions(size: Any, arguments: Any, shape: Any) -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(size=shape).astype(np.float32)
    regions = rng.random((*(shape[:2] if len(shape) == 4 else (1, shape[0])), 2), dtype=np.float32)
    x, tx = cr.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    ours = nn.FractionalMaxPool2d(size, **arguments, _random_samples=regions)
    theirs = torch.nn.FractionalMaxPool2d(size, **arguments, _random_samples=torch.from_numpy(regions))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    y, ty = ours(x), theirs(tx)
    np.testing.assert_array_equal(y.data, ty.detach().numpy())
    upstream = rng.normal(size=y.shape).astype(np.float32)
    y.backward(upstream)
    ty.backward(torch.from_numpy(upstream))
    np.testing.assert_allclose(x.grad.data, tx.grad.numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_embedding(padding_idx: int | None) -> None:
    theirs = torch.nn.Embedding(5, 3, padding_idx=padding_idx)
    ours = nn.Embedding(5, 3, padding_idx=padding_idx)
    ours.load_state_dict(theirs.state_dict())
    places = np.array([[1, 4, 2], [2, 2, 0]])
    (ours(places) * 2).sum().backward()
    (theirs(torch.from_numpy(places)) * 2).sum().backward()
    np.testing.assert_array_equal(ours(places).data, theirs(torch.from_numpy(places)).detach().numpy())
    np.testing.assert_array_equal(ours.weight.grad.data, theirs.weight.grad.numpy())


SCORES, LABELS = (4, 3), np.array([0, 2, 1, 1])
LOSSES: list[tuple[str, dict[str, Any], Any]] = [
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, LABELS),
    ("CrossEntropyLoss", {"ignore_index": 1, "reduction": "sum"}, LABELS),
    ("NLLLoss", {}, LABELS),
    ("MSELoss", {}, None),
    ("L1Loss", {"reduction": "none"}, None),
    ("SmoothL1Loss", {"beta": 0.5}, None),
    ("HuberLoss", {"delta": 0.5}, None),
    ("BCEWithLogitsLoss", {}, None),
    ("MultiMarginLoss", {"margin": 0.7, "p": 2}, LABELS),
]


UNWEIGHTED = ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
CASES = [(*case, False) for case in LOSSES] + [(*case, True) for case in LOSSES if case[0] not in UNWEIGHTED]


@pytest.mark.parametrize(("name", "kwargs", "target", "weighted"), CASES, ids=lambda v: str(v)[:30])
def test_loss_modules_take_pytorchs_arguments(name: str, kwargs: Any, target: Any, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=SCORES).astype(np.float32)
    target = rng.random(SCORES, dtype=np.float32) if target is None else target
    theirs_given, given = dict(kwargs), dict(kwargs)
    if weighted:
        given["weight"] = np.array([0.5, 1.0, 2.0], np.float32)
        theirs_given["weight"] = torch.tensor([0.5, 1.0, 2.0])
    ours, theirs = getattr(nn, name)(**given), getattr(torch.nn, name)(**theirs_given)
    wanted = theirs(torch.from_numpy(x), torch.from_numpy(target)).numpy()
    np.testing.assert_allclose(ours(x, target).data, wanted, rtol=1e-5, atol=1e-6)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_pad_counts_from_the_last_axis(mode: str) -> None:
    x = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)
    wanted = torch.nn.functional.pad(torch.from_numpy(x), (1, 2, 3, 0), mode=mode).numpy()
    np.testing.assert_array_equal(F.pad(x, (1, 2, 3, 0), mode=mode).data, wanted)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("softmax", ()), ("log_softmax", (0,)), ("one_hot", (4,)), ("max_pool1d", (3, 2, 1)),
        ("avg_pool1d", (3, 2, 1)),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
def test_functions_take_pytorchs_positions(name: str, args: tuple[Any, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (2, 3)) if name == "one_hot" else rng.normal(size=(2, 3, 7)).astype(np.float32)
    wanted = getattr(torch.nn.functional, name)(torch.from_numpy(x), *args).numpy()
    found = getattr(F, name)(x, *args)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found.data, wanted, rtol=1e-5, atol=1e-6)


def net(library: Any) -> Any:
    """A small net with every kind of layer that has a state, and some that have none."""
    branch = library.Sequential(library.Conv2d(4, 4, 3, padding=1, bias=False), library.BatchNorm2d(4))
    features = library.Sequential(
        library.Conv2d(1, 4, 3, padding=1), library.PReLU(4), library.MaxPool2d(2), branch, library.GELU()
    )
    signal = library.Sequential(library.Flatten(2), library.Conv1d(4, 6, 3), library.BatchNorm1d(6))
    head = library.ModuleList([library.Linear(6 * 14, 8), library.LayerNorm(8), library.Linear(8, 3)])
    layers = library.Sequential(features, signal, library.Flatten(), *head, library.LogSoftmax(1))
    return library.Sequential(layers, library.Identity(), library.Dropout(0.0))


def test_whole_net_trains_alike_from_the_same_state() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    theirs, ours = net(torch.nn), net(nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    assert [name for name, _ in ours.named_buffers()] == [name for name, _ in theirs.named_buffers()]
    ours.load_state_dict(theirs.state_dict())
    x, labels = rng.normal(size=(5, 1, 8, 8)).astype(np.float32), rng.integers(0, 3, 5)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9)
    velocity: dict[str, Any] = {}
    for _ in range(10):
        loss = F.nll_loss(ours(x), labels)
        loss.backward()
        update(ours, velocity)
        optimizer.zero_grad()
        wanted = torch.nn.functional.nll_loss(theirs(torch.from_numpy(x)), torch.from_numpy(labels))
        wanted.backward()
        optimizer.step()
        assert loss.item() == pytest.approx(wanted.item(), rel=1e-4, abs=1e-5)
    for path, tensor in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[path].data, tensor.numpy(), rtol=1e-4, atol=1e-4)


STARTS: list[tuple[str, tuple[Any, ...]]] = [
    ("Linear", (60, 200)),
    ("Conv1d", (40, 100, 3)),
    ("Conv2d", (20, 50, 3)),
    ("Embedding", (100, 60)),
]


@pytest.mark.parametrize(("name", "args"), STARTS)
def test_layers_start_as_pytorchs(name: str, args: tuple[Any, ...]) -> None:
    cr.random.seed(0)
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args).state_dict(), getattr(torch.nn, name)(*args).state_dict()
    for path, tensor in theirs.items():
        same_distribution(ours[path].data, tensor.numpy())


def same_distribution(found: Any, wanted: Any) -> None:
    assert abs(found.mean() - wanted.mean()) < 6 * wanted.std() / np.sqrt(wanted.size / 2)
    assert found.std() == pytest.approx(wanted.std(), rel=8 / np.sqrt(wanted.size))
    assert np.abs(found).max() == pytest.approx(np.abs(wanted).max(), rel=0.2)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("uniform_", {"a": -1.0, "b": 3.0}),
        ("normal_", {"mean": 1.0, "std": 0.5}),
        ("trunc_normal_", {"std": 2.0, "a": -1.0, "b": 1.5}),
        ("xavier_uniform_", {"gain": 2.0}),
        ("xavier_normal_", {}),
        ("kaiming_uniform_", {"nonlinearity": "relu", "mode": "fan_out"}),
        ("kaiming_normal_", {"a": 0.3}),
        ("orthogonal_", {"gain": 1.5}),
    ],
)
def test_initialisers_draw_from_pytorchs_distribution(name: str, arguments: dict[str, Any]) -> None:
    cr.random.seed(0)
    torch.manual_seed(0)
    wanted = getattr(torch.nn.init, name)(torch.empty(60, 20, 3, 3), **arguments).numpy()
    tensor = cr.zeros((60, 20, 3, 3))
    assert getattr(nn.init, name)(tensor, **arguments) is tensor
    same_distribution(tensor.data, wanted)


@pytest.mark.parametrize("name", ["linear", "tanh", "relu", "leaky_relu", "selu", "sigmoid", "conv2d"])
def test_gains(name: str) -> None:
    assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
