"""The trainer's compiled step against its eager one: the same numbers, and the same complaints."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import NonFiniteError, TraceError
from chainrule.nn import functional as F
from chainrule.train import Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 1, 8, 8)).astype(np.float32)
Y = RNG.integers(0, 3, 50)


def net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(36, 3),
    )  # fmt: skip


def trained(compile, optimizer):
    cr.random.seed(1)
    model = net()
    rule = getattr(optim, optimizer)(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(rule, 20)
    trainer = Trainer(model, F.cross_entropy, rule, optim.L1(1e-3), schedule=schedule, compile=compile)
    history = trainer.fit((X, Y), (X[:10], Y[:10]), epochs=3, batch_size=16)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    return rows, [each.data for each in model.state_dict().values()], cr.random.get_state()


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_the_same_numbers(optimizer):
    one, two = trained(True, optimizer), trained(False, optimizer)
    assert one[2] == two[2]  # the same draws
    for row, other in zip(one[0], two[0], strict=True):
        assert row == pytest.approx(other, rel=2e-5)
    for a, b in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compile", [True, False])
def test_what_is_not_finite_is_named_before_the_update(compile):
    cr.random.seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
    trainer = Trainer(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), compile=compile)
    x, y = np.ones((8, 2), np.float32), np.arange(8) % 2
    trainer.fit((x, y), epochs=1, batch_size=4)
    model[1].weight.data[0, 0] = np.inf
    before = model[0].weight.data.copy()
    with pytest.raises(NonFiniteError) as caught:
        trainer.fit((x, y), epochs=1, batch_size=4)
    assert "1.weight" in str(caught.value)
    np.testing.assert_array_equal(model[0].weight.data, before)


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        y = self.linear(x)
        return y if y.sum() > 0 else -y


def test_a_model_that_looks_at_values_is_told_how_to_go_on():
    model = Deciding()
    data = np.ones((8, 2), np.float32), np.arange(8) % 2
    options = (model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TraceError) as caught:
        Trainer(*options).fit(data)
    assert "Trainer(compile=False)" in caught.value.hint
    assert len(Trainer(*options, compile=False).fit(data)) == 1
