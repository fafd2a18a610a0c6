"""What an epoch tells meanwhile and leaves behind, wherever its batches are run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.compiler import programs

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.cpu import chunks
from chainrule.errors import ArgumentError, GraphError, IndexRangeError

X = np.random.default_rng(0).standard_normal((90, 6)).astype(np.float32)


def training(scheduled: bool) -> Any:
    cr.random.seed(0)
    model = nn.Linear(6, 6)
    rule = optim.SGD(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.StepLR(rule, step_size=5)

    def step(x: Any, y: Any) -> Any:
        rule.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        rule.step()
        if scheduled:
            schedule.step()
        return loss

    return step


@pytest.mark.parametrize("scheduled", [True, False])
@pytest.mark.parametrize("batch_size", [10, 12, 100])
def test_every_kind_of_batch_is_reported(
    batch_size: int, scheduled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, seen, last = cr.compile(training(scheduled)), [], []
    count = -(-len(X) // batch_size)
    for _ in range(2):
        step.epoch(X, X, batch_size, report=last.append)
    assert last.count(count) == 2  # the end is told, however soon it comes
    monkeypatch.setattr(chunks, "_REPORT", 0)
    losses = step.epoch(X, X, batch_size, report=seen.append)
    assert seen == sorted(set(seen)) and seen[-1] == count == len(losses)
    if scheduled:  # all of them run in Python
        assert seen == list(range(1, count + 1))
    elif len(X) % batch_size and count > 1:  # the last one does
        assert seen[-2] == count - 1


def test_reports_are_seldom() -> None:
    step, seen = cr.compile(training(True)), []
    step.epoch(X, X, 1)
    step.epoch(X, X, 1, report=seen.append)
    assert len(seen) < 10 and seen[-1] == 90


@pytest.mark.parametrize("chunk", [0.0, 1.0])  # every iteration by itself, or most of them at once
@pytest.mark.parametrize("batch_size", [10, 12])
def test_gradients_are_those_of_the_last_batch(
    batch_size: int, chunk: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights' gradients are stored in the last iteration only: before, nobody can look at them."""
    monkeypatch.setattr(chunks, "_CHUNK", chunk)
    models = [nn.Sequential(nn.Linear(6, 33), nn.ReLU(), nn.Linear(33, 6)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    rules = [optim.SGD(model.parameters(), lr=0.05, momentum=0.9) for model in models]

    eager, step = (
        programs.training(*each, nn.functional.mse_loss) for each in zip(models, rules, strict=True)
    )
    compiled = cr.compile(step)

    def agree() -> None:
        for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
            np.testing.assert_allclose(a.grad.data, b.grad.data, rtol=1e-4, atol=1e-6)

    for _ in range(3):
        for start in range(0, len(X), batch_size):
            eager(X[start : start + batch_size], X[start : start + batch_size])
        compiled.epoch(X, X, batch_size, shuffle=False)
        agree()
        eager(X[:batch_size], X[:batch_size])
        compiled(X[:batch_size], X[:batch_size])
        agree()


def test_what_is_watched_is_that_of_the_last_batch() -> None:
    w = cr.tensor(np.ones(6, np.float32))

    @cr.compile
    def step(x, y):
        hidden = x * w
        hidden.name = "hidden"
        return (hidden * y).sum()

    step.epoch(X, X, 10)
    step.watch("hidden")
    for _ in range(3):
        step.watched.clear()
        step.epoch(X, X, 10, shuffle=False)
        np.testing.assert_array_equal(step.watched["hidden"].data, X[-10:])
    step.epoch(X, X, 12, shuffle=False)
    np.testing.assert_array_equal(step.watched["hidden"].data, X[-6:])


WRONG = {
    "rows of several lengths": (([[1.0, 2.0], [3.0]], [0, 1], 2), {}, "x is no array of rows"),
    "a number": ((X, 3, 2), {}, "y is a single number"),
    "another length": ((X, X[:5], 2), {}, "x has 90 rows but y has 5"),
    "no batch": ((X, X, 0), {}, "batch_size must be an integer of at least 1, got 0"),
    "half an epoch": ((X, X, 10), {"epoch": 1.5}, "epoch must be an integer of at least 0, got 1.5"),
    "an epoch before the first": (
        (X, X, 10),
        {"epoch": -1},
        "epoch must be an integer of at least 0, got -1",
    ),
    "half a seed": ((X, X, 10), {"seed": 0.5}, "seed: must be an integer in"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_epoch_cannot_be_made_of_is_refused(name: str) -> None:
    given, options, text = WRONG[name]
    with pytest.raises(ArgumentError, match=text):
        cr.compile(training(False)).epoch(*given, **options)


def test_an_older_graph_does_not_go_on_after_an_epoch_that_was_broken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunks, "_REPORT", 0)
    w = cr.tensor(np.ones(3, np.float32), requires_grad=True)

    @cr.compile
    def step(x: Any, y: Any) -> Any:
        w.assign(w + x.sum())
        return w[y].sum()

    places = np.zeros(40, np.int64)
    step.epoch(X[:40], places, 4)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    places[30] = 3
    for report, error in ((stop, KeyboardInterrupt), (None, IndexRangeError)):
        older, before = (w * w).sum(), w.tolist()
        with pytest.raises(error):
            step.epoch(X[:40], places, 4, shuffle=False, report=report)
        assert w.tolist() != before
        with pytest.raises(GraphError, match="changed in place"):
            older.backward()
