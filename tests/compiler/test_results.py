"""What a compiled call leaves in `.grad`: as if every gradient had been made at once."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ArgumentError

SIZES = [3, 5000]  # gradients that are made when they are read, and those that are made at once


def backward(size: int):
    """Return a parameter and a compiled function that leaves x + its value in its gradient."""
    w = nn.Parameter(np.ones(size, np.float32))

    @cr.compile
    def f(x):
        w.grad = None
        (w * x + 0.5 * w * w).sum().backward()

    return w, f


@pytest.mark.parametrize("size", SIZES)
def test_gradients_are_arrays_of_their_own_that_stay(size: int) -> None:
    w, f = backward(size)
    kept = []
    for value in range(4):
        f(np.full(size, value, np.float32))
        assert w.grad is w.grad
        kept.append(w.grad)
    assert [each.data[-1] for each in kept] == [1, 2, 3, 4]
    assert all(each.data.flags.writeable for each in kept)
    assert not any(np.shares_memory(a.data, b.data) for a, b in itertools.combinations(kept, 2))
    f(np.zeros(size, np.float32))
    w.grad.data[...] = 7  # as clipping does
    assert w.grad.data[0] == 7 and w.grad.requires_grad is False and w.grad.is_leaf
    assert copy.deepcopy(w).grad is None


@pytest.mark.parametrize("size", SIZES)
def test_a_gradient_that_was_set_stays_set(size: int) -> None:
    w, f = backward(size)
    x = np.zeros(size, np.float32)
    f(x)
    w.grad = None
    assert w.grad is None
    f(x)
    f(x)
    w.grad = mine = cr.zeros(size)
    assert w.grad is mine


@pytest.mark.parametrize("size", SIZES)
def test_other_compiled_functions_find_the_gradient(size: int) -> None:
    w, f = backward(size)
    double = cr.compile(lambda: w.grad * 2)
    more = cr.compile(lambda x: (w * x).sum().backward())
    for value in (1, 5):
        f(np.full(size, value, np.float32))
        assert double().data[0] == 2 * (value + 1)
        assert w.grad.data[0] == value + 1
        more(np.full(size, 10, np.float32))
        assert w.grad.data[0] == value + 11
    assert (double.traces, more.traces) == (1, 1)


def test_a_gradient_is_older_than_what_comes_after_it() -> None:
    w, f = backward(3)
    f(np.ones(3, np.float32))
    later = w * 1
    assert w.grad.serial < later.serial


def test_threads_that_read_a_gradient_get_the_same() -> None:
    w, f = backward(3)
    for _ in range(200):
        f(np.ones(3, np.float32))
        found: list[object] = []
        start = threading.Barrier(3)

        def read(start=start, found=found) -> None:
            start.wait()
            found.append(w.grad)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len({id(each) for each in found}) == 1


@pytest.mark.parametrize("size", SIZES)
def test_arguments_are_read_as_they_are_at_the_call(size: int) -> None:
    f = cr.compile(lambda x: x + 1)
    x = np.zeros(size, np.float32)
    odd = [x, x[::-1], np.zeros(2 * size, np.float32)[::2], x.astype(">f4"), x.copy()]
    odd[-1].flags.writeable = False
    for value, each in enumerate(odd):
        if each.flags.writeable:
            each[...] = value
        assert set(f(each).tolist()) == ({value + 1} if each.flags.writeable else {1})


@pytest.mark.parametrize("size", SIZES)
def test_an_argument_may_become_the_memory_of_what_is_written(size: int) -> None:
    w = cr.tensor(np.zeros(size, np.float32))

    @cr.compile
    def f(x):
        w.assign(x[::-1] + 1)
        return x.sum()

    x = np.arange(size, dtype=np.float32)
    total = float(x.sum())
    f(x)
    assert f(x).item() == pytest.approx(total)
    w.data = x  # both are the same memory from now on
    assert f(x).item() == pytest.approx(total)
    assert x.tolist() == list(range(size, 0, -1))


def test_states_that_share_memory_are_refused() -> None:
    memory = np.zeros(4, np.float32)
    one, two = cr.tensor(0.0), cr.tensor(0.0)
    one.data, two.data = memory[:3], memory[1:]

    @cr.compile
    def f(x):
        one.assign(x + two)

    with pytest.raises(ArgumentError, match="share memory"):
        f(np.ones(3, np.float32))


@pytest.mark.parametrize(
    "part", [lambda a: a[:2], lambda a: a.reshape(-1), lambda a: a.T[5:], memoryview, lambda a: a[::2, ::3]]
)
def test_a_part_of_a_large_result_holds_its_memory(part):
    """NumPy's views hold the memory an array lies in, not the array."""
    x = np.ones((300, 200), np.float32)
    f = cr.compile(lambda a: a * 2)
    kept = [part(f(x * number).data) for number in range(4)]
    assert [np.asarray(each).min() for each in kept] == [0, 2, 4, 6]
    assert [np.asarray(each).max() for each in kept] == [0, 2, 4, 6]
    again = {f(x).data.ctypes.data for _ in range(6)}
    assert len(again) <= 2  # what nobody holds any more is used again


def test_gradients_are_pickled_with_their_leaves() -> None:
    model = nn.Linear(3, 2)

    @cr.compile
    def step(x):
        model.zero_grad()
        (model(x) ** 2).sum().backward()

    step(np.ones((2, 3), np.float32))
    other, alone = pickle.loads(pickle.dumps((model, model.bias)))  # noqa: S301
    assert other.bias is alone and len(pickle.dumps(model.bias)) < 1000
    for leaf, mine in zip(other.parameters(), model.parameters(), strict=True):
        np.testing.assert_array_equal(leaf.grad.data, mine.grad.data)
        assert leaf.grad is leaf.grad and leaf.grad is not mine.grad


def test_results_that_are_no_tensors_are_the_callers_own_too():
    f = cr.compile(lambda x: (np.arange(3), {1}, bytearray(2), {"a": [np.ones(2)]}, x + 1))
    for _ in range(3):
        array, numbers, memory, nested, _ = f(np.ones(2))
        assert (array.tolist(), numbers, memory, nested["a"][0].tolist()) == ([0, 1, 2], {1}, b"\0\0", [1, 1])
        array[:], memory[:], nested["a"][0][:] = 7, b"aa", 7
        numbers.add(7)
    alone = cr.compile(lambda x: np.zeros(2))
    alone(np.ones(2))[:] = 7
    assert alone(np.ones(2)).tolist() == [0, 0]
