"""What compiled functions are called with and return: containers keep their class, equal is not the same."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import DTypeError, TraceError

X = np.arange(3, dtype=np.float32)


class ByName(dict):
    """Items as attributes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Itself(dict):
    """The other way to write it."""

    def __init__(self, **items: Any) -> None:
        super().__init__(**items)
        self.__dict__ = self


class Sized(dict):
    def __init__(self, size: int) -> None:
        super().__init__()


@pytest.mark.parametrize("kind", [ByName, Itself])
def test_dicts_with_items_as_attributes(kind: Any) -> None:
    f = cr.compile(lambda given: kind(twice=given.x * 2, more=[kind(n=given["n"])]))
    for k in (1, 2):
        found = f(kind(x=k * X, n=5))
        assert type(found) is kind and type(found.more[0]) is kind and found.more[0].n == 5
        np.testing.assert_array_equal(found.twice.data, 2 * k * X)
    assert f.traces == 1


def test_dicts_of_the_standard_library() -> None:
    f = cr.compile(lambda given: (given["x"] * 1, given["none"]))
    for missing in (float, int, float):
        found = f(defaultdict(missing, x=X))
        assert type(found[1]) is missing
    assert f.traces == 2
    g = cr.compile(lambda x: (OrderedDict(b=x, a=x), defaultdict(list, x=x), Counter(x=2)))
    for _ in range(2):
        ordered, default, counter = g(X)
        assert (type(ordered), list(ordered)) == (OrderedDict, ["b", "a"])
        assert type(default) is defaultdict and default["y"] == [] and default["x"].tolist() == X.tolist()
        assert type(counter) is Counter and counter["y"] == 0


def test_a_dict_that_is_not_made_of_items_is_refused() -> None:
    with pytest.raises(DTypeError, match="no Sized can be made"):
        cr.compile(lambda given: given)(Sized(3))


@dataclass
class Batch:
    x: Any
    y: Any = None
    scale: float = 1.0
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.x)


@dataclass(frozen=True, slots=True)
class Nested:
    batch: Batch


def test_dataclasses_of_arrays_are_opened() -> None:
    @cr.compile
    def f(given: Nested) -> Nested:
        batch = given.batch
        return Nested(Batch(batch.x * batch.scale, {"y": batch.y + batch.size}))

    for k in (1, 2):
        found = f(Nested(Batch(k * X, X + k, 3.0)))
        assert type(found) is Nested and type(found.batch) is Batch and found.batch.size == 3
        np.testing.assert_array_equal(found.batch.x.data, 3 * k * X)
        np.testing.assert_array_equal(found.batch.y["y"].data, X + k + 3)
    assert f.traces == 1
    assert f(Nested(Batch(X, X, 4.0))).batch.x.tolist() == [0, 4, 8]
    assert f.traces == 2


@dataclass
class Scaled:
    model: nn.Module
    scale: float


def test_a_model_in_a_dataclass_may_be_replaced() -> None:
    f = cr.compile(lambda state, x: state.model(x) * state.scale)
    state = Scaled(nn.Identity(), 2.0)
    assert f(state, X).tolist() == [0, 2, 4]
    state.model = nn.ReLU()
    assert f(state, -X).tolist() == [0, 0, 0]


class Plain:
    def __init__(self, x: Any) -> None:
        self.x = x


def test_tensors_in_other_objects_are_no_results() -> None:
    with pytest.raises(TraceError, match="<lambda>: returns an object of class Plain with tensors inside"):
        cr.compile(lambda x: [Plain(x * 2)])(X)
    assert cr.compile(lambda x: (x, Plain(3)))(X)[1].x == 3


@dataclass(frozen=True)
class Options:
    factor: Any


class Own:
    """Compares itself."""

    def __init__(self, factor: Any) -> None:
        self.factor = factor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and other.factor == self.factor

    def __hash__(self) -> int:
        return hash(self.factor)


HOLDERS = {
    "dataclass": (Options, lambda held: held.factor),
    "dataclass of one": (lambda k: Options(Options(k)), lambda held: held.factor.factor),
    "dataclass of a tuple": (lambda k: Options((k, None)), lambda held: held.factor[0]),
    "own": (Own, lambda held: held.factor),
    "set": (lambda k: frozenset([k]), lambda held: next(iter(held))),
    "key": (lambda k: {k: None}, lambda held: next(iter(held))),
    "key in a tuple": (lambda k: {(k, "a"): None}, lambda held: next(iter(held))[0]),
    "tuple": (lambda k: (k,), lambda held: held[0]),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_equal_values_of_other_types_are_other_values(name: str) -> None:
    hold, factor_of = HOLDERS[name]
    f = cr.compile(lambda x, held: x * factor_of(held))
    x = np.array([1, 0, 1], np.int64)
    for _ in range(2):
        assert [f(x, hold(k)).dtype for k in (1, 1.0, True)] == [np.int64, np.float64, np.int64]
    assert f.traces == 3
