"""Penalties against plain NumPy, and the lecture's own numbers."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError
from chainrule.optim import L1, L2, ElasticNet

RNG = np.random.default_rng(0)
W, V, BIAS = RNG.normal(size=(3, 4)), RNG.normal(size=(2, 3, 2, 2)), RNG.normal(size=5)


class Net:
    """All that a penalty knows of a module."""

    def __init__(self) -> None:
        self.leaves = [cr.tensor(each, requires_grad=True) for each in (W, BIAS, V)]

    def parameters(self):
        return iter(self.leaves)


@pytest.mark.parametrize(
    ("penalty", "cost", "slope"),
    [
        (L1(0.3), np.abs, np.sign),
        (L2(0.3), np.square, lambda w: 2 * w),
        (ElasticNet(0.3, 0.7), lambda w: 0.7 * w * w + np.abs(w), lambda w: 1.4 * w + np.sign(w)),
    ],
    ids=["L1", "L2", "ElasticNet"],
)
@pytest.mark.parametrize("biases", [False, True])
def test_penalty_is_strength_times_the_sum_over_weights(penalty, cost, slope, biases) -> None:
    net = Net()
    penalty.biases = biases
    value = penalty(net)
    value.backward()
    taken = [W, V, BIAS] if biases else [W, V]
    assert value.item() == pytest.approx(0.3 * sum(cost(w).sum() for w in taken))
    np.testing.assert_allclose(net.leaves[0].grad.data, 0.3 * slope(W))
    np.testing.assert_allclose(net.leaves[2].grad.data, 0.3 * slope(V))
    assert (net.leaves[1].grad is not None) == biases
    assert penalty([cr.tensor(each) for each in (W, BIAS, V)]).item() == pytest.approx(value.item())


@pytest.mark.parametrize(
    ("weights", "l2", "l1"), [([1.0, 0.0, 0.0, 0.0], 1.0, 1.0), ([0.25, 0.25, 0.25, 0.25], 0.25, 1.0)]
)
def test_the_two_weights_of_the_lecture(weights, l2, l1) -> None:
    row = [cr.tensor([weights])]
    assert (L2(1.0)(row).item(), L1(1.0)(row).item()) == (l2, l1)
    assert ElasticNet(1.0, beta=2.0)(row).item() == 2 * l2 + l1


def test_reprs_show_the_formula() -> None:
    shown = [repr(each) for each in (L1(0.1), L2(1e-4), ElasticNet(0.1, 2))]
    assert shown == ["L1: 0.1 * sum |w|", "L2: 0.0001 * sum w^2", "ElasticNet: 0.1 * sum (2 w^2 + |w|)"]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: L1(-0.1), "L1: strength must be a finite number of at least 0, got -0.1"),
        (lambda: ElasticNet(0.1, beta=-1), "ElasticNet: beta must be a finite number of at least 0, got -1"),
        (lambda: L2(0.1)([cr.ones(3)]), "L2: none of the 1 parameters has two axes: no weight to penalise"),
        (lambda: L2(0.1)(cr.ones((2, 2))), "L2: parameters come in a list, got a single tensor"),
    ],
)
def test_wrong_use_is_refused(use, message) -> None:
    with pytest.raises(ArgumentError) as caught:
        use()
    assert caught.value.headline == message
