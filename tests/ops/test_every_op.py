"""Every op of the registry, through the one generic test; and the test itself, on planted faults."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule.nn
import chainrule.optim  # noqa: F401  (its update rules are ops, too)
from chainrule import scalar
from chainrule.core.check import check_op
from chainrule.core.families import Composite, Elementwise, Movement, Opaque, Reduction
from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY
from chainrule.core.sample import sample
from chainrule.core.spec import Spec
from chainrule.errors import CheckError

# Other tests declare ops, too; the registry is one for the process.
OPS = [op for op in REGISTRY.values() if isinstance(op, Op) and op.__module__.startswith("chainrule.")]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_op(op: Op) -> None:
    check_op(op)


def test_every_family_is_walked() -> None:
    families = {op.family for op in OPS}
    assert families == {"elementwise", "reduction", "contraction", "movement", "composite", "opaque"}


@pytest.mark.parametrize("op", [op for op in OPS if not op.differentiable], ids=lambda op: op.name)
def test_an_op_without_gradient_says_why(op: Op) -> None:
    assert isinstance(op, Reduction) or op.reason  # type: ignore[attr-defined]


def cube(x):
    """The third power."""
    return x * x * x


def _wrong_partial() -> Op:
    return Elementwise(cube, partial=lambda x, y: 3.0 * x)


def _wrong_back() -> Op:
    def turned(x):
        """The rows in reverse order."""
        grid = x.grid(2)
        return x.at([x.shape[0] - 1 - grid[0], grid[1]], x.shape)

    return Movement(turned, back=lambda g, source: g, samples=[sample((3, 2))])


def _wrong_view() -> Op:
    def turned(x):
        """The rows in reverse order."""
        grid = x.grid(2)
        return x.at([x.shape[0] - 1 - grid[0], grid[1]], x.shape)

    return Movement(turned, view=lambda x: x[:, ::-1], samples=[sample((3, 2))])


def _wrong_composite() -> Op:
    def doubled(x):
        """Twice the number."""
        return x * 2.0

    return Composite(doubled, gradient=lambda g, node, x: (g * 3.0,), samples=[sample((3,))])


def _opaque(spec=None, gradient=None, body=None) -> Op:
    def doubled(x):
        """Twice the number."""
        return x * 2

    return Opaque(
        body or doubled,
        spec=spec or (lambda x: x),
        gradient=gradient or (lambda g, node, x: (g * 2.0,)),
        samples=[sample((2, 3))],
    )


def _changes_input() -> Op:
    def doubled(x):
        """Twice the number."""
        x *= 2
        return x + 0

    return _opaque(body=doubled)


PLANTED = {
    "partial": _wrong_partial,
    "back": _wrong_back,
    "view": _wrong_view,
    "composite claim": _wrong_composite,
    "spec": lambda: _opaque(spec=lambda x: Spec(x.shape[1:], x.dtype)),
    "dtype": lambda: _opaque(spec=lambda x: Spec(x.shape, np.dtype(np.float16))),
    "gradient": lambda: _opaque(gradient=lambda g, node, x: (g,)),
    "input changed": _changes_input,
    "no samples": lambda: Composite(cube),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str) -> None:
    with pytest.raises(CheckError):
        check_op(PLANTED[fault]())


def test_the_right_versions_of_the_planted_ops_pass() -> None:
    check_op(Elementwise(cube, partial=lambda x, y: 3.0 * x * x))
    check_op(_opaque())


@pytest.mark.parametrize("name", sorted(scalar.FUNCTIONS))
def test_every_scalar_function_has_a_meaning_in_every_target(name: str) -> None:
    from chainrule.scalar import numpy as target

    assert name in target.UFUNCS or name in target.EXPANSIONS or name in ("select", "cast")
