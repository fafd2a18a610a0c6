"""Random numbers in native code, against the streams of `core/stream.py`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from tests.compiler.guarded import call, guarded, targets

from chainrule.compiler.cpu.draw import Advance, Draw
from chainrule.core.stream import Stream
from chainrule.errors import DTypeError

TARGETS = targets()
START = (7, 2**40 + 5, 2**33 - 1)  # the counter's upper half changes soon
COUNTS = (0, 1, 2, 3, 31, 9001)
KINDS = {
    "uniform32": ("uniform", "float32", 0, 1),
    "between": ("uniform", "float32", -2.5, 0.3),
    "uniform64": ("uniform", "float64", 1.0, 1.5),
    "normal32": ("normal", "float32", 0.0, 1.0),
    "normal64": ("normal", "float64", -1.0, 0.25),
    "dice": ("integers", "int64", -3, 9),
    "widest": ("integers", "int64", 5, 5 + 2**32),
}


def state(numbers: tuple[int, int, int] = START) -> np.ndarray[Any, Any]:
    return guarded(np.array(numbers, np.uint64))


def eager(draw: Draw, stream: Stream) -> Any:
    if draw.kind == "integers":
        return stream.integers(int(draw.low), int(draw.high), (draw.count,))
    return getattr(stream, draw.kind)((draw.count,), draw.low, draw.high, draw.dtype)


def native(draw: Draw, target: str = "host", cuts: Any = (), at_end: bool = True) -> Any:
    out = guarded(np.zeros(draw.count, draw.dtype), at_end=at_end)
    before = state()
    call(draw, [before, out], TARGETS[target], cuts, at_end=at_end)
    np.testing.assert_array_equal(before, np.array(START, np.uint64))
    return out


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_of_the_stream(kind: str, target: str) -> None:
    name, dtype, low, high = KINDS[kind]
    for count in COUNTS if target == "host" else (5, 9001):
        draw, stream = Draw(name, count, dtype, low, high), Stream()
        stream.state = START
        wanted = eager(draw, stream)
        assert draw.blocks == stream.counter - START[2]
        for at_end in (True, False):
            found = native(draw, target, at_end=at_end)
            if name == "normal":  # the last bits of the logarithm and the angle's functions
                np.testing.assert_allclose(
                    found, wanted, rtol=1e-6 if dtype == "float32" else 1e-12, atol=1e-15
                )
            else:
                np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_any_cut_gives_the_same_bits(kind: str) -> None:
    name, dtype, low, high = KINDS[kind]
    draw = Draw(name, 9001, dtype, low, high)
    whole = native(draw)
    assert draw.parts > 2
    for cuts in ((1,), (0, draw.parts - 1), tuple(range(1, draw.parts))):
        np.testing.assert_array_equal(native(draw, cuts=cuts), whole)


def test_a_part_may_be_computed_again() -> None:
    draw = Draw("normal", 9001, "float64", 0.0, 1.0)
    once, twice = native(draw), native(draw, cuts=(2, 1, 2))
    np.testing.assert_array_equal(once, twice)


def test_a_normal_draw_is_of_the_last_bits_only_different() -> None:
    draw, stream = Draw("normal", 9001, "float64", 0.0, 1.0), Stream()
    stream.state = START
    off = np.abs(native(draw) - eager(draw, stream))
    assert off.max() < 4e-15


def test_advance_moves_the_counter() -> None:
    for blocks, target in itertools.product((0, 3, 2**33), TARGETS.values()):
        numbers = state()
        call(Advance(blocks), [numbers], target)
        assert numbers.tolist() == [START[0], START[1], START[2] + blocks]


def test_the_counter_wraps() -> None:
    numbers = state((1, 2, 2**64 - 1))
    call(Advance(2), [numbers], TARGETS["host"])
    assert numbers.tolist() == [1, 2, 1]


def test_kernels_tell_all_that_their_code_depends_on() -> None:
    assert repr(Draw("uniform", 3, "float32", 0, 1)) == (
        "Draw(kind='uniform', count=3, dtype='float32', low=0, high=1)"
    )
    assert repr(Advance(4)) == "Advance(blocks=4)"


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(DTypeError, match="draws no float16"):
        Draw("uniform", 3, "float16", 0, 1)
