"""The tree of modules: registration, order, sharing, scopes, hooks, looks, and what misuse says."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.core.mode import mode, module_path
from chainrule.errors import ArgumentError, ChainruleError, DTypeError, ShapeError, UnknownNameError


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.BatchNorm1d(3)])
        self.register_buffer("steps", cr.zeros(2), persistent=False)
        self.tied = nn.Linear(3, 3, bias=False)
        self.tied.weight = self.layers[0].weight

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return self.tied(x) * self.scale


NAMES = ["scale", "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
STATISTICS = ["layers.1.running_mean", "layers.1.running_var", "layers.1.num_batches_tracked"]


def test_attributes_are_the_tree() -> None:
    block = Block()
    assert [name for name, _ in block.named_parameters()] == NAMES  # the tied weight is told once
    assert [name for name, _ in block.named_buffers()] == ["steps", *STATISTICS]
    assert list(block.state_dict()) == [*NAMES, *STATISTICS, "tied.weight"]
    assert [name for name, _ in block.named_modules()] == ["", "layers", "layers.0", "layers.1", "tied"]
    assert [name for name, _ in block.named_children()] == ["layers", "tied"]
    assert block.get_submodule("layers.1") is block.layers[1]
    assert block.get_parameter("tied.weight") is block.layers[0].weight
    assert (block.scale.name, block.tied.weight.name, block.steps.name) == ("scale", "weight", "steps")


def test_replacing_and_deleting_attributes() -> None:
    block = Block()
    block.scale = nn.Parameter(np.zeros(3, np.float32))
    block.tied.weight = None
    del block.layers
    assert [name for name, _ in block.named_parameters()] == ["scale"]
    block.scale = None
    assert not list(block.parameters())


def test_modes_types_and_gradients_reach_everything() -> None:
    block = Block()
    visited: list[str] = []
    block.apply(lambda module: visited.append(type(module).__name__))
    assert visited == ["Linear", "BatchNorm1d", "ModuleList", "Linear", "Block"]
    assert not any(module.training for module in block.eval().modules())
    assert all(module.training for module in block.train().modules())
    block(np.ones((2, 3), np.float32)).sum().backward()
    block.double()
    assert {p.grad.dtype for p in block.parameters()} == {np.dtype(np.float64)}
    assert block.layers[1].num_batches_tracked.dtype == np.int64
    assert block.tied.weight is block.layers[0].weight
    block.zero_grad(set_to_none=False)
    assert not any(p.grad.data.any() for p in block.parameters())
    block.zero_grad(set_to_none=True)
    assert all(p.grad is None for p in block.float().parameters())
    block.requires_grad_(False)
    assert not block(np.ones((2, 3), np.float32)).requires_grad


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])  # noqa: S301
def test_copies_are_independent_and_keep_sharing(copied: Any) -> None:
    block = Block()
    block(np.ones((2, 3), np.float32))
    twin = copied(block)
    np.testing.assert_array_equal(twin.eval()(np.ones((2, 3))).data, block.eval()(np.ones((2, 3))).data)
    twin.scale.assign(np.full(3, 7.0))
    assert block.scale.data[0] == 1 and twin.tied.weight is twin.layers[0].weight
    assert list(twin.state_dict()) == list(block.state_dict())
    assert isinstance(twin.scale, nn.Parameter) and twin.scale.requires_grad


def test_a_module_that_was_called_is_freed() -> None:
    block = Block()
    block.eval()(np.ones((2, 3), np.float32))
    ghost = weakref.ref(block)
    del block
    gc.collect()
    assert ghost() is None


def test_every_value_knows_its_modules_path() -> None:
    seen: list[tuple[str, str]] = []

    class Spy(nn.Module):
        def forward(self, x: Any) -> Any:
            y = x * 2
            seen.append((module_path(mode.scope), module_path(y.scope)))
            return y

    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spies = nn.ModuleList([Spy()])  # never called itself, yet part of the path

        def forward(self, x: Any) -> Any:
            return self.spies[0](x)

    shared = Spy()
    net = nn.Sequential(nn.Sequential(shared, Spy()), shared, nn.Sequential({"tail": Listed()}))
    net(cr.tensor([1.0], requires_grad=True))
    assert [path for path, _ in seen] == ["0.0", "0.1", "0.0", "2.tail.spies.0"]
    assert all(inner == outer for inner, outer in seen) and mode.scope is None


def test_scope_is_left_after_an_error() -> None:
    with pytest.raises(ChainruleError) as error:
        nn.Sequential(nn.ReLU(), nn.Linear(3, 2))(cr.ones((4, 5)))
    assert mode.scope is None
    assert (
        error.value.headline
        == "linear(x, weight, bias): axis 'i' is 5 in x (axis 1) but 3 in weight (axis 1)"
    )
    assert "weight (2, 3) float32 parameter '1.weight'" in error.value.got
    assert "Linear(5, 2)" in error.value.hint


def test_forward_hooks_see_and_may_replace_the_output() -> None:
    layer = nn.ReLU()
    seen: list[Any] = []
    note = layer.register_forward_hook(lambda module, inputs, output: seen.append((inputs, output)))
    double = layer.register_forward_hook(lambda module, inputs, output: output * 2)
    assert layer(cr.tensor([3.0])).tolist() == [6.0]
    assert seen[0][0][0].tolist() == seen[0][1].tolist() == [3.0]
    note.remove()
    note.remove()
    double.remove()
    assert layer(cr.tensor([3.0])).tolist() == [3.0] and len(seen) == 1


def test_containers_have_the_manners_of_lists() -> None:
    net = nn.Sequential({"first": nn.Linear(2, 3), "act": nn.ReLU()})
    net.append(nn.Linear(3, 1))
    assert [name for name, _ in net.named_children()] == ["first", "act", "2"]
    assert len(net) == 3 and net[-1] is net[2] and isinstance(net[:2], nn.Sequential)
    net[1] = nn.Tanh()
    assert [type(each).__name__ for each in net] == ["Linear", "Tanh", "Linear"]
    twice = nn.Sequential(net[1], net[1])
    assert len(list(twice.named_modules())) == 2 and twice(cr.ones(1)).item() == pytest.approx(
        np.tanh(np.tanh(1))
    )


def test_repr_is_pytorchs_tree_with_counts() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Dropout(0.25), nn.StochasticDepth(0.1, "row")
    )
    assert repr(nn.Sequential(net, nn.Maxout(2, 3, pieces=4, bias=False))) == (
        "Sequential(\n"
        "  (0): Sequential(\n"
        "    (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))  # 20 parameters\n"
        "    (1): BatchNorm2d(2, eps=1e-05, momentum=0.1 (weight of the new value), affine=True, "
        "track_running_stats=True)  # 4 parameters\n"
        "    (2): Dropout(p=0.25 (probability of dropping))\n"
        "    (3): StochasticDepth(p=0.1 (probability of dropping), mode='row' (drops single samples))\n"
        "  )  # 24 parameters\n"
        "  (1): Maxout(in_features=2, out_features=3, pieces=4, bias=False)  # 24 parameters\n"
        ")  # 48 parameters"
    )


def test_summary_without_a_batch_axis_says_what_is_missing() -> None:
    with pytest.raises(ShapeError) as caught:
        nn.summary(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), (1, 8, 8))
    assert caught.value.hint == "input_shape has the batch axis in front, as in (1, 1, 8, 8)"


def test_summary_counts_once_and_leaves_no_trace() -> None:
    block = Block()
    block.layers[1].eval().weight.requires_grad = False
    before, state = cr.random.get_state(), {n: t.data.copy() for n, t in block.state_dict().items()}
    found = nn.summary(block, (2, 3))
    assert [(row.path, row.kind, row.shape, row.parameters) for row in found.rows] == [
        ("", "Block", "(2, 3)", 3),
        ("layers", "ModuleList", "not called", 0),
        ("layers.0", "Linear", "(2, 3)", 12),
        ("layers.1", "BatchNorm1d", "(2, 3)", 6),
        ("tied", "Linear", "(2, 3)", 0),
    ]
    assert str(found).endswith("21 parameters: 18 trainable, 3 frozen; 9 numbers in buffers")
    assert block.training and not block.layers[1].training and not block._forward_hooks
    assert cr.random.get_state() == before
    assert all((block.state_dict()[name].data == array).all() for name, array in state.items())


class NoSuper(nn.Module):
    def __init__(self) -> None:
        self.fc = nn.Linear(1, 1)


class NothingReady(nn.Module):
    def __init__(self) -> None:
        self.rate = 0.1

    def forward(self, x: Any) -> Any:
        return x


MISUSES: list[tuple[Any, type[Exception], str]] = [
    (NoSuper, ArgumentError, "NoSuper: 'fc' is used before Module.__init__ has run"),
    (lambda: NothingReady()(1), ArgumentError, "NothingReady: is used before Module.__init__ has run"),
    (lambda: nn.Module()(1), ArgumentError, "Module: forward is not defined"),
    (lambda: setattr(nn.Linear(2, 1), "weight", np.ones((1, 2))), DTypeError,
     "Linear: 'weight' is a parameter and only an nn.Parameter or None can replace it"),
    (lambda: setattr(nn.Linear(2, 1), "weight", cr.ones((1, 2))), DTypeError, "Linear: 'weight' is a parameter"),
    (lambda: setattr(nn.BatchNorm1d(2), "running_mean", [0, 0]), DTypeError, "BatchNorm1d: 'running_mean' is a buffer"),
    (lambda: nn.Linear(2, 1).wieght, UnknownNameError, "Linear: there is no attribute 'wieght'"),
    (lambda: Block().get_submodule("layers.7"), UnknownNameError, "Block: there is no module 'layers.7'"),
    (lambda: Block().get_parameter("scael"), UnknownNameError, "Block: there is no parameter 'scael'"),
    (lambda: nn.Module().add_module("a.b", nn.ReLU()), ArgumentError, "Module: 'a.b' is no attribute name"),
    (lambda: nn.Module().add_module("forward", nn.ReLU()), ArgumentError, "Module: 'forward' is an attribute already"),
    (lambda: nn.Module().register_buffer("b", [1.0]), DTypeError, "Module: 'b' must be a Tensor or None, got list"),
    (lambda: nn.Sequential(nn.ReLU), DTypeError, "Sequential: item 0 is a type, not a Module"),
    (lambda: nn.Sequential([nn.ReLU()]), ArgumentError, "Sequential: got one list, needs modules"),
    (lambda: nn.ModuleList([nn.ReLU()])(1), ArgumentError, "ModuleList: cannot be called"),
    (lambda: nn.Sequential(nn.ReLU())[1], IndexError, "Sequential: index 1 is out of range for 1 items"),
    (lambda: nn.ReLU().to(np.int64), DTypeError, "ReLU.to: the dtype must be a float, got int64"),
    (lambda: nn.Dense(3), UnknownNameError, "nn: there is no 'Dense'"),
    (lambda: nn.Conv2D(3), UnknownNameError, "nn: there is no 'Conv2D'"),
    (lambda: nn.MaxPol2d(3), UnknownNameError, "nn: there is no 'MaxPol2d'"),
    (lambda: nn.Dropout(1.2), ArgumentError, "Dropout: p, the probability of dropping, must be in [0, 1], got 1.2"),
    (lambda: nn.StochasticDepth(0.2, "rows"), ArgumentError, "StochasticDepth: mode must be 'row' or 'batch', got 'rows'"),
    (lambda: nn.Linear(2.0, 3), ArgumentError, "Linear: in_features must be an integer of at least 0, got 2.0"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ArgumentError, "Conv2d: kernel_size needs 2 number(s), got (3, 3, 3)"),
    (lambda: nn.Conv2d(3, 4, 3, stride=-1), ArgumentError, "Conv2d: stride[0] must be an integer of at least 1, got -1"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ArgumentError, "Conv2d: 2 groups do not divide in_channels 3"),
    (lambda: nn.Conv2d(3, 4, 3, padding="full"), ArgumentError, "Conv2d: padding must be numbers, 'same' or 'valid', got 'full'"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), ArgumentError, "Conv2d: there is no padding_mode 'mirror'"),
    (lambda: nn.MaxPool2d(2, return_indices=True), ArgumentError, "MaxPool2d: return_indices is not supported"),
    (lambda: nn.MSELoss("average"), ArgumentError, "MSELoss: reduction must be mean, sum or none, got 'average'"),
    (lambda: nn.CrossEntropyLoss(cr.ones((2, 3)), [0, 1]), ArgumentError, "CrossEntropyLoss: ignore_index must be a single value"),
    (lambda: nn.MSELoss(cr.ones((2, 3))), ArgumentError, "MSELoss: reduction must be a single value, got Tensor"),
    (lambda: nn.Conv2d(3, 4, 3)(np.zeros((1, 3, 8, 8), np.uint8)), DTypeError, "conv2d(x, weight, bias): x is uint8, needs floats"),
    (lambda: nn.Linear(3, 4)(np.zeros((1, 3), int)), DTypeError, "linear(x, weight, bias): x is int64, needs floats"),
    (lambda: nn.BatchNorm2d(3)(cr.ones((2, 3))), ValueError, "BatchNorm2d: x has shape (2, 3), needs 4 axes (n c y x)"),
    (lambda: nn.BatchNorm1d(3)(cr.ones((1, 3))), ValueError, "batch_norm(x): one value a channel, shape (1, 3)"),
    (lambda: nn.FractionalMaxPool2d(2), ArgumentError, "FractionalMaxPool2d: give either output_size or output_ratio"),
    (lambda: nn.functional.pad(cr.ones(3), (1,)), ArgumentError, "pad(x): pad needs two numbers an axis"),
    (lambda: nn.init.kaiming_normal_(cr.zeros(3)), ValueError, "kaiming_normal_: needs a weight of at least 2 axes"),
    (lambda: nn.init.calculate_gain("rellu"), ArgumentError, "calculate_gain: there is no gain for 'rellu'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), MISUSES, ids=[case[2][:40] for case in MISUSES])
def test_misuse_says_what_is_wrong(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        call()
    assert isinstance(error.value, ChainruleError)
    assert error.value.headline.startswith(message)


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: nn.Linear(2, 1).wieght, "'weight'"),
        (lambda: nn.Linear(2, 1).fit, "Trainer(model, loss, optimizer).fit("),
        (lambda: nn.Linear(2, 1).save, "checkpoint.save(path, model.state_dict())"),
        (lambda: nn.Dense, "nn.Linear(in_features, out_features)"),
        (lambda: nn.MaxPol2d, "'MaxPool2d'"),
        (NoSuper, "call super().__init__() first in NoSuper.__init__"),
        (lambda: nn.Linear(16, 2)(cr.ones((3, 4, 4))), "nn.Flatten()"),
        (lambda: nn.HingeLoss(cr.ones((2, 3)), [0, 1]), "nn.HingeLoss()(scores, target)"),
        (lambda: nn.CrossEntropyLoss()(None, [0, 1]), "end in a return?"),
        (lambda: nn.Conv2d(3, 4, 3)(cr.ones((1, 8, 8, 3))), "x.transpose(0, 3, 1, 2)"),
        (lambda: nn.Conv2d(3, 4, 3)(cr.ones((1, 1, 8, 8))), "Conv2d(1, 4, ...)"),
    ],
)
def test_hints_give_the_way_out(call: Any, hint: str) -> None:
    with pytest.raises(ChainruleError) as error:
        call()
    assert hint in error.value.hint
