"""One program serves one run at a time: threads wait, and a run asked for by a run is refused."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.cpu import chunks
from chainrule.core.mode import mode
from chainrule.errors import TraceError

X = np.random.default_rng(0).standard_normal((4000, 300)).astype(np.float32)


def losses() -> Any:
    w = cr.tensor(np.ones((300, 20), np.float32))
    return lambda x, y: (cr.tanh(x @ w) * y[:, :20]).sum()


@pytest.mark.parametrize("way", ["call", "epoch"])
def test_what_an_epoch_reports_to_cannot_run_the_same_program(way: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chunks, "_REPORT", 0)
    step = cr.compile(losses())
    step.epoch(X[:20], X[:20], 10)
    a, b = np.full((10, 300), 7, np.float32), np.ones((10, 300), np.float32)
    calls = {"call": lambda _: step(a, b), "epoch": lambda _: step.epoch(X[:30], X[:30], 10)}
    with pytest.raises(TraceError, match="called while it runs") as caught:
        step.epoch(X, X, 10, report=calls[way])
    assert "a second time" in str(caught.value)
    assert (a == 7).all() and (b == 1).all()
    np.testing.assert_array_equal(step(a, b).data, step(a, b).data)
    assert step.epoch(X, X, 10, shuffle=False)[0] == step(X[:10], X[:10]).item()


def test_what_an_epoch_reports_to_may_run_other_programs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chunks, "_REPORT", 0)
    f = losses()
    step, other, found = cr.compile(f), cr.compile(f), []
    expected = step.epoch(X, X, 10)
    seen = step.epoch(X, X, 10, report=lambda _: found.append(other(X[:10], X[:10]).item()))
    np.testing.assert_array_equal(seen, expected)
    assert set(found) == {step(X[:10], X[:10]).item()}


def test_what_a_step_calls_back_cannot_run_the_same_program():
    again = False

    def back() -> None:
        if again:
            f(X)

    @cr.compile
    def f(x):
        if mode.trace is not None:
            mode.trace.host(back)
        return x.sum()

    expected = [f(X).item() for _ in range(2)]
    again = True
    for _ in range(2):
        with pytest.raises(TraceError, match="f: called while it runs"):
            f(X)
    again = False
    assert [f(X).item() for _ in range(2)] == expected


def test_other_threads_wait_for_an_epoch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chunks, "_REPORT", 0)
    step, found, threads = cr.compile(losses()), [], []
    step.epoch(X[:20], X[:20], 10)

    def report(_: int) -> None:
        if not threads:
            threads.append(threading.Thread(target=lambda: found.append(step(X[:10], X[:10]).item())))
            threads[0].start()
            threads[0].join(0.05)
            assert not found

    step.epoch(X, X, 10, report=report)
    threads[0].join()
    assert found == [step(X[:10], X[:10]).item()]


def child(work: Any) -> int:
    """Return how a fork that does some work ends: 0, or what stopped it."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            signal.alarm(20)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # threads are what this is about
def test_a_child_need_not_wait_for_a_thread_that_stayed_behind():
    f, inside, go_on = losses(), threading.Event(), threading.Event()
    step = cr.compile(f)
    a, b = X[:10], np.ones((10, 300), np.float32)
    expected = step(a, b).item()

    def report(_: int) -> None:
        inside.set()
        go_on.wait(30)

    thread = threading.Thread(target=step.epoch, args=(X, X, 10), kwargs={"report": report})
    thread.start()
    inside.wait(10)

    def work() -> None:
        for _ in range(3):
            assert step(a, b).item() == expected
        assert step.epoch(a, b, 10, shuffle=False).tolist() == [expected]

    assert child(work) == 0
    go_on.set()
    thread.join()
    assert step(a, b).item() == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_turn_stays_that_of_the_thread_that_forks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chunks, "_REPORT", 0)
    step, codes = cr.compile(losses()), []
    expected = step.epoch(X, X, 10)

    def refused() -> None:
        with pytest.raises(TraceError, match="called while it runs"):
            step(X[:10], X[:10])

    def report(_: int) -> None:
        if not codes:
            codes.append(child(refused))

    np.testing.assert_array_equal(step.epoch(X, X, 10, report=report), expected)
    assert codes == [0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_can_compile_where_another_thread_was_compiling(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    ends, begun = threading.Event(), threading.Event()

    def compiling() -> None:
        for size in itertools.count(1):
            begun.set()
            cr.compile(lambda x, size=size: (cr.tanh(x @ x.T) * size).sum())(X[:size, :17])
            if ends.is_set():
                return

    thread = threading.Thread(target=compiling)
    thread.start()
    begun.wait(10)
    for number in range(5):
        time.sleep(0.003 * number)
        f = cr.compile(lambda x, number=number: (cr.exp(x) * number).sum())
        assert child(lambda f=f: f(X[:3])) == 0
    ends.set()
    thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("inside", [False, True])
def test_a_child_has_the_gradients_from_before_a_trace_that_stayed_behind(inside: bool):
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    traced, go_on, codes = threading.Event(), threading.Event(), []

    def work() -> None:
        assert w.grad.tolist() == [2, 4]
        assert cr.compile(lambda x: x + 1)(X).shape == X.shape

    @cr.compile
    def step(x):
        (w * x).sum().backward()
        if inside:
            codes.append(child(lambda: None))
        traced.set()
        go_on.wait(20)
        return x

    thread = threading.Thread(target=step, args=(np.ones(2, np.float32),))
    thread.start()
    traced.wait(20)
    codes.append(child(work))
    go_on.set()
    thread.join()
    assert set(codes) == {0} and w.grad.tolist() == [3, 5]
