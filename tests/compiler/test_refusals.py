"""Places beyond an axis, wrong labels, negative powers, halves: reported, and nothing has changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.compiler.programs import training

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.core.families import Elementwise
from chainrule.errors import ArgumentError, DTypeError, IndexRangeError

B = np.array([0.5, -1.0, 2.0], np.float32)


def test_places_out_of_bounds_are_reported_in_the_middle_of_an_epoch():
    w = cr.tensor(B, requires_grad=True)
    places = np.arange(40) % 3
    places[17] = 3
    f = cr.compile(lambda x, y: (w[y] * x).sum())
    with pytest.raises(IndexRangeError, match="out of bounds for an axis of size 3"):
        f.epoch(np.ones(40, np.float32), places, 4, shuffle=False)
    places[17] = -3
    assert len(f.epoch(np.ones(40, np.float32), places, 4, shuffle=False)) == 10


@pytest.mark.parametrize("loss", [F.cross_entropy, F.multi_margin_loss, F.hinge_loss])
def test_labels_that_are_no_class_are_reported(loss):
    labels = np.arange(40) % 3
    model = nn.Linear(3, 3)
    f = cr.compile(lambda x, y: loss(model(x), y))
    x = np.ones((40, 3), np.float32)
    assert len(f.epoch(x, labels, 4)) == 10
    for wrong in (3, -1):
        labels[17] = wrong
        with pytest.raises(IndexRangeError, match="a label is no class: there are 3, 0 to 2"):
            f.epoch(x, labels, 4, shuffle=False)
        with pytest.raises(IndexRangeError, match="a label is no class"):
            f(x[16:20], labels[16:20])
    assert np.isfinite(f(x[:4], labels[:4]).item())
    ignoring = cr.compile(lambda x, y: F.cross_entropy(model(x), y, ignore_index=-1))
    ignoring(x[:4], labels[:4])
    ignoring(x[16:20], labels[16:20])


def test_labels_that_never_change_are_looked_at_once():
    scores = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for labels, wrong in ((np.array([0, 1, 2, 1, 0]), False), (np.array([0, 1, 3, 1, 0]), True)):
        f = cr.compile(lambda x, y=labels: F.cross_entropy(x, y))
        if wrong:
            with pytest.raises(IndexRangeError, match="label 3 is no class"):
                f(scores)
        else:
            np.testing.assert_allclose(f(scores).item(), F.cross_entropy(scores, labels).item(), rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("width", [5, 1500])
@pytest.mark.parametrize("make", [cr.optim.SGD, cr.optim.Adam])
def test_nothing_has_changed_where_a_label_is_wrong(make: Any, width: int, threads: int) -> None:
    draw, before = np.random.default_rng(1), cr.get_num_threads()
    x = draw.standard_normal((96, width)).astype(np.float32)
    y = draw.integers(0, 4, 96)
    wrong = y.copy()
    wrong[70] = 4
    model = nn.Sequential(
        nn.Linear(width, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 4)
    )
    optimizer = make(model.parameters(), lr=0.01)

    step = cr.compile(training(model, optimizer))

    def arrays() -> list[np.ndarray]:
        moments = [np.array(each) for state in optimizer.state.values() for each in state.values()]
        return [*(np.array(each) for each in model.state_dict().values()), *moments]

    cr.set_num_threads(threads)
    try:
        step.epoch(x, y, 32, shuffle=False)
        for call in (lambda: step(x[64:], wrong[64:]), lambda: step.epoch(x[64:], wrong[64:], 32)):
            held = arrays()
            with pytest.raises(IndexRangeError, match="a label is no class"):
                call()
            assert all(np.array_equal(a, b) for a, b in zip(held, arrays(), strict=True))
        held = arrays()
        step.epoch(x[:64], y[:64], 32, shuffle=False)
        assert not all(np.array_equal(a, b) for a, b in zip(held, arrays(), strict=True))
    finally:
        cr.set_num_threads(before)


def test_iterations_before_the_wrong_label_are_made() -> None:
    x, y = np.ones((40, 3), np.float32), np.arange(40) % 3
    y[25] = 7
    losses: list[np.ndarray] = []
    for rows in (slice(None), slice(0, 24)):
        cr.random.seed(1)
        model = nn.Linear(3, 3)
        compiled = cr.compile(training(model, cr.optim.SGD(model.parameters(), lr=0.1)))
        try:
            compiled.epoch(x[rows], y[rows], 8, shuffle=False)
        except IndexRangeError:
            assert rows == slice(None)
        losses.append(np.array(model.weight.data))
    assert np.array_equal(*losses)


def test_a_check_of_what_was_computed_ends_the_step_before_anything_is_changed() -> None:
    table = cr.tensor(np.arange(6, dtype=np.float32).reshape(3, 2), requires_grad=True)
    count = cr.tensor(np.zeros((), np.float32))

    @cr.compile
    def step(x: Any, places: Any) -> Any:
        count.assign(count + 1)
        return (table[places] * x).sum()

    x = np.ones((4, 2), np.float32)
    step(x, np.array([0, 1, 2, 0]))
    with pytest.raises(IndexRangeError, match="out of bounds for an axis of size 3"):
        step(x, np.array([0, 1, 3, 0]))
    assert count.item() == 1


def test_a_schedule_has_not_moved_on_where_a_label_is_wrong() -> None:
    model = nn.Linear(3, 3)
    optimizer = cr.optim.Adam(model.parameters(), lr=0.1)
    schedule = cr.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    @cr.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    x, y = np.ones((4, 3), np.float32), np.array([0, 1, 2, 0])
    step(x, y)
    for _ in range(2):
        held = schedule.state_dict(), optimizer.param_groups[0]["lr"], model.weight.numpy().copy()
        with pytest.raises(IndexRangeError, match="a label is no class"):
            step(x, np.array([0, 1, 3, 0]))
        found = schedule.state_dict(), optimizer.param_groups[0]["lr"], model.weight.numpy()
        assert held[:2] == found[:2]
        assert np.array_equal(held[2], found[2])
        step(x, y)
    assert optimizer.param_groups[0]["lr"] == 0.1 * 0.5**3


@pytest.mark.parametrize(
    "f", [lambda x: x[[0, 5, 1]], lambda x: x[:, np.array([3, 4, 5])], lambda x: x[cr.tensor(np.array([9]))]]
)
def test_known_places_out_of_bounds_are_reported_at_once(f):
    with pytest.raises(IndexRangeError, match="out of bounds"):
        cr.compile(f)(np.ones((4, 3), np.float32))


def test_computed_places_out_of_bounds_are_reported():
    x, table = np.arange(4, dtype=np.float32), np.ones((4, 2), np.float32)
    for f in (lambda i: cr.tensor(x)[i + 1], lambda i: F.embedding(i + 1, table)):
        compiled = cr.compile(f)
        assert compiled(np.array([2])).data.flat[0] == f(cr.tensor(np.array([2]))).data.flat[0]
        with pytest.raises(IndexRangeError):
            compiled(np.array([3]))
    for f in (lambda i: F.embedding(i, table), lambda i: F.one_hot(i, num_classes=4)):
        compiled = cr.compile(f)
        compiled(np.array([1]))
        for wrong in (-1, 4):
            with pytest.raises(IndexRangeError, match="is no row of"):
                compiled(np.array([wrong]))


@pytest.mark.parametrize(
    "dtypes", [("int64", "int64"), ("int32", "int8"), ("uint8", "int8"), ("bool", "int8")]
)
def test_integers_to_negative_powers_are_reported_and_nothing_has_changed(dtypes):
    base, exponent = np.ones(3, dtypes[0]), np.array([2, 1, 0], dtypes[1])
    total = cr.zeros(3)

    @cr.compile
    def f(a, b):
        total.assign(total + a**b)
        return total

    assert f(base, exponent).tolist() == [1, 1, 1]
    with pytest.raises(ArgumentError, match="integers to negative integer powers are not allowed"):
        f(base, -exponent)
    assert total.tolist() == [1, 1, 1] == (f(base, exponent) - 1).tolist()
    with pytest.raises(ArgumentError, match="ntegers to negative integer powers are not allowed"):
        f.f(base, cr.tensor(-exponent))
    assert cr.compile(lambda a, b: a**b)(np.ones((0, 3), dtypes[0]), -exponent).shape == (0, 3)


def test_negative_powers_are_reported_where_they_are_never_read_or_known_beforehand():
    numbers = np.array([1, 2, 3])
    for f in (
        lambda x: cr.where(x < 3, x, x ** (1 - x)),
        lambda x: x ** np.array([1, -1, 1]),
        lambda x: x ** np.int64(-1),
        lambda x: 2**-x,
        lambda x: (x**-x, x)[1],
    ):
        with pytest.raises(ArgumentError, match="ntegers to negative integer powers are not allowed"):
            f(cr.tensor(numbers))
        with pytest.raises(ArgumentError, match="ntegers to negative integer powers are not allowed"):
            cr.compile(f)(numbers)
    floats = cr.compile(lambda x, n: (x**n, 2.0**n, x**-1, n ** cr.tensor([-1.0, 2.0, 1.0])))
    for made, wanted in zip(
        floats(numbers / 2, -numbers), floats.f(cr.tensor(numbers / 2), cr.tensor(-numbers)), strict=True
    ):
        np.testing.assert_allclose(made.numpy(), wanted.numpy(), rtol=1e-6)


def test_an_op_of_ones_own_reports_negative_powers_inside_of_it():
    def body(x, n, *, scale: float = 1.0):
        return scale * (x**n + 1)

    f = cr.compile(lambda x, n: Elementwise(body)(x, n, scale=0.5))
    assert f(np.array([3, 2]), np.array([2, 0])).tolist() == [5, 1]
    with pytest.raises(ArgumentError, match=r"body\(x, n\): integers to negative integer powers"):
        f(np.array([3, 2]), np.array([2, -1]))


HALVES = {
    "added": (lambda x: x + 1, np.float16, "argument 0 is float16"),
    "summed": (lambda x: x.sum(), np.float16, "argument 0 is float16"),
    "turned": (lambda x: x[::-1], np.float16, "argument 0 is float16"),
    "converted": (lambda x: x.astype("float32"), np.float16, "argument 0 is float16"),
    "truth": (lambda x: x.astype("bool"), np.float16, "argument 0 is float16"),
    "made": (cr.exp, np.int8, "what exp gives is float16"),
}


@pytest.mark.parametrize("name", HALVES)
def test_halves_are_refused(name):
    f, dtype, text = HALVES[name]
    with pytest.raises(DTypeError, match=text):
        cr.compile(f)(B.astype(dtype))


def test_a_step_with_halves_calls_nothing_before_it_is_refused():
    w = cr.tensor(np.ones(3, np.float32), requires_grad=True)
    rule = optim.SGD([w], lr=0.1)
    schedule = optim.lr_scheduler.StepLR(rule, step_size=1)

    @cr.compile
    def step(x):
        rule.zero_grad()
        (w * x.astype("float32")).sum().backward()
        rule.step()
        schedule.step()
        return x.astype("float16")

    with pytest.raises(DTypeError, match="float16"):
        step(np.ones(3, np.float32))
    assert (schedule.last_epoch, w.tolist(), w.grad) == (0, [1, 1, 1], None)
