"""A loss that is not finite: the report names the first op and the layer, forward and backward."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import NonFiniteError
from chainrule.inspect.diagnose.origin import is_finite
from chainrule.nn import functional as F
from chainrule.train import Trainer
from chainrule.train.finite import check_finite


class Net(nn.Module):
    """Two layers and one op of the user's between them."""

    def __init__(self, between: Any) -> None:
        super().__init__()
        self.first, self.between, self.head = nn.Linear(3, 4), Between(between), nn.Linear(4, 2)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return self.head(self.between(self.first(x)))


class Between(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return self.function(x)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        yield


X, Y = np.ones((6, 3), np.float32), np.array([0, 1, 0, 1, 0, 1])


def fault(between: Any, x: Any = X, spoil: str = "") -> NonFiniteError:
    cr.random.seed(0)
    net = Net(between)
    if spoil:
        net.get_parameter(spoil).data[0] = np.nan
    with np.errstate(all="ignore"):
        loss = F.cross_entropy(net(cr.Tensor(np.asarray(x, np.float32), name="x")), cr.Tensor(Y))
        loss.backward()
        with pytest.raises(NonFiniteError) as caught:
            check_finite(loss, net, " in epoch 2, iteration 7")
    return caught.value


def test_a_finite_loss_passes() -> None:
    net = Net(cr.tanh)
    loss = F.cross_entropy(net(cr.Tensor(X)), cr.Tensor(Y))
    loss.backward()
    check_finite(loss, net)


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (lambda x: cr.log(x - 100.0), "log"),
        (lambda x: cr.exp(x * 1000.0 + 1000.0), "exp"),
        (lambda x: x / (x - x), "divide"),
        (lambda x: cr.sqrt(-1.0 - x * x), "sqrt"),
    ],
)
def test_values_name_the_op_and_the_layer(function: Any, op: str) -> None:
    error = fault(function)
    assert error.headline.startswith("the loss is nan in epoch 2, iteration 7: first in ")
    assert f"{op} (layer 'between')" in error.headline
    assert "from " in error.got and error.hint


def test_harmless_infinities_are_not_blamed() -> None:
    def masked(x: cr.Tensor) -> cr.Tensor:
        hidden = cr.where(x > 0.0, x, -np.inf)
        return cr.log(cr.maximum(hidden, 0.0) - 5.0)

    assert "log (layer 'between')" in fault(masked).headline


def test_a_parameter_that_was_broken_before_is_named() -> None:
    assert "'head.weight' was not finite before" in fault(cr.tanh, spoil="head.weight").headline


def test_broken_samples_are_named() -> None:
    broken = X.copy()
    broken[2, 1] = np.inf
    error = fault(lambda x: x * 2.0, broken)
    assert "'x' of " in error.headline and "(layer 'first') holds nan or infinity" in error.headline
    assert "1 infinite" in error.got


def test_gradients_name_the_op_and_the_layer() -> None:
    # sqrt at 0 has the value 0 and an infinite slope.
    error = fault(lambda x: cr.sqrt((x - x) * 1.0))
    assert error.headline.startswith(
        "a gradient is not finite in epoch 2, iteration 7: first in the gradient"
    )
    assert "sqrt (layer 'between')" in error.headline


def test_huge_but_finite_numbers_are_finite() -> None:
    assert is_finite(np.full(10, 1e38, np.float32))
    assert not is_finite(np.array([1.0, np.nan])) and not is_finite(np.inf) and is_finite(None)


def test_training_stops_before_the_weights_are_spoilt() -> None:
    cr.random.seed(0)
    net = Net(lambda x: cr.exp(x * x * 50.0))
    trainer = Trainer(net, F.cross_entropy, optim.SGD(net.parameters(), lr=1e3))
    with pytest.raises(NonFiniteError, match=r"in epoch 1, iteration \d+: .*\(layer '"):
        trainer.fit(
            (np.random.default_rng(0).normal(size=(64, 3)), np.arange(64) % 2), epochs=3, batch_size=8
        )
    assert all(np.isfinite(each.data).all() for each in net.parameters())
