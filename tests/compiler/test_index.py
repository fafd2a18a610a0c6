"""Indices of loops: what is simplified, and that nothing about their values changes by it."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from chainrule.compiler.nests.buffer import Buffer, flat, unflat
from chainrule.compiler.nests.index import Index, loop, number, variable


def value(index: Index, at: dict) -> int:
    """Compute an index where the loop variables have these values."""
    total = index.constant
    for atom, factor in index.terms:
        if atom.kind == "variable":
            inner = at[atom]
        else:
            below = value(atom.of, at)
            inner = below // atom.by if atom.kind == "div" else below % atom.by
        total += factor * inner
    return total


def test_a_reshape_and_its_inverse_leave_nothing_behind():
    i = variable("i", 8192)
    places = unflat(loop(i), (32, 16, 16))
    assert [repr(each) for each in places] == ["(i // 256)", "((i // 16) % 16)", "(i % 16)"]
    assert repr(flat(places, (32, 16, 16))) == "i"
    c, y, x = (variable(name, size) for name, size in (("c", 32), ("y", 16), ("x", 16)))
    inside = flat((loop(c), loop(y), loop(x)), (32, 16, 16))
    assert [repr(each) for each in unflat(inside, (32, 16, 16))] == ["c", "y", "x"]


def test_blocks_of_lanes_need_no_division():
    block, lane = variable("block", 4), variable("lane", 16)
    n = loop(block) * 16 + loop(lane)
    assert repr(n // 16) == "block" and repr(n % 16) == "lane"
    home = Buffer("b", (64, 3), np.dtype(np.float32), "inner", lanes=16)
    assert repr(home.address((n, loop(variable("c", 3))))) == "48*block + 16*c + lane"
    assert home.count == 192 and Buffer("b", (17, 3), np.dtype(np.float32), "inner", lanes=16).count == 96


def test_steps_of_indices():
    i, j = variable("i", 10), variable("j", 7)
    index = loop(i) * 7 + loop(j) * -1 + 3
    assert (index.step(i), index.step(j), index.step(variable("k", 2))) == (7, -1, 0)
    assert (index.low, index.high) == (-3, 66)
    assert (index // 5).step(i) is None
    assert repr(loop(variable("one", 1))) == "0"


@pytest.mark.parametrize("seed", range(30))
def test_simplified_indices_have_the_same_values(seed):
    rng = random.Random(seed)
    names = [variable(f"v{place}", rng.choice([1, 2, 3, 5, 8])) for place in range(3)]
    index, plain = number(0), (lambda at: 0)
    for _ in range(rng.randint(2, 7)):
        kind = rng.choice(["add", "scale", "shift", "div", "mod"])
        factor = rng.choice([2, 3, 4, 6, 12])
        before = plain
        if kind == "add":
            each = rng.choice(names)
            index, plain = (
                index + loop(each) * factor,
                lambda at, b=before, e=each, f=factor: b(at) + at[e] * f,
            )
        elif kind == "scale":
            index, plain = index * factor, lambda at, b=before, f=factor: b(at) * f
        elif kind == "shift":
            index, plain = index - factor, lambda at, b=before, f=factor: b(at) - f
        elif kind == "div":
            index, plain = index // factor, lambda at, b=before, f=factor: b(at) // f
        else:
            index, plain = index % factor, lambda at, b=before, f=factor: b(at) % f
    for places in itertools.product(*(range(each.extent) for each in names)):
        at = dict(zip(names, places, strict=True))
        found = value(index, at)
        assert found == plain(at)
        assert index.low <= found <= index.high


def test_put_replaces_variables_everywhere():
    i, j = variable("i", 12), variable("j", 3)
    index = loop(i) // 4 + loop(i) % 4
    moved = index.put({i: loop(j) * 4 + 1})
    assert repr(moved) == "j + 1"
