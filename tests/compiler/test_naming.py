"""What a compiled function names: others that take its place are noticed, wherever they stand."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.learner import Learner

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

X = np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)
Y = np.arange(6) % 3


class Agent(Learner):
    """A learner that keeps its last loss, and can be called."""

    def plain(self, x, y):
        self.last = super().plain(x, y)
        return self.last

    step = cr.compile(plain)

    def __call__(self, x, y):
        return F.cross_entropy(F.linear(x, self.net.weight), y)


def losses(agent: Agent, step) -> list[float]:
    found = []
    for seed in (0, 1):
        agent.begin(seed)
        found += [step(X, Y).item() for _ in range(3)]
    return found


@pytest.mark.parametrize("kind", ["decorated", "bound", "called"])
def test_what_an_instance_has_may_be_replaced(kind):
    agent, twin = Agent(), Agent()
    step = {"decorated": agent.step, "bound": cr.compile(agent.plain), "called": cr.compile(agent)}[kind]
    same = twin.__call__ if kind == "called" else twin.plain
    np.testing.assert_allclose(losses(agent, step), losses(twin, same), rtol=1e-5)
    assert step.traces == 2


def test_a_result_that_is_kept_in_the_instance_needs_no_new_program():
    agent = Agent()
    for rows in (6, 3, 6, 3):
        agent.step(X[:rows], Y[:rows])
    assert agent.step.traces == 2


class Divided:
    """What is split into parts, as steps of many lines are: a method and a property beside the compiled one."""

    def __init__(self) -> None:
        self.net = nn.Linear(6, 3)

    @property
    def model(self):
        return self.net

    def scores(self, x):
        return self.model(x)

    @cr.compile
    def run(self, x):
        return self.scores(x)


def test_what_other_methods_of_an_instance_name_may_be_replaced():
    divided = Divided()
    for _ in range(2):
        np.testing.assert_allclose(divided.run(X).data, divided.net(X).data, rtol=1e-5, atol=1e-6)
        divided.net = nn.Linear(6, 3)


NET = nn.Linear(6, 3)


def test_what_functions_inside_of_it_name_may_be_replaced(monkeypatch):
    several = cr.compile(lambda x: cr.stack([NET(x) for _ in range(2)]))
    slope = cr.compile(lambda x: cr.grad(lambda y: NET(y).sum())(x) * 1)
    for _ in range(2):
        np.testing.assert_allclose(several(X).data[1], NET(X).data, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(slope(X).data[1], NET.weight.data.sum(axis=0), rtol=1e-5, atol=1e-6)
        monkeypatch.setitem(globals(), "NET", nn.Linear(6, 3))


def test_functions_that_are_wrapped_are_looked_into():
    net = nn.Linear(6, 3)

    @cr.compile
    @cr.no_grad()
    def predict(x):
        return F.linear(x, net.weight)

    slope = cr.compile(cr.grad(lambda x: F.linear(x, net.weight).sum()))
    for _ in range(2):
        np.testing.assert_allclose(predict(X).data, X @ net.weight.data.T, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(slope(X).data[0], net.weight.data.sum(axis=0), rtol=1e-5, atol=1e-5)
        net = nn.Linear(6, 3)


def test_modules_among_the_arguments_are_looked_into():
    net = nn.Linear(6, 3)
    f = cr.compile(lambda model, x: F.linear(x, model.weight))
    for _ in range(2):
        np.testing.assert_allclose(f(net, X).data, X @ net.weight.data.T, rtol=1e-5, atol=1e-5)
        net.weight = nn.Parameter(np.ones((3, 6), np.float32))
