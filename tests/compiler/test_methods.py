"""Compiled methods: each instance has programs of its own, which are not in the way of copies of it."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from tests.compiler.learner import Learner

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
Y = np.arange(40) % 3


class Louder(Learner):
    @cr.compile
    def step(self, x, y):
        return super().step(x, y) * 2


class Noisy(nn.Module):
    """A module whose forward is compiled and asks for the mode itself."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 3)

    @cr.compile
    def forward(self, x):
        return F.dropout(self.linear(x), 0.5, self.training)


class Holding(nn.Module):
    """A module that holds what is compiled of its own method, and of another module."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.fast = cr.compile(self.plain)
        self.inner = cr.compile(self.linear)

    def plain(self, x):
        return self.linear(x)


class Narrow:
    __slots__ = ("factor",)

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @cr.compile
    def times(self, x):
        return x * self.factor


class Wide:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @cr.compile
    def times(self, x):
        return x * self.factor


@cr.compile
def double(x):
    return x * 2


def test_each_instance_has_its_own():
    one, two, eager = Learner(0), Learner(1), Learner(0)
    for _ in range(3):
        found = one.step(X, Y).item()
        two.step(X, Y)
        np.testing.assert_allclose(found, eager.plain(cr.tensor(X), cr.tensor(Y)).item(), rtol=1e-5)
    assert one.step is one.step and one.step is not two.step
    assert one.step.traces == 1 and Learner.step.traces == 0
    losses = two.step.epoch(X, Y, 8)
    assert len(losses) == 5 and losses[-1] < losses[0]


def test_classes_of_one_name_keep_their_methods_apart():
    def derived(base: type) -> type:
        class Same(base):
            @cr.compile
            def times(self, x):
                return super().times(x) * 2

        return Same

    many = derived(derived(Wide))(3)
    for _ in range(2):
        np.testing.assert_array_equal(many.times(X).data, X * 12)


def test_super_calls_the_other_one():
    one, louder = Learner(0), Louder(0)
    for _ in range(3):
        np.testing.assert_allclose(louder.step(X, Y).item(), 2 * one.step(X, Y).item(), rtol=1e-6)
    assert louder.step.traces == 1


def test_the_mode_of_a_module_with_a_compiled_forward():
    net = Noisy()
    assert (net(X).data == 0).mean() > 0.3
    net.eval()
    np.testing.assert_allclose(net(X).data, net.linear(X).data, rtol=1e-5)
    net.train()
    assert (net(X).data == 0).mean() > 0.3


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy])
def test_copies_compute_with_their_own_weights(copied):
    net = Noisy().eval()
    net(X)
    other = copied(net)
    other.linear = copy.deepcopy(net.linear)
    other.linear.weight.assign(0)
    other.linear.bias.assign(1)
    np.testing.assert_array_equal(other(X).data, np.ones((40, 3), np.float32))
    assert np.abs(net(X).data - 1).max() > 0.1


def test_instances_are_freed_and_need_no_place_for_attributes():
    one = Learner()
    one.step(X, Y)
    seen = weakref.ref(one)
    del one
    gc.collect()
    assert seen() is None
    np.testing.assert_array_equal(Narrow(3).times(X).data, X * 3)
    np.testing.assert_array_equal(Narrow(4).times(X).data, X * 4)


def test_pickled_by_name_and_made_anew():
    double(X)
    assert pickle.loads(pickle.dumps(double)) is double  # noqa: S301
    assert copy.deepcopy(double) is double
    wide = Wide(3)
    wide.times(X)
    wide.factor, again = 5, pickle.loads(pickle.dumps(wide))  # noqa: S301
    again.factor = 7
    np.testing.assert_array_equal(again.times(X).data, X * 7)


def pickled(each):
    return pickle.loads(pickle.dumps(each))  # noqa: S301


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_what_a_module_holds_is_copied_with_it(copied):
    net = Holding()
    before = net.fast(X).data, net.inner(X).data
    other = copied(net)
    other.linear.weight.assign(0)
    other.linear.bias.assign(1)
    for found in (other.fast(X), other.inner(X)):
        np.testing.assert_array_equal(found.data, np.ones((40, 3), np.float32))
    np.testing.assert_array_equal(net.fast(X).data, before[0])
    np.testing.assert_array_equal(net.inner(X).data, before[1])
    assert other.fast.traces == net.fast.traces == 1
