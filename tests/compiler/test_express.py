"""The usual call of a compiled function: nothing is taken for usual that is not."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import TraceError


class Derived(np.ndarray):
    """An array of a class of its own."""


def test_the_usual_call_is_left_where_anything_differs() -> None:
    w = cr.tensor(np.arange(3, dtype=np.float32), requires_grad=True)
    f = cr.compile(lambda x, y: (x * w + y).sum())
    x, y = np.ones((2, 3), np.float32), np.full(3, 2, np.float32)
    plain = f(x, y).item()
    assert [f(x, y).item(), f(cr.tensor(x), y).item(), f(x.view(Derived), y).item()] == [plain] * 3
    assert f(x.astype(np.float64), y).item() == plain
    assert f(x[:1], y).item() == plain / 2
    assert f(x, y=y).item() == plain
    assert f(x, np.float32(2)).item() == plain
    traced = f.traces
    with cr.no_grad():
        assert f(x, y).item() == plain
    assert f.traces == traced + 1  # what is recorded is another program
    with pytest.raises(TraceError, match="gradient of an argument"):
        f(cr.tensor(x, requires_grad=True), y)
    assert f(x, y).item() == plain


def test_captured_arrays_may_be_exchanged_changed_and_no_longer_tracked() -> None:
    w = cr.tensor(np.arange(3, dtype=np.float32), requires_grad=True)
    f = cr.compile(lambda x, y: (x * w + y).sum())
    x, y = np.ones((2, 3), np.float32), np.full(3, 2, np.float32)
    assert f(x, y).item() == f(x, y).item() == float((x * np.arange(3) + y).sum())
    w.data = 2 * w.data
    doubled = float((2 * x * np.arange(3) + y).sum())
    assert [f(x, y).item(), f(x, y).item()] == [doubled, doubled]
    w.data[...] = 0
    assert f(x, y).item() == y.sum() * 2
    w.requires_grad = False
    assert f(x, y).item() == y.sum() * 2
    with pytest.raises(TypeError, match="argument"):
        f(x, y, y)


@pytest.mark.parametrize("way", ["error", "epoch"])
def test_arrays_put_back_after_others_were_held_are_the_ones_that_are_read(way: str) -> None:
    w = cr.tensor(np.arange(3, dtype=np.float32))
    f = cr.compile(lambda x, places: (w[places] * x).sum())
    x, places = np.ones(2, np.float32), np.array([1, 2])
    assert f(x, places).item() == f(x, places).item() == 3
    f.epoch(x, places, 2)
    mine = w.data
    w.data = mine + 10
    if way == "error":
        with pytest.raises(cr.errors.IndexRangeError):
            f(x, np.array([1, 3]))
    else:
        assert f.epoch(np.ones(4, np.float32), np.array([1, 2, 1, 2]), 2, shuffle=False).tolist() == [23, 23]
    w.data = mine
    assert f(x, places).item() == 3


def test_calls_without_arguments_and_without_results() -> None:
    count = cr.tensor(np.zeros(2, np.float32))

    @cr.compile
    def step() -> None:
        count.assign(count + 1)

    assert [step(), step(), step()] == [None, None, None]
    assert count.tolist() == [3.0, 3.0]
    held = count.data
    count.data = np.full(2, 10, np.float32)
    assert [step(), step()] == [None, None]
    assert count.tolist() == [12.0, 12.0]
    assert held.tolist() == [3.0, 3.0]


def test_results_of_the_usual_call_are_arrays_of_their_own() -> None:
    f = cr.compile(lambda x: (x + 1, {"twice": x * 2}))
    big = cr.compile(lambda x: x + 1)
    x = np.zeros(3000, np.float32)
    for size in (3, 3000):
        found = [f(x[:size] + i) for i in range(4)]
        assert [(one.tolist()[0], more["twice"].tolist()[0]) for one, more in found] == [
            (i + 1.0, 2.0 * i) for i in range(4)
        ]
    held = [big(x + i) for i in range(5)]
    assert [each.tolist()[-1] for each in held] == [1.0, 2.0, 3.0, 4.0, 5.0]
