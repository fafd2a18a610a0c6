"""Values that Python asks for while a function is compiled: refused, never kept from the first run."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.core.stream import Stream
from chainrule.errors import ArgumentError, TraceError
from chainrule.nn import functional as F

X = np.arange(6, dtype=np.float32).reshape(2, 3) - 2


def changed_in_part(x: Any) -> Any:
    made = cr.zeros(3)
    made[0] = x[0, 1]
    return made


def placed_by_value(x: Any) -> Any:
    made = cr.zeros(3)
    made[cr.argmax(x[0])] = 1
    return made


def copied_and_changed(x: Any) -> Any:
    made = cr.tensor(x)
    made.assign(made + 1)
    return made * x


REFUSED: dict[str, Callable[[Any], Any]] = {
    "mask": lambda x: x[x > 0].sum(),
    "mask in a tuple": lambda x: x[0, x[0] > 0].sum(),
    "list of tensors": lambda x: cr.tensor([x[0, 0], x[1, 2]]),
    "list as an operand": lambda x: cr.add(x, [x[0, 0], x[0, 1], x[0, 2]]),
    "part": changed_in_part,
    "place": placed_by_value,
    "deepcopy": lambda x: copy.deepcopy(x) * 1,
    "repeats": lambda x: cr.repeat(x, cr.argmax(x[0]), 0),
    "full": lambda x: cr.full((2,), x[0, 0]),
    "full like": lambda x: cr.tensor(np.full_like(x, x[0, 0])),
    "ends": lambda x: cr.linspace(x.min(), x.max(), 5),
    "end of a slice": lambda x: x[:, : cr.argmax(x[0])],
    "axis": lambda x: x.sum(axis=cr.argmax(x[:, 0])),
    "parameter": lambda x: F.pad(x, (1, 1), value=x.mean()),
    "slope": lambda x: F.leaky_relu(x, x.mean()),
    "values for NumPy": lambda x: cr.tensor(np.unique(x)),
    "condition": lambda x: x if x.sum() > 0 else -x,
    "number": lambda x: x * x.sum().item(),
}
TAKEN: dict[str, Callable[[Any], Any]] = {
    "mask that is known": lambda x: x[np.array([False, True])],
    "mask made inside": lambda x: x[cr.tensor([False, True])],
    "places": lambda x: x[0][cr.argmax(x, axis=1) * 0 + 1],
    "taken": lambda x: x.take(cr.argmax(x, axis=1) * 0 + 1, axis=1),
    "copy": lambda x: cr.tensor(x) * 2,
    "copy in another dtype": lambda x: cr.tensor(x, dtype=np.float64) * 2,
    "copy that is changed": copied_and_changed,
    "bounds": lambda x: cr.clip(x, x.mean(), x.max()),
    "form": lambda x: x * np.shape(x)[0] + np.ones_like(x) * np.full_like(x, 2),
    "axis that is known": lambda x: x.sum(axis=cr.tensor(1)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(TraceError, match="the value of a tensor is not known") as refused:
        cr.compile(REFUSED[name])(X)
    assert "test_unknown_values.py" in str(refused.value)
    assert "hint" in str(refused.value)


WAYS = {"mask": "cr.where", "part": "assign", "list of tensors": "cr.stack", "number": "return it"}


@pytest.mark.parametrize("name", WAYS)
def test_the_hint_says_what_to_write_in_place_of_it(name: str) -> None:
    with pytest.raises(TraceError) as refused:
        cr.compile(REFUSED[name])(X)
    assert WAYS[name] in str(refused.value).split("hint")[1]


@pytest.mark.parametrize("name", TAKEN)
def test_what_can_be_compiled_is_computed_anew_each_time(name: str) -> None:
    compiled = cr.compile(TAKEN[name])
    for x in (X, 3 * X + 1):
        np.testing.assert_allclose(compiled(x).data, TAKEN[name](cr.tensor(x)).data, rtol=1e-6)
    assert compiled.traces == 1


@pytest.mark.parametrize(
    "read",
    [
        lambda x, w: x * w.item(),
        lambda x, w: x * w.data,
        lambda x, w: x[:, cr.stack([w > 0, w > 1, w > 2])],
        lambda x, w: x * w if w > 1 else x,
    ],
)
def test_state_from_outside_is_not_read_by_python(read: Any) -> None:
    """It may be another one at the next run, whether or not an op has used it before."""
    w = cr.tensor(np.float32(2))
    with pytest.raises(TraceError, match="not known"):
        cr.compile(lambda x: read(x, w))(X)
    with pytest.raises(TraceError, match="not known"):
        cr.compile(lambda x: read(x * w, w))(X)


def test_the_text_of_a_tensor_shows_no_value_that_is_not_known() -> None:
    seen: list[str] = []
    cr.compile(lambda x: seen.append(repr(x + 1)) or seen.append(repr(cr.ones(2))) or x)(X)
    assert seen == ["tensor(of a function being compiled, shape (2, 3))", "tensor([1., 1.])"]


def test_numpy_linspace_of_tensors_is_a_tensor_of_numbers() -> None:
    found = cr.linspace(cr.tensor(1.0), cr.tensor(2.0), 5)
    np.testing.assert_array_equal(found.data, np.linspace(1, 2, 5))


DRAWN: dict[str, Callable[[Any], Any]] = {
    "permutation": lambda x: x[:, cr.random.permutation(3)],
    "seed": lambda x: (cr.random.seed(3), x * 2)[1],
    "state read": lambda x: (cr.random.get_state(), x * 2)[1],
    "state set": lambda x: (cr.random.set_state((1, 2, 3)), x * 2)[1],
    "initial values": lambda x: x + nn.init.normal_(cr.zeros(3)),
    "layer": lambda x: nn.Linear(3, 2)(x) * 2,
    "array": lambda x: x + cr.random.default.uniform((3,)),
    "stream of its own": lambda x: x + cr.random.normal((3,), stream=Stream(3)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_draws_that_would_be_made_once_are_refused(name: str) -> None:
    before = cr.random.get_state()
    with pytest.raises(TraceError, match=r"random: [\s\S]*hint"):
        cr.compile(DRAWN[name])(X)
    assert cr.random.get_state() == before


def test_draws_by_ops_are_made_anew_at_every_run() -> None:
    stream = Stream(3)

    @cr.compile
    def noisy(x: Any) -> Any:
        noise = cr.random.normal((3,), stream=stream) + cr.random.integers(0, 9, (3,))
        return F.stochastic_depth(F.dropout(x, 0.5), 0.5, "row") + noise + cr.random.bernoulli((3,), 0.5)

    runs = [noisy(X).data for _ in range(3)]
    assert noisy.traces == 1
    assert not any((one == two).all() for one, two in itertools.pairwise(runs))


def generator(x: Any) -> Any:
    yield x * 2


async def coroutine(x: Any) -> Any:
    return x * 2


async def async_generator(x: Any) -> Any:
    yield x * 2


@pytest.mark.parametrize("f", [generator, coroutine, async_generator])
def test_what_runs_after_the_call_is_refused(f: Any) -> None:
    with pytest.raises(TraceError, match=f"{f.__name__} is a {f.__name__.replace('_', ' ')}"):
        cr.compile(f)
    with pytest.raises(TraceError, match=f"is a {f.__name__.replace('_', ' ')}"):
        cr.compile(lambda x: [x, f(x)])(X)


def test_what_is_taken_for_probabilities_is_looked_at_at_every_run():
    truth = np.float32([1, 0, 1])

    @cr.compile
    def loss(x):
        return F.binary_cross_entropy(F.sigmoid(x), truth) + F.binary_cross_entropy(x * 1, truth)

    inside = cr.tensor([0.25, 1.0, 0.5])
    assert loss(inside).item() == pytest.approx(loss.f(inside).item())
    for wrong in (1.5, -0.5, np.nan):
        with pytest.raises(ArgumentError, match=r"input must be probabilities in \[0, 1\]"):
            loss(cr.tensor([0.25, wrong, 0.5]))
    assert loss.traces == 1


@pytest.mark.parametrize(
    ("look", "way"),
    [
        (lambda x: print(f"{x.sum():.3f}"), "return it and look at it after the call"),
        (lambda x: float(x.sum()), "return it and look at it after the call"),
        (lambda x: (x.data > 0).mean(), "keep to ops on the tensor itself"),
        (lambda x: x if x.sum() > 0 else -x, "cr.where in place of `if`"),
    ],
)
def test_the_hint_knows_a_look_from_a_decision(look, way):
    with pytest.raises(TraceError) as caught:
        cr.compile(look)(X)
    assert way in caught.value.hint


@pytest.mark.parametrize("value", [3, X, cr.ones(2), None])
def test_what_is_no_function_is_not_compiled(value):
    with pytest.raises(ArgumentError, match="compile: needs a function, got"):
        cr.compile(value)


def test_how_compiled_functions_and_programs_are_shown():
    double = cr.compile(lambda x: x * 2)
    assert repr(double) == "<compiled <lambda>, 0 programs>"
    double(X)
    assert repr(double) == "<compiled <lambda>, 1 program>"
    assert repr(double.program) == str(double.program)
