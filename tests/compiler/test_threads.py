"""Threads that run a program together: the same bits, company, forks, and the end of the process."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from tests.compiler.programs import PROGRAMS
from tests.compiler.small_kernels import Turn
from tests.compiler.test_native import buffers, ring, ring_in_numpy

import chainrule as cr
from chainrule.compiler.cpu import chunks, native, schedule, team
from chainrule.compiler.cpu.native import Native, addresses
from chainrule.compiler.cpu.product.kernel import Product
from chainrule.compiler.cpu.product.matrix import Matrix
from chainrule.compiler.cpu.schedule import Call, Place
from chainrule.compiler.cpu.target import target
from chainrule.core import threads
from chainrule.errors import ArgumentError

SIZE, MUCH = 240, 10**6


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "_asked", None)
    yield
    team._present.dismiss()


def expected(turns: int) -> np.ndarray:
    return ring_in_numpy(np.arange(SIZE, dtype=np.float32), turns)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_barriers_keep_the_order_for_any_number_of_threads(number: int) -> None:
    cr.set_num_threads(number)
    arrays, table = buffers(SIZE)
    native = Native(ring(MUCH, SIZE), target())
    for turn in range(0, 60, 6):
        native.run(table, turn, turn + 6)
    if number > 1:
        assert team._present.team.threads == number
    assert np.array_equal(arrays[0], expected(60))


def test_products_have_the_same_bits_for_any_number_of_threads() -> None:
    rng, n = np.random.default_rng(0), 130
    plain = Matrix(n, n, n, 1)
    product = Product(1, plain, plain, plain, "float32")
    calls = [
        Call(product, (Place(0), Place(1), Place(2)), (2,)),
        Call(Turn(n * n, MUCH), (Place(2), Place(1)), (1,)),
        Call(product, (Place(1), Place(2), Place(0)), (2,)),
    ]
    native, results = Native(calls, target()), []
    given = [(rng.standard_normal((n, n)) / n**0.5).astype(np.float32) for _ in range(3)]
    for number in (1, 2, 4):
        cr.set_num_threads(number)
        arrays = [each.copy() for each in given]
        native.run([each.ctypes.data for each in arrays], 0, 3)
        results.append(arrays[0].tobytes())
    assert len(set(results)) == 1
    assert results[0] != given[0].tobytes()


@pytest.mark.parametrize("name", ["perceptron_adam", "dropout", "convolution", "convolution_odd"])
def test_programs_cut_everywhere_have_the_same_bits(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(schedule, "_SMALL", -1.0)  # nothing is too small to be shared
    monkeypatch.setattr(native, "_SHORT", -1.0)
    monkeypatch.setattr(native, "_WAKE", -float("inf"))
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("cache")))
    build, arrays = PROGRAMS[name]
    seen = set()
    for number in (2, 1, 4):
        cr.set_num_threads(number)
        compiled = cr.compile(build())
        seen.add(b"".join(compiled(*arrays).data.tobytes() for _ in range(4)))
        assert number in (1, team._present.team.threads)
    assert len(seen) == 1


def test_the_number_of_threads_may_change_between_runs() -> None:
    arrays, table = buffers(SIZE)
    native = Native(ring(MUCH, SIZE), target())
    for turn, number in enumerate((2, 1, 4, 1, 3, 2)):
        cr.set_num_threads(number)
        native.run(table, turn, turn + 1)
        assert number in (1, team._present.team.threads)
    assert np.array_equal(arrays[0], expected(6))


def test_a_compiled_function_takes_threads_that_were_asked_for_after_its_first_run() -> None:
    x = np.ones((500, 500), np.float32)
    f = cr.compile(lambda a: cr.tanh(a @ a))
    for number in (1, 2, 3):
        cr.set_num_threads(number)
        for _ in range(3):
            assert f(x).data[0, 0] == 1
        assert number in (1, getattr(team._present.team, "threads", None))


def test_an_epoch_goes_on_where_more_threads_are_asked_for_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunks, "_REPORT", 0)  # however quick the machine is
    w, runs = cr.tensor(np.zeros((900, 900), np.float32)), []

    @cr.compile
    def step(x, y):
        w.assign(w + x.T @ x / 8)
        return (w[0, 0] + 0 * y[0]).reshape(())

    def more(done: int) -> None:
        runs.append(done)
        cr.set_num_threads(2)

    cr.set_num_threads(1)
    count = 400
    losses = step.epoch(np.ones((8 * count, 900), np.float32), np.zeros(8 * count), 8, report=more)
    assert losses[-1] == count and runs[0] < runs[-1] == count


def test_a_program_that_finds_the_team_at_work_runs_alone() -> None:
    cr.set_num_threads(2)
    native = Native(ring(MUCH, SIZE), target())
    arrays, table = buffers(SIZE)
    with team._present.lock:
        native.run(table, 0, 4)
    assert team._present.team is None
    assert np.array_equal(arrays[0], expected(4))


def test_python_threads_that_run_programs_do_not_disturb_each_other() -> None:
    cr.set_num_threads(2)
    native, wrong = Native(ring(MUCH, SIZE), target()), []

    def work() -> None:
        arrays, table = buffers(SIZE)
        for turn in range(0, 40, 2):
            native.run(table, turn, turn + 2)
        wrong.extend([] if np.array_equal(arrays[0], expected(40)) else [arrays])

    workers = [threading.Thread(target=work) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert not wrong


def test_followers_that_nobody_can_wake_look_for_work_themselves() -> None:
    native = Native(ring(MUCH, SIZE), target())
    cr.set_num_threads(3)
    (arrays, table), room = buffers(SIZE), native.room()
    dozing = team.Team(3, team.Functions(futex=0))
    for turn in range(3):
        threading.Event().wait(0.02)
        dozing.run(native._together, addresses(table), room.address, turn, turn + 1)
    dozing.dismiss()
    assert np.array_equal(arrays[0], expected(3))
    assert room.done == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here")
@pytest.mark.parametrize("processors", ["all", "one"])
def test_followers_that_were_woken_may_run_where_they_might_before(processors: str) -> None:
    native, before = Native(ring(MUCH, SIZE), target()), os.sched_getaffinity(0)
    allowed = before if processors == "all" else {min(before)}  # on one, they meet the leader
    os.sched_setaffinity(0, allowed)
    try:
        cr.set_num_threads(3)
        arrays, table = buffers(SIZE)
        room = native.room()
        for turn in range(5):
            assert team.run(3, native._together, addresses(table), room.address, turn, turn + 1)
            threading.Event().wait(0.02)  # they are asleep
        followers = [each.native_id for each in team._present.team._followers]
        assert [os.sched_getaffinity(each) for each in followers] == [allowed, allowed]
    finally:
        os.sched_setaffinity(0, before)
    assert np.array_equal(arrays[0], expected(5))


def test_a_short_program_does_not_wake_a_team() -> None:
    cr.set_num_threads(2)
    _, table = buffers(SIZE)
    Native(ring(0, SIZE), target()).run(table, 0, 50)
    assert team._present.team is None


SCRIPT = """
import multiprocessing, os, sys
import chainrule as cr
from chainrule.compiler.cpu import chunks, native, schedule, team
from tests.compiler.test_threads import SIZE, MUCH, Native, buffers, expected, np, ring, target

def check():
    cr.set_num_threads(2)
    arrays, table = buffers(SIZE)
    Native(ring(MUCH, SIZE), target()).run(table, 0, 9)
    assert np.array_equal(arrays[0], expected(9))
    assert team._present.team.threads == 2

if __name__ == "__main__":
    check()
    if not os.fork():
        check()
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
    check()
    child = multiprocessing.get_context("spawn").Process(target=check)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    check()
"""


@pytest.mark.skipif(not hasattr(ctypes.pythonapi, "PyOS_AfterFork_Child"), reason="no fork here")
def test_children_make_teams_of_their_own_and_the_end_is_quiet(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True, text=True, timeout=100, check=False, env={"PYTHONPATH": "."},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_number_of_threads_is_asked_for_or_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    assert cr.get_num_threads() >= 1
    monkeypatch.setattr(threads, "_asked", None)
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "5")
    assert cr.get_num_threads() == 5
    cr.set_num_threads(np.int64(3))
    assert cr.get_num_threads() == 3


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", None])
def test_a_wrong_number_of_threads_is_refused(wrong: object) -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        cr.set_num_threads(wrong)


@pytest.mark.parametrize("wrong", ["0", "two", "-3"])
def test_a_wrong_number_in_the_environment_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", wrong)
    with pytest.raises(ArgumentError, match="CHAINRULE_NUM_THREADS"):
        cr.get_num_threads()
