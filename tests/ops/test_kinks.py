"""At a kink the gradient is the one that the op's words promise."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.families.elementwise import Elementwise
from chainrule.core.registry import REGISTRY
from chainrule.ops import activation

NEGATIVE = "the gradient at 0 is that of the negative side"
PROMISED = sorted(
    name
    for name, op in REGISTRY.items()
    if isinstance(op, Elementwise) and NEGATIVE in op.kinks.values() and op.arity == 1
)


def test_activations_are_among_those_that_promise() -> None:
    assert activation.elu.name in PROMISED and activation.relu.name in PROMISED


@pytest.mark.parametrize("name", PROMISED)
def test_the_gradient_at_zero_is_that_of_the_negative_side(name: str) -> None:
    at_zero, left = cr.grad(lambda x: REGISTRY[name](x).sum())(np.array([0.0, -1e-9])).data
    assert at_zero == pytest.approx(left, abs=1e-8)
