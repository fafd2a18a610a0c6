"""Values that are stored while they are summed: what is kept, and what must not be."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.compiler.guarded import run_guarded, targets

import chainrule as cr
from chainrule.nn import functional as F


def kept(compiled) -> int:
    """Return how many values are stored inside of folds."""
    return len(re.findall(r"%\d+ = b\d+\[.*\] = ", compiled.source()))


def numbers(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng([*shape]).standard_normal(shape).astype(dtype)


def agrees(f, *arrays: np.ndarray, kept_values: int) -> None:
    compiled = cr.compile(f)
    wanted = [np.array(each.data) for each in f(*map(cr.tensor, arrays))]
    found = [np.array(each.data) for each in compiled(*arrays)]
    tolerance = 1e-5 if arrays[0].dtype == np.float32 else 1e-12
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())
    assert kept(compiled) == kept_values
    for at_end in (True, False):
        run_guarded(compiled._latest.step, at_end=at_end)


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_value_is_stored_by_its_sum(dtype, target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAINRULE_TARGET", "" if target == "host" else target)

    def f(x, w):
        v = cr.tanh(x)
        return cr.sum(v, axis=1), cr.matmul(v, w)

    for rows, columns in ((7, 64), (5, 37), (16, 10)):  # with and without numbers left over
        agrees(f, numbers(rows, columns, dtype=dtype), numbers(columns, 9, dtype=dtype), kept_values=1)


@pytest.mark.parametrize("target", targets())
def test_the_gradient_of_a_bias_is_summed_while_what_it_sums_is_stored(
    target, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CHAINRULE_TARGET", "" if target == "host" else target)
    x, w, b = numbers(32, 2, 9, 8), numbers(6, 2, 3, 3), numbers(6)

    def gradients(x, w, b):
        return cr.grad(lambda w, b: cr.sum(F.max_pool2d(F.relu(F.conv2d(x, w, b)), 2) ** 2), (0, 1))(w, b)

    agrees(gradients, x, w, b, kept_values=1)


def test_what_reads_the_value_with_the_sum_takes_it_from_the_register():
    def f(x, y, w):
        v = cr.exp(x)
        return cr.sum(v, axis=(0, 2)), cr.sum(v * y, axis=(0, 2)), cr.matmul(v, w)

    agrees(f, numbers(3, 5, 40), numbers(3, 5, 40, dtype="float32"), numbers(40, 2), kept_values=1)


def test_a_sum_that_changes_a_state_which_the_value_reads():
    x = numbers(32, 2, 9, 8)

    def trained(compiled: bool) -> list[np.ndarray]:
        w, b = (cr.tensor(each, requires_grad=True) for each in (numbers(6, 2, 3, 3), numbers(6)))
        optimizer = cr.optim.SGD([w, b], lr=0.001, momentum=0.9)

        def step(x):
            optimizer.zero_grad()
            loss = cr.mean(F.max_pool2d(F.relu(F.conv2d(x, w, b)), 2) ** 2)
            loss.backward()
            optimizer.step()
            return loss

        run = cr.compile(step) if compiled else step
        losses = [float(run(cr.tensor(x))) for _ in range(5)]
        if compiled:
            assert kept(run) == 1
        return [np.array(losses), w.data, b.data]

    for one, other in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: (cr.sum(cr.tanh(x)[:, 1:], axis=1), cr.matmul(cr.tanh(x), w)),  # a part of it
        lambda x, w: (cr.sum(cr.tanh(x), axis=0), cr.matmul(cr.tanh(x), w)),  # nothing for threads to share
        lambda x, w: (cr.sum(cr.pad(cr.tanh(x), ((0, 0), (0, 3))), axis=1), cr.matmul(cr.tanh(x), w)),
        lambda x, w: (cr.sum(cr.cumsum(x, axis=1), axis=1), cr.matmul(cr.cumsum(x, axis=1), w)),
        lambda x, w: (cr.sum(cr.matmul(cr.tanh(x), w), axis=1), cr.matmul(x, w)),  # a product's result
        lambda x, w: (cr.sum(cr.tanh(x.T), axis=0), cr.matmul(w.T, cr.tanh(x.T))),  # not side by side
    ],
)
def test_other_values_are_stored_before(f):
    agrees(f, numbers(16, 40), numbers(40, 12), kept_values=0)


def test_any_number_of_threads_gives_the_same_bits():
    x, w = numbers(6, 7, 5000), numbers(5000, 3)
    compiled = cr.compile(lambda x, w: (cr.sum(cr.tanh(x), axis=(0, 2)), cr.matmul(cr.tanh(x), w)))
    before, found = cr.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            cr.set_num_threads(threads)
            found.append([np.array(each.data) for each in compiled(x, w)])
    finally:
        cr.set_num_threads(before)
    assert kept(compiled) == 1
    for other in found[1:]:
        assert all(np.array_equal(one, two) for one, two in zip(found[0], other, strict=True))
