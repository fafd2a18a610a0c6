"""Whole numbers among arguments: NumPy's integers are taken, bools and halves are refused alike everywhere."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.whole import whole_number
from chainrule.data import Batches, RandomCrop, spiral
from chainrule.errors import ArgumentError


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_what_counts_is_taken(value):
    assert type(whole_number("crop", "size", value)) is int
    assert whole_number("crop", "size", value, least=3) == 3


@pytest.mark.parametrize("value", [True, 2.0, "2", None, 0, -1, np.bool_(True), np.float64(2)])
def test_what_does_not_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^crop: size must be an integer of at least 1, got "):
        whole_number("crop", "size", value)


def test_numpys_integers_are_taken_wherever_something_is_counted():
    three = np.int64(3)
    optimizer = cr.optim.SGD([cr.tensor([1.0], requires_grad=True)])
    assert cr.optim.lr_scheduler.StepLR(optimizer, three).step_size == 3
    assert RandomCrop(three).padding == 3
    assert len(spiral(samples=three, classes=three)) == 3
    assert len(Batches(np.zeros((7, 1)), np.zeros(7), three)) == 3
