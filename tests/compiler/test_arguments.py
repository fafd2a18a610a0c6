"""What compiled functions are called with and return: containers keep their class, equal is not the same."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DTypeError

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
