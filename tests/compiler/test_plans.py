"""Which programs of a compiled function are kept."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler import jit


@pytest.mark.filterwarnings("ignore:.*was traced")
@pytest.mark.parametrize("limits", [{"_KEPT": 3}, {"_MANY": 3, "_BYTES": 0}])
def test_the_programs_of_models_that_are_gone_do_not_stay_for_ever(limits, monkeypatch):
    for name, value in limits.items():
        monkeypatch.setattr(jit, name, value)

    @cr.compile
    def step(model, optimizer, x):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    x, models = np.ones((2, 3), np.float32), []
    first = nn.Linear(3, 2)
    rule = optim.Adam(first.parameters())
    for _ in range(6):
        model = nn.Linear(3, 2)
        for _ in range(2):
            step(model, optim.SGD(model.parameters(), lr=0.1), x)
            step(first, rule, x)
        models.append(weakref.ref(model))
    del model
    gc.collect()
    assert sum(ref() is not None for ref in models) <= 2
    traces = step.traces
    assert step(first, rule, x).item() > step(first, rule, x).item()
    assert step.traces == traces


@pytest.mark.parametrize("place", ["closure", "globals"])
def test_a_model_or_tensor_that_takes_the_place_of_another_is_noticed(place):
    if place == "closure":
        model = shift = rule = None

        def step(x):
            rule.zero_grad()
            loss = (model(x) + shift).sum()
            loss.backward()
            rule.step()
            return loss

        def put(*new):
            nonlocal model, shift, rule
            model, shift, rule = new
    else:
        names: dict = {}
        code = "rule.zero_grad(); loss = (model(x) + shift).sum(); loss.backward(); rule.step(); return loss"
        exec(f"def step(x): {code}", names)
        step = names["step"]

        def put(*new):
            names.update(zip(("model", "shift", "rule"), new, strict=True))

    def losses(f, number):
        cr.random.seed(number)
        made = nn.Linear(3, 2)
        put(made, cr.full(2, float(number)), optim.SGD(made.parameters(), lr=0.1))
        return [f(x).item() for _ in range(3)]

    compiled, x = cr.compile(step), cr.tensor(np.ones((2, 3), np.float32))
    for number in range(3):
        np.testing.assert_allclose(losses(compiled, number), losses(step, number), rtol=1e-5)
