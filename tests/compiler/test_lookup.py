"""Places that numbers name: sums of loop variables and known ranges are runs, all else is kept inside."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.guarded import run_guarded

import chainrule as cr
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import loop, variable
from chainrule.compiler.nests.lookup import whole
from chainrule.core.stream import Stream

ROWS = np.arange(5)[:, None]
COLUMNS = np.arange(11)


STREAM = Stream(3)


def drawn(low, high, *shape):
    return cr.random.integers(low, high, shape, stream=STREAM)


def from_the_start(f, x):
    STREAM.counter = 0
    return f(x)


LOOKUPS = {
    "a run from a drawn place": lambda x: x[ROWS, drawn(0, 7, 5, 1) + COLUMNS],
    "a run to a drawn place": lambda x: x[ROWS, drawn(10, 17, 5, 1) - COLUMNS],
    "every second item": lambda x: x[ROWS, 2 * COLUMNS[:8] + drawn(0, 3, 5, 1)],
    "counted from the end": lambda x: x[ROWS, drawn(-17, -10, 5, 1) + COLUMNS],
    "both ends": lambda x: x[ROWS, drawn(-6, 7, 5, 1) + COLUMNS[:5]],
    "known places": lambda x: x[ROWS, COLUMNS[::-1] + 3],
    "no progression": lambda x: x[ROWS, COLUMNS**2 % 17 + drawn(-3, 1, 5, 1)],
    "one place for all": lambda x: x[:, drawn(3, 4)],
    "narrow integers": lambda x: x[ROWS, (COLUMNS + 250).astype(np.uint8) * np.uint8(2) % np.uint8(17)],
    "narrow integers that wrap": lambda x: x[ROWS, cr.tensor(COLUMNS.astype(np.int8) + 120) - np.int8(117)],
    "through a reshape": lambda x: x.T.reshape(-1)[drawn(0, 75, 5, 1) + COLUMNS],
    "places of places": lambda x: x[:, 2:][ROWS, drawn(0, 5, 5, 1) + COLUMNS][:, ::-1][ROWS, drawn(0, 9, 5, 1)],
    "rows as well": lambda x: x[drawn(0, 5, 3, 1), drawn(0, 7, 3, 1) + COLUMNS],
    "with a border": lambda x: cr.pad(x, ((1, 1), (9, 9)))[ROWS + 1, drawn(0, 25, 5, 1) + COLUMNS],
}  # fmt: skip


@pytest.mark.parametrize("target", ["", "sse"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("name", LOOKUPS)
def test_lookups_find_what_numpy_finds(name, dtype, target, monkeypatch):
    monkeypatch.setenv("CHAINRULE_TARGET", target)
    x = (np.arange(5 * 17) % 251).reshape(5, 17).astype(dtype)
    compiled = cr.compile(LOOKUPS[name])
    found, wanted = from_the_start(compiled, x), from_the_start(LOOKUPS[name], cr.tensor(x))
    np.testing.assert_array_equal(found.data, wanted.data)
    step = compiled._latest.step
    for at_end in (True, False):
        run_guarded(step, at_end=at_end)


@pytest.mark.parametrize("name", ["a run from a drawn place", "a run to a drawn place", "with a border"])
def test_runs_are_read_as_neighbours(name):
    compiled = cr.compile(LOOKUPS[name])
    compiled(np.zeros((5, 17), np.uint8))
    assert "minimum" not in compiled.source("nests")  # no place is computed item by item
    assert "o1" in compiled.source("nests").rsplit("in lanes", 1)[0].splitlines()[-1]


def test_gradients_go_back_to_the_places():
    start = drawn(0, 7, 5, 1)

    def gradient(x):
        return cr.grad(lambda x: (x[ROWS, start + COLUMNS] ** 2).sum())(x)

    x = np.random.default_rng(0).normal(size=(5, 17))
    np.testing.assert_allclose(cr.compile(gradient)(x).data, gradient(cr.tensor(x)).data)


def test_what_is_whole():
    i = loop(variable("o0", 4))
    known = Buffer("k", (4,), np.dtype(np.int64), "constant", array=np.array([5, 3, 1, -1]))
    uneven = Buffer("k", (4,), np.dtype(np.int64), "constant", array=np.array([5, 3, 1, 0]))
    bounded = Buffer("v", (4,), np.dtype(np.int64), "inner", within=(-2, 9))
    unknown = Buffer("a", (4,), np.dtype(np.int64), "argument")
    assert repr(whole(terms.load(known, i))) == "-2*o0 + 5"
    place = whole(terms.load(bounded, i))
    assert place is not None and (place.low, place.high) == (-2, 9)
    assert whole(terms.load(uneven, i)) is None and whole(terms.load(unknown, i)) is None
    assert repr(whole(terms.cast(terms.value(3), np.dtype(np.int64)))) == "3"
    assert whole(terms.value(3.0)) is None


@pytest.mark.parametrize(
    "key",
    [
        (slice(None), [0, 0, 0]),
        (slice(None), np.arange(3)[:, None] + np.arange(3)),
        ([4, 4, 4], [2, 2, 2]),
        (np.arange(5)[:, None] // 5, np.arange(3)),
    ],
    ids=["one place", "places that overlap", "one element", "one row"],
)
def test_gradients_at_known_places_that_are_met_often(key):
    x = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)

    def f(x):
        return (x[key] ** 2 * 0.5).sum()

    np.testing.assert_allclose(cr.compile(cr.grad(f))(x).data, cr.grad(f)(x).data, rtol=1e-6)


@pytest.mark.parametrize(
    "key",
    [
        True,
        False,
        np.True_,
        (0, True),
        (True, 0),
        (slice(None), True),
        (..., False),
        (np.array([1, 0]), True),
    ],
    ids=str,
)
def test_single_booleans_are_masks_without_axes(key) -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    x = cr.tensor(a, requires_grad=True)

    @cr.compile
    def f(x):
        found = x[key]
        found.sum().backward()
        return found

    for _ in range(2):
        x.grad, expected = None, np.zeros_like(a)
        np.add.at(expected, key, 1.0)
        np.testing.assert_array_equal(f(x).data, a[key], strict=True)
        np.testing.assert_array_equal(x.grad.data, expected)


def test_there_is_one_ellipsis_in_an_index() -> None:
    with pytest.raises(cr.errors.IndexRangeError, match="there may be one ... only"):
        cr.compile(lambda x: x[..., 0, ...])(np.ones((2, 3)))
