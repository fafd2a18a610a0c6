"""Comparisons, logic and choice: results that are true or false, and what depends on them.

They have no gradient, but for `where`, which hands it to the branch that was taken.
"""

from __future__ import annotations

from chainrule import scalar
from chainrule.core.families import elementwise
from chainrule.core.sample import sample, wrong
from chainrule.scalar import Expr


@elementwise
def less(a: Expr, b: Expr) -> Expr:
    """Whether a < b."""
    return a < b


@elementwise
def less_equal(a: Expr, b: Expr) -> Expr:
    """Whether a <= b."""
    return a <= b


@elementwise
def greater(a: Expr, b: Expr) -> Expr:
    """Whether a > b."""
    return a > b


@elementwise
def greater_equal(a: Expr, b: Expr) -> Expr:
    """Whether a >= b."""
    return a >= b


@elementwise
def equal(a: Expr, b: Expr) -> Expr:
    """Whether a == b."""
    return scalar.equal(a, b)


@elementwise
def not_equal(a: Expr, b: Expr) -> Expr:
    """Whether a != b."""
    return scalar.not_equal(a, b)


@elementwise
def logical_and(a: Expr, b: Expr) -> Expr:
    """Whether both are true (not 0)."""
    return scalar.logical_and(a, b)


@elementwise
def logical_or(a: Expr, b: Expr) -> Expr:
    """Whether either is true (not 0)."""
    return scalar.logical_or(a, b)


@elementwise
def logical_xor(a: Expr, b: Expr) -> Expr:
    """Whether exactly one is true (not 0)."""
    return scalar.logical_xor(a, b)


@elementwise
def logical_not(x: Expr) -> Expr:
    """Whether the number is 0."""
    return scalar.logical_not(x)


_BITS = [sample(5, 3), sample(True, False)]


@elementwise(samples=_BITS)
def bitwise_and(a: Expr, b: Expr) -> Expr:
    """Bit by bit `and` of integers; logical `and` of bools (Python's &)."""
    return scalar.bitwise_and(a, b)


@elementwise(samples=_BITS)
def bitwise_or(a: Expr, b: Expr) -> Expr:
    """Bit by bit `or` of integers; logical `or` of bools (Python's |)."""
    return scalar.bitwise_or(a, b)


@elementwise(samples=_BITS)
def bitwise_xor(a: Expr, b: Expr) -> Expr:
    """Bit by bit `xor` of integers; logical `xor` of bools (Python's ^)."""
    return scalar.bitwise_xor(a, b)


@elementwise(samples=[sample(5), sample(True)])
def invert(x: Expr) -> Expr:
    """Every bit of an integer flipped; `not` of a bool (Python's ~)."""
    return scalar.invert(x)


@elementwise
def isnan(x: Expr) -> Expr:
    """Whether the number is NaN."""
    return scalar.isnan(x)


@elementwise
def isinf(x: Expr) -> Expr:
    """Whether the number is infinite."""
    return scalar.isinf(x)


@elementwise
def isfinite(x: Expr) -> Expr:
    """Whether the number is neither NaN nor infinite."""
    return scalar.isfinite(x)


@elementwise(
    domain=[(0.1, 1.0), (-2.0, 2.0), (-2.0, 2.0)],
    wrong=[
        wrong(
            "where(condition, x, y): shapes (2,) and (3,) and () do not broadcast: "
            "axis -1 is 2 in condition but 3 in x",
            (2,), (3,), (),
        )
    ],
)  # fmt: skip
def where(condition: Expr, x: Expr, y: Expr) -> Expr:
    """`x` where the condition is true (not 0), else `y`; the branch not taken gets no gradient."""
    return scalar.select(condition, x, y)
