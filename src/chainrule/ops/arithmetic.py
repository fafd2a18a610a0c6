"""Arithmetic on two numbers or one: the operators of Python and NumPy.

Rounding, bounds and conversions are here, too: whatever is one step of arithmetic on single numbers.
"""

from __future__ import annotations

from typing import Any

from chainrule import scalar
from chainrule.core.families import elementwise
from chainrule.core.registry import public
from chainrule.core.sample import sample, wrong
from chainrule.core.spec import known_dtype
from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import DTypeError
from chainrule.scalar import Expr


@elementwise
def add(a: Expr, b: Expr) -> Expr:
    """Sum of two tensors; distributes its upstream gradient to both."""
    return a + b


@elementwise
def subtract(a: Expr, b: Expr) -> Expr:
    """Difference of two tensors."""
    return a - b


@elementwise
def multiply(a: Expr, b: Expr) -> Expr:
    """Product of two tensors; each gets the upstream gradient times the other."""
    return a * b


@elementwise(domain=[(-2.0, 2.0), (0.5, 2.0)])
def divide(a: Expr, b: Expr) -> Expr:
    """Quotient of two tensors; integers divide to floats."""
    return a / b


@elementwise(domain=[(0.5, 2.0), (-2.0, 2.0)])
def power(a: Expr, b: Expr) -> Expr:
    """`a` raised to `b`; where a is 0, the partial by b is taken as 0."""
    return a**b


@elementwise(domain=[(3.1, 3.9), (0.51, 0.59)])
def floor_divide(a: Expr, b: Expr) -> Expr:
    """Largest whole number not above a / b; flat, so its gradient is 0."""
    return scalar.floor_divide(a, b)


@elementwise(domain=[(3.1, 3.4), (1.1, 1.5)])
def remainder(a: Expr, b: Expr) -> Expr:
    """What is left of a / b, with the sign of `b`, as Python's %."""
    return scalar.remainder(a, b)


@elementwise
def negative(x: Expr) -> Expr:
    """The number with its sign changed."""
    return -x


@elementwise
def positive(x: Expr) -> Expr:
    """The number as it is (Python's unary +)."""
    return x


@elementwise
def identity(x: Expr) -> Expr:
    """The tensor itself, as a new node of the graph."""
    return x


@elementwise(domain=(0.3, 2.0), kinks={0.0: "the gradient at 0 is 0"})
def abs(x: Expr) -> Expr:
    """Distance from zero; the gradient is the sign."""
    return scalar.absolute(x)


@elementwise(domain=(0.3, 2.0))
def sign(x: Expr) -> Expr:
    """-1, 0 or 1; flat, so its gradient is 0."""
    return scalar.sign(x)


@elementwise
def square(x: Expr) -> Expr:
    """The number times itself."""
    return x * x


@elementwise(domain=(0.5, 2.0))
def reciprocal(x: Expr) -> Expr:
    """One divided by the number; integers, whose reciprocals NumPy rounds to 0, give floats."""
    return 1.0 / x


@elementwise(domain=[(-1.0, 0.0), (0.1, 1.0)], kinks={0.0: "in a tie both inputs get half"})
def maximum(a: Expr, b: Expr) -> Expr:
    """The larger of two; routes the gradient to it. NaN if either is NaN."""
    return scalar.maximum(a, b)


@elementwise(domain=[(-1.0, 0.0), (0.1, 1.0)], kinks={0.0: "in a tie both inputs get half"})
def minimum(a: Expr, b: Expr) -> Expr:
    """The smaller of two; routes the gradient to it. NaN if either is NaN."""
    return scalar.minimum(a, b)


@elementwise(domain=[(-2.0, 2.0), (-0.5, 0.0)], kinks={0.0: "at the bound the gradient goes to x"})
def at_least(x: Expr, low: Expr) -> Expr:
    """`x`, or `low` where x is below it."""
    return scalar.select(x < low, low, x)


@elementwise(domain=[(-2.0, 2.0), (0.0, 0.5)], kinks={0.0: "at the bound the gradient goes to x"})
def at_most(x: Expr, high: Expr) -> Expr:
    """`x`, or `high` where x is above it."""
    return scalar.select(x > high, high, x)


@elementwise(
    samples=[
        sample((2, 3), dtype="float64"),
        sample(
            (2, 3), dtype="float32", skip_gradient="rounding to float32 hides the step of the differences"
        ),
        sample((2, 3), dtype="int32"),
        sample((), dtype="bool"),
    ],
    wrong=[wrong("dtype: complex128 is not supported", (2,), dtype="complex128")],
)
def astype(x: Expr, *, dtype: Any = "float32") -> Expr:
    """The values converted to another dtype; the gradient is converted back."""
    return scalar.cast(x, known_dtype(dtype).name)


@elementwise(domain=(0.1, 0.4))
def floor(x: Expr) -> Expr:
    """Largest whole number not above; flat, so its gradient is 0."""
    return scalar.floor(x)


@elementwise(domain=(0.1, 0.4))
def ceil(x: Expr) -> Expr:
    """Smallest whole number not below; flat, so its gradient is 0."""
    return scalar.ceil(x)


@elementwise(domain=(0.1, 0.4))
def rint(x: Expr) -> Expr:
    """Nearest whole number, halves to the even one; flat, so its gradient is 0."""
    return scalar.rint(x)


@public
def clip(a: Any, a_min: Any = None, a_max: Any = None) -> Tensor:
    """Numbers kept between `a_min` and `a_max` (None: no bound); outside, no gradient reaches `a`.

    >>> clip([-1.0, 0.5, 2.0], 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    bounded = as_tensor(a)
    if a_min is None and a_max is None:
        raise DTypeError("clip(x): a_min or a_max must be given")
    if a_min is not None:
        bounded = at_least(bounded, a_min)
    return bounded if a_max is None else at_most(bounded, a_max)


@public
def round(a: Any, decimals: int = 0) -> Tensor:
    """Numbers rounded to `decimals` places, halves to the even digit; flat, so its gradient is 0."""
    return rint(a) if not decimals else rint(a * 10.0**decimals) / 10.0**decimals
