"""Lists of kernel calls as one native function: order, memory, iterations, and being stopped."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from types import BuiltinFunctionType

import numpy as np
import pytest
from tests.compiler.guarded import guarded, targets
from tests.compiler.small_kernels import Scale, Turn

from chainrule.compiler.cpu.chunks import Interrupted, chunks
from chainrule.compiler.cpu.native import Native, addresses
from chainrule.compiler.cpu.rows import Gather, Record
from chainrule.compiler.cpu.schedule import Call, Place, schedule
from chainrule.compiler.cpu.target import target

SIZE = 24


def ring(claim: int = 0, size: int = SIZE) -> list[Call]:
    """x -> y = 2x + 1 -> z = y backwards -> x = z / 2 + 1."""
    return [
        Call(Scale(size, 2.0, claim=claim), (Place(0), Place(1)), (1,)),
        Call(Turn(size, claim), (Place(1), Place(2)), (1,)),
        Call(Scale(size, 0.5, claim=claim), (Place(2), Place(0)), (1,)),
    ]


def ring_in_numpy(x: np.ndarray, turns: int) -> np.ndarray:
    for _ in range(turns):
        x = ((x * 2 + 1)[::-1] * 0.5 + 1).astype(np.float32)
    return x


def buffers(size: int = SIZE) -> tuple[list[np.ndarray], list[int]]:
    made = [guarded(np.arange(size, dtype=np.float32)) for _ in range(3)]
    return made, [each.ctypes.data for each in made]


@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("turns", [0, 1, 3])
def test_calls_run_in_order_once_an_iteration(name: str, turns: int) -> None:
    arrays, table = buffers()
    Native(ring(), targets()[name]).run(table, 5, 5 + turns)
    assert np.array_equal(arrays[0], ring_in_numpy(np.arange(SIZE, dtype=np.float32), turns))


def test_equal_kernels_share_code_and_the_code_can_be_read() -> None:
    native = Native([*ring(), *ring()], target())
    assert native.ir.count("define void @scale_") == 2
    assert native.ir.count("define void @turn_") == 1
    assert len(native.kernels) == 6
    assert "ret" in native.assembly()


def test_once_keeps_what_it_works_on_and_owns_what_it_returns() -> None:
    arrays, places = buffers()
    native, table = Native(ring(), target()), addresses(places)
    once = native.once(table, native.room())
    assert isinstance(once, BuiltinFunctionType)
    del native, table
    gc.collect()
    made = once()
    before = sys.getrefcount(made)
    several = [once() for _ in range(9)]
    assert sys.getrefcount(made) == before + len(several)
    assert np.array_equal(arrays[0], ring_in_numpy(np.arange(SIZE, dtype=np.float32), 10))
    del several
    assert sys.getrefcount(made) == before


def test_a_program_without_calls_runs() -> None:
    Native([], target()).run([], 0, 3)


def test_an_epoch_gathers_rows_and_records_a_number() -> None:
    rng, rows, batch = np.random.default_rng(0), 11, 3
    source = guarded(rng.standard_normal((rows, 5)).astype(np.float32))
    order = guarded(rng.permutation(rows)[: 3 * batch].astype(np.int64))
    into, made = guarded(np.zeros((batch, 5), np.float32)), guarded(np.zeros((batch, 5), np.float32))
    last = guarded(np.zeros(3, np.float32))
    calls = [
        Call(Gather(batch, 20), (Place(0), Place(1, 0, 8 * batch), Place(2)), (2,)),
        Call(Scale(5 * batch, 2.0), (Place(2), Place(3)), (1,)),
        Call(Record(4), (Place(3, 4), Place(4, 0, 4)), (1,)),
    ]
    Native(calls, target()).run([each.ctypes.data for each in (source, order, into, made, last)], 0, 3)
    assert np.array_equal(into, source[order[-batch:]])
    assert np.array_equal(last, source[order[::batch], 1] * 2 + 1)


def test_barriers_stand_where_threads_touch_the_same_bytes() -> None:
    large, small = Scale(SIZE, 2.0, claim=10**6), Scale(SIZE, 2.0)

    def waits(*calls: tuple[Scale, Place, Place]) -> list[bool]:
        return list(schedule([Call(k, (x, y), (1,)) for k, x, y in calls]).waits)

    a, b, c, d = (Place(0, at, 0, 96) for at in (0, 96, 192, 288))
    assert waits((large, a, b), (large, b, c)) == [False, True]
    assert waits((large, a, b), (large, a, c), (large, a, d)) == [False, False, False]
    assert waits((large, a, b), (large, c, d), (large, b, a)) == [False, False, True]
    assert waits((large, a, b), (large, c, a)) == [False, True]
    assert waits((small, a, b), (small, b, c), (large, c, d), (small, d, a)) == [False, False, True, True]
    halves = Place(0, 0, 0, 100), Place(0, 99, 0, 8)
    assert waits((large, c, halves[0]), (large, halves[1], d)) == [False, True]
    unknown, other = Place(0), Place(1)
    assert waits((large, other, unknown), (large, c, other)) == [False, True]


def test_chunks_run_every_iteration_once_and_report_the_end() -> None:
    arrays, table = buffers()
    native, seen = Native(ring(), target()), []
    chunks(native, addresses(table), 7, seen.append)
    assert np.array_equal(arrays[0], ring_in_numpy(np.arange(SIZE, dtype=np.float32), 7))
    assert seen[-1] == 7


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise, which a process whose tests run beside others ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_whole_iterations_and_tells_how_many() -> None:
    size = 1000
    count = guarded(np.zeros(size, np.float32))
    native = Native([Call(Scale(size, 1.0), (Place(0), Place(0)), (1,))], target())
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(Interrupted) as stopped:
        chunks(native, [count.ctypes.data], 10**9)
    assert 0 < stopped.value.done < 10**7
    assert set(count) == {stopped.value.done}
