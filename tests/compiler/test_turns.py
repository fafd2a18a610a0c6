"""One program serves one run at a time: threads wait, and a run asked for by a run is refused."""

from __future__ import annotations

import os
import signal
import threading
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
