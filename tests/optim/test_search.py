"""Random search and numerical gradient descent, against the same written in plain NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stream import Stream
from chainrule.errors import ArgumentError
from chainrule.optim import NumericalGradientDescent, RandomSearch

GOAL = np.array([[0.5, -1.0, 2.0]], np.float32)


def distance(w):
    return ((w - GOAL) ** 2).sum()


def plain_search(start, tries, scale, local, seed):
    """The lecture's loop."""
    stream, best, history = Stream(seed), start, []
    best_loss = float(distance(start)) if local else math.inf
    for _ in range(tries):
        drawn = stream.normal(start.shape, 0.0, scale, np.float32)
        tried = best + drawn if local else drawn
        if float(distance(tried)) < best_loss:
            best, best_loss = tried, float(distance(tried))
        history.append(best_loss)
    return best, history


@pytest.mark.parametrize("local", [False, True])
def test_random_search_is_the_lecture_s_loop(local) -> None:
    search = RandomSearch((1, 3), distance, scale=0.5, tries=50, seed=3, local=local)
    best, history = plain_search(np.zeros((1, 3), np.float32), 50, 0.5, local, 3)
    assert search.run() == search.best_loss == history[-1]
    assert search.history == history == sorted(history, reverse=True)
    np.testing.assert_array_equal(search.best.data, best)


@pytest.mark.parametrize("local", [False, True])
def test_parameters_hold_the_best_values_at_the_end(local) -> None:
    w = cr.tensor(np.ones((1, 3), np.float32), requires_grad=True)
    b = cr.tensor(np.ones(2, np.float32), requires_grad=True)
    array = w.data
    search = RandomSearch([w, b], lambda: distance(w) + (b * b).sum(), scale=0.3, tries=40, local=local)
    start = (distance(w) + (b * b).sum()).item()
    best = search.run()
    assert w.data is array
    assert (distance(w) + (b * b).sum()).item() == pytest.approx(best)
    assert len(search.history) == 40 and (best < start or not local)
    assert [each.shape for each in search.best] == [(1, 3), (2,)]
    further = search.run()
    assert len(search.history) == 80 and further <= best


def test_a_loss_that_is_not_a_number_is_never_the_best() -> None:
    losses = iter([math.nan, 3.0, math.nan, 2.0])
    search = RandomSearch((2,), lambda w: next(losses), tries=4)
    assert search.run() == 2.0
    assert search.history == [math.inf, 3.0, 3.0, 2.0]


def test_no_seed_draws_from_the_default_stream() -> None:
    found = []
    for _ in range(2):
        cr.random.seed(5)
        search = RandomSearch((1, 3), distance, tries=3, seed=None)
        found.append((search.run(), cr.random.get_state()))
    assert found[0] == found[1] and found[0][1] != (5, 0, 0)


def test_numerical_descent_is_analytic_descent_on_a_small_net() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(5, 2)).astype(np.float32)
    start = [rng.normal(size=(3, 2)).astype(np.float32), np.zeros(2, np.float32)]
    params = [cr.tensor(each, requires_grad=True) for each in start]

    def loss():
        return ((cr.tanh(x @ params[0] + params[1]) - y) ** 2).sum()

    w, b = (each.astype(np.float64) for each in start)
    optimizer = NumericalGradientDescent(params, lr=0.05)
    for _ in range(10):
        out = np.tanh(x @ w + b)
        slope = 2 * (out - y) * (1 - out**2)
        before = optimizer.step(loss).item()
        assert before == pytest.approx(((out - y) ** 2).sum(), rel=1e-5)
        np.testing.assert_allclose(params[0].grad.data, x.T @ slope, rtol=1e-4, atol=1e-5)
        w, b = w - 0.05 * x.T @ slope, b - 0.05 * slope.sum(axis=0)
    np.testing.assert_allclose(params[0].data, w, rtol=1e-4)
    assert params[0].dtype == np.float32 and params[0].grad.dtype == np.float32


def test_the_parameter_s_array_is_back_even_when_the_loss_fails() -> None:
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    array, calls = w.data, iter(range(3))

    def fails():
        if next(calls) == 2:
            raise RuntimeError("on purpose")
        return (w * w).sum()

    with pytest.raises(RuntimeError, match="on purpose"):
        NumericalGradientDescent([w]).step(fails)
    assert w.data is array
    np.testing.assert_array_equal(array, [1.0, 2.0])


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: RandomSearch((2,), distance, scale=-1), "scale must be a finite number of at least 0"),
        (lambda: RandomSearch((2,), distance, tries=0), "tries must be an integer of at least 1, got 0"),
        (lambda: RandomSearch([], distance), "the list of parameters is empty"),
        (lambda: NumericalGradientDescent([cr.ones(2)], h=0.0), "h must be a finite number above 0"),
        (lambda: NumericalGradientDescent([cr.ones(2)]).step(), "step needs a closure"),
    ],
)
def test_wrong_use_is_refused(use, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        use()
