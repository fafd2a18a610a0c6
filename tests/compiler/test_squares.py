"""Where rows of memory become lanes: all sizes and dtypes, on every target, inside the buffers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.guarded import call, guarded, run_guarded, targets

import chainrule as cr
from chainrule.compiler.cpu.loops import Loops
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import loop, variable
from chainrule.compiler.nests.nest import Nest, Store
from chainrule.scalar import expr

DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]
SHAPES = [  # the axes that are exchanged are 16, just above, just below a multiple, many; few stay as they are
    ((16, 16), (1, 0)),
    ((17, 33), (1, 0)),
    ((31, 100), (1, 0)),
    ((3, 20, 47), (0, 2, 1)),
    ((2, 20, 3, 18), (0, 2, 3, 1)),
    ((15, 16), (1, 0)),
]


def squared(compiled) -> bool:
    return "in squares" in compiled.source()


def numbers(shape, dtype) -> np.ndarray:
    drawn = np.random.default_rng([*shape]).integers(0, 250, shape)
    return (drawn % 2 == 0) if dtype == "bool" else drawn.astype(dtype)


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("dtype", DTYPES)
def test_axes_exchanged_as_numpy_does(dtype, target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAINRULE_TARGET", "" if target == "host" else target)
    for shape, axes in SHAPES:
        x = numbers(shape, dtype)
        turned = cr.compile(lambda t, axes=axes: cr.equal(t.transpose(axes), 3))
        copied = cr.compile(lambda t, axes=axes: t.transpose(axes) * 1)
        np.testing.assert_array_equal(turned(x).data, x.transpose(axes) == 3)
        np.testing.assert_array_equal(copied(x).data, (x.transpose(axes) * 1))
        assert squared(turned) == squared(copied) == (shape != (15, 16))
        for compiled in (turned, copied):
            for at_end in (True, False):
                run_guarded(compiled._latest.step, at_end=at_end)


@pytest.mark.parametrize("lanes_outside", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_rows_are_written_as_they_are_read(dtype, lanes_outside):
    """Both ways through a square at once, by any target, in any parts, with no byte of scratch to spare."""
    for rows, columns in ((16, 16), (50, 33), (31, 65)):
        along, lane = variable("along", rows), variable("lane", columns)
        turned = loop(along) + loop(lane) * rows
        x, y, z = (Buffer(n, (rows * columns,), np.dtype(dtype), "inner") for n in "xyz")
        term = terms.apply(expr.apply("add", *map(expr.variable, "ab")), "ab",
                           [terms.load(x, turned), terms.load(y, loop(along) * columns + loop(lane))],
                           np.dtype(dtype))  # fmt: skip
        order = (lane, along) if lanes_outside else (along, lane)
        nest = Nest(order, lane, (Store(z, turned, term),), (x, y, z))
        assert nest.squares is not None
        a, b = numbers((columns, rows), dtype), numbers((rows, columns), dtype)
        for made_for in targets().values():
            kernel = Loops(nest)
            arrays = [guarded(each) for each in (a, b, np.zeros_like(a))]
            call(kernel, arrays, made_for, cuts=[1] if kernel.parts > 1 else ())
            np.testing.assert_array_equal(arrays[2], a + b.T)


def test_threads_share_the_rows_of_squares():
    x = numbers((500, 700), "float32")
    compiled = cr.compile(lambda t: t.transpose((1, 0)) * 2)
    once = compiled(x).data
    (kernel, *_) = compiled._latest.step.work[-1]
    assert kernel.parts >= 16
    before = cr.get_num_threads()
    try:
        cr.set_num_threads(4)
        for _ in range(4):
            np.testing.assert_array_equal(compiled(x).data, once)
    finally:
        cr.set_num_threads(before)


def test_a_fold_inside_keeps_its_loops():
    """Squares would compute what one loop needs anew for every vector of the other."""
    along, lane, k = variable("along", 40), variable("lane", 50), variable("k", 30)
    x, y, z = (Buffer(n, (2000,), np.dtype(np.float32), "inner") for n in "xyz")
    turned = terms.load(x, loop(along) + loop(lane) * 40)
    total = terms.fold("add", [k], terms.load(y, loop(along) * 30 + loop(k)), np.dtype(np.float32))
    for inside, there in ((turned, True), (total, False)):
        added = terms.apply(
            expr.apply("add", *map(expr.variable, "ab")), "ab", [turned, inside], turned.dtype
        )
        store = Store(z, loop(along) * 50 + loop(lane), added)
        assert (Nest((along, lane), lane, (store,), (x, y, z)).squares is not None) == there
