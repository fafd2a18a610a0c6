"""Tensors that a function makes, changes in place or keeps: what begins anew, what is state, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError, TraceError

X = np.float32([1, 2, 3])


def runs(f: Any, count: int = 3) -> list[list[float]]:
    return [f(X).tolist() for _ in range(count)]


def total(x):
    found = cr.tensor(0.0)
    for i in range(3):
        part = cr.zeros(3)
        part += x * i
        found += cr.sum(part)
    return found


def searched(x):
    d = cr.zeros(3)
    d.requires_grad = True
    for _ in range(2):
        d.grad = None
        ((d - x) ** 2).sum().backward()
        with cr.no_grad():
            d -= 0.1 * d.grad  # pyright: ignore
    return d * 1


def trained(x):
    d = cr.zeros(3)
    d.requires_grad = True
    optimizer = cr.optim.SGD([d], lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        ((d - x) ** 2).sum().backward()
        optimizer.step()
    return d * 1


@pytest.mark.parametrize("f", [total, searched, trained])
def test_what_a_function_makes_for_itself_begins_anew(f):
    wanted = [f(cr.tensor(X)).tolist()] * 3
    assert np.allclose(runs(cr.compile(f)), wanted)


def test_in_an_epoch_too():
    def f(x, y):
        found = cr.zeros(())
        found += cr.sum(x * y)
        return found

    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    losses = cr.compile(f).epoch(x, x, 2, shuffle=False)
    assert losses.tolist() == [float((part * part).sum()) for part in np.split(x, 3)]


class Average:
    """Keeps what it makes at its first call."""

    def __init__(self) -> None:
        self.kept: Any = None

    def __call__(self, x):
        if self.kept is None:
            self.kept = cr.zeros(3)
        self.kept.assign(self.kept * 0.5 + x)
        return self.kept * 1


def test_what_it_makes_and_keeps_is_state():
    eager, compiled = Average(), Average()
    wanted = [eager(cr.tensor(X)).tolist() for _ in range(3)]
    assert runs(cr.compile(compiled)) == wanted
    assert compiled.kept.tolist() == eager.kept.tolist()


def test_a_result_that_takes_the_value_of_a_state_is_not_the_state():
    b = cr.tensor([10.0, 20.0, 30.0])

    def f(x):
        t = x * 1
        t.assign(b)
        t.assign(t + x)
        return t

    assert runs(cr.compile(f)) == [[11, 22, 33]] * 3
    assert b.tolist() == [10, 20, 30]


def test_a_state_may_take_the_value_of_an_argument_and_change_again():
    b = cr.tensor([0.0, 0.0, 0.0])

    def f(x):
        b.assign(x)
        b.assign(b * 0.5)
        return b + 0

    assert runs(cr.compile(f)) == [[0.5, 1, 1.5]] * 3
    assert b.tolist() == [0.5, 1, 1.5]


def of_state(x):
    row = STATE[0]
    row += x
    return STATE * 1


def of_argument(x):
    part = x[:2]
    part.assign(part + 1)
    return x * 1


STATE = cr.tensor(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("f", [of_state, of_argument])
def test_changes_through_views_of_what_is_not_the_functions_own_are_refused(f):
    with pytest.raises(TraceError, match="view"):
        cr.compile(f)(X)


def test_a_view_of_a_result_may_change_unless_that_is_read_later():
    def alone(x):
        part = cr.tanh(x)[:2]
        part += 1
        return part * 2

    def both(x):
        whole = cr.tanh(x)
        part = whole[:2]
        part += 1
        return whole * 2

    assert np.allclose(cr.compile(alone)(X).data, (np.tanh(X[:2]) + 1) * 2)
    with pytest.raises(TraceError, match="read after a view of it was changed"):
        cr.compile(both)(X)


def test_a_graph_whose_leaf_has_changed_is_refused_as_in_eager_mode():
    w = cr.tensor(X, requires_grad=True)

    def f(x):
        w.grad = None
        loss = (w * w * x).sum()
        with cr.no_grad():
            w.assign(w + 1.0)
        loss.backward()
        return w.grad

    with pytest.raises(GraphError, match="changed in place"):
        cr.compile(f)(X)


def test_a_constant_changes_before_its_first_use_only():
    def before(x):
        z = cr.zeros(3)
        z[0] = 1.0
        return x + z

    def after(x):
        z = cr.zeros(3)
        first = x + z
        z[0] = 1.0
        return first + z

    assert runs(cr.compile(before)) == [[2, 2, 3]] * 3
    with pytest.raises(TraceError, match="used before"):
        cr.compile(after)(X)


def test_what_is_kept_elsewhere_has_no_value():
    kept: list[Any] = []

    def f(x):
        kept.append(x * 2)
        return kept[-1].sum()

    assert cr.compile(f)(X).item() == 12
    for read in (lambda t: t.data, lambda t: t.tolist(), lambda t: cr.compile(lambda x: x + t)(X)):
        with pytest.raises(TraceError, match="computed while a function was traced"):
            read(kept[0])
    assert np.isnan((kept[0] + 1)._data).all()
    assert "compiled" in repr(kept[0])


def test_gradients_do_not_go_through_from_outside():
    with pytest.raises(TraceError, match="none goes through a compiled function"):
        cr.grad(cr.compile(lambda x: (x**3).sum()))(X)
    assert cr.compile(cr.grad(lambda x: (x**3).sum()))(X).tolist() == [3, 12, 27]
    x = cr.tensor(X, requires_grad=True)
    with cr.no_grad():
        assert cr.compile(lambda x: (x**3).sum())(x).item() == 36


def test_integers_of_a_state_are_read_at_every_run():
    places = cr.tensor(np.arange(3))
    f = cr.compile(lambda x: x[places])
    assert f(X).tolist() == [1, 2, 3]
    places.assign([2, 2, 2])
    assert f(X).tolist() == [3, 3, 3]
