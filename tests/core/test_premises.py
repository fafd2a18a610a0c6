"""What a compiled function depends on besides its arguments, and what it replaces by itself."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import TraceError
from chainrule.nn import functional as F

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
Y = np.arange(6) % 3


class Deep(nn.Module):
    """A model whose forward asks for attributes of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.slopes, self.activation = 1, (1.0, 2.0), cr.tanh
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(4, 3)

    def forward(self, x):
        for layer in list(self.layers)[: self.depth]:
            x = self.activation(layer(x)) * self.slopes[0]
        return self.head(self.drop(x))


CHANGES = {
    "a layer": lambda net: setattr(net, "head", nn.Linear(4, 2)),
    "no layer": lambda net: setattr(net, "head", nn.Identity()),
    "one of a list": lambda net: net.layers.__setitem__(0, nn.Linear(4, 4)),
    "a parameter": lambda net: setattr(net.head, "weight", nn.Parameter(np.ones((3, 4), np.float32))),
    "no parameter": lambda net: setattr(net.head, "bias", None),
    "a number": lambda net: setattr(net, "depth", 2),
    "a function": lambda net: setattr(net, "activation", F.relu),
    "a tuple": lambda net: setattr(net, "slopes", (3.0, 2.0)),
    "the probability of a dropout": lambda net: setattr(net.drop, "p", 0.1),
    "a hook": lambda net: net.drop.register_forward_hook(lambda module, inputs, output: output * 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_is_changed_is_looked_at_again(change):
    seen = []
    for wrap in (lambda f: f, cr.compile):
        cr.random.seed(0)
        net = Deep()
        f = wrap(net)
        seen.append([f(X)])
        CHANGES[change](net)
        cr.random.seed(1)
        seen[-1] += [f(X), f(X)]
    for eager, compiled in zip(*seen, strict=True):
        assert eager.shape == compiled.shape
        np.testing.assert_allclose(compiled.data, eager.data, rtol=1e-4, atol=1e-5)
    assert f.traces == 2


def test_what_is_as_it_was_needs_no_new_program():
    net, other = Deep(), nn.Linear(2, 2)
    f, layer = cr.compile(net), net.head
    first = f(X)
    handle = net.register_forward_hook(lambda module, inputs, output: output * 2)
    np.testing.assert_array_equal(first.shape, f(X).shape)
    handle.remove()
    net.depth, net.slopes, net.head = 1, (1.0, 2.0), layer
    net.iterations, net.last, other.bias = 1, cr.ones(3), None  # nobody asks for that
    f(X)
    net.eval().train()
    f(X)
    assert f.traces == 2


def test_modes_count_where_they_are_asked_for():
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    f = cr.compile(net)
    f(X)
    net.eval()
    f(X)
    assert f.traces == 1
    net.append(nn.Dropout(0.5)).train()
    f(X)
    assert (f(X).data == 0).any()
    net.eval()
    assert not (f(X).data == 0).any()
    assert f.traces == 3


def test_layers_that_are_not_called_count_too():
    layers, free = nn.ModuleList([nn.Linear(4, 4)]), nn.Linear(4, 3)

    @cr.compile
    def f(x):
        return F.linear(sum(layer(x) for layer in layers), free.weight)

    f(X)
    layers.append(nn.Linear(4, 4))
    free.weight = nn.Parameter(np.ones((3, 4), np.float32))
    np.testing.assert_allclose(f(X).data, f.f(X).data, rtol=1e-4, atol=1e-5)


def test_what_the_function_counts_in_python_is_no_premise():
    class Counting(nn.Linear):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    net = Counting(4, 3)
    f = cr.compile(net)
    for _ in range(3):
        f(X)
        nn.Identity().note = "elsewhere"
    assert f.traces == 1


def test_modes_that_a_function_sets_are_set_at_every_run():
    net = nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3))
    rule = optim.SGD(net.parameters(), lr=0.1)

    @cr.compile
    def step(x, y):
        net.train()
        rule.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        rule.step()
        return loss

    @cr.compile
    def predict(x):
        net.eval()
        return net(x)

    for _ in range(3):
        step(X, Y)
        assert net.training
        assert net[1].training
        got = predict(X)
        assert not net[1].training
        np.testing.assert_allclose(got.data, net(X).data, rtol=1e-5, atol=1e-5)
    step.epoch(X, Y, 3)
    assert net.training
    assert predict.traces == 1
    assert step.traces == 2


def test_one_program_may_use_both_modes():
    net = nn.Sequential(nn.BatchNorm1d(4))

    @cr.compile
    def both(x):
        net.eval()
        before = net(x)
        net.train()
        return before + net(x)

    for _ in range(3):
        state = {name: each.data.copy() for name, each in net.state_dict().items()}
        got = both(X)
        net.load_state_dict(state)
        np.testing.assert_allclose(got.data, both.f(X).data, rtol=1e-5, atol=1e-5)
    assert both.traces == 1


class Remembering(nn.Module):
    """A module that replaces what it remembers, where it could write into it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = cr.zeros((6, 4))

    def forward(self, x):
        self.seen = 0.5 * self.seen + x
        return self.seen.sum()


class Baseline:
    """The same for an object of another class."""

    def __init__(self) -> None:
        self.seen = cr.zeros((6, 4))

    def __call__(self, x):
        self.seen = 0.5 * self.seen + x
        return self.seen.sum()


@pytest.mark.parametrize("kind", [Remembering, Baseline])
def test_state_that_is_replaced_is_refused(kind):
    made = kind()
    with pytest.raises(TraceError, match="'seen' is read and then replaced by a compiled function"):
        cr.compile(made)(X)


def test_a_variable_that_is_replaced_is_refused_by_its_name():
    total = cr.zeros((6, 4))

    @cr.compile
    def f(x):
        nonlocal total
        total = total + x
        return total.sum()

    with pytest.raises(TraceError, match="'total' is read and then replaced"):
        f(X)


def test_what_is_kept_for_a_look_is_not_refused():
    class Looked(nn.Linear):
        def forward(self, x):
            self.last = super().forward(x)
            return self.last

    net = Looked(4, 3)
    f = cr.compile(net)
    for rows in (6, 4, 6):
        np.testing.assert_allclose(f(X[:rows]).data, net.eval()(X[:rows]).data, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("given", [0.05, cr.tensor(0.05)])
def test_options_that_a_function_changes_are_refused_and_given_back(given):
    weight = cr.tensor(np.ones(4, np.float32), requires_grad=True)
    rule = optim.SGD([weight], lr=0.1)

    @cr.compile
    def step(x):
        rule.param_groups[0]["lr"] = given
        rule.zero_grad()
        loss = (weight * x).sum()
        loss.backward()
        rule.step()
        return loss

    with pytest.raises(TraceError, match="'lr' of a group of parameters is"):
        step(X)
    assert rule.param_groups[0]["lr"] == 0.1
    np.testing.assert_array_equal(weight.data, 1)


def test_a_rate_that_decays_in_the_function_by_hand_is_refused():
    weight = cr.tensor(np.ones(4, np.float32), requires_grad=True)
    rule = optim.SGD([weight], lr=0.1)

    @cr.compile
    def step(x):
        (weight * x).sum().backward()
        rule.step()
        rule.param_groups[0]["lr"] *= 0.5

    with pytest.raises(TraceError, match="step an optim.lr_scheduler"):
        step(X)


def test_options_that_a_function_does_not_use_are_no_premise():
    weight = cr.tensor(np.ones(4, np.float32), requires_grad=True)
    rule = optim.SGD([weight], lr=0.1)

    @cr.compile
    def gradients(x):
        rule.zero_grad()
        loss = (weight * x).sum()
        loss.backward()
        return loss

    for rate in (0.1, 0.2, 0.3):
        rule.param_groups[0]["lr"] = rate
        gradients(X)
    assert gradients.traces == 1
