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
