"""The closed table of functions of numbers: what each one is called and how it changes.

Every op body is written with these, and every target (NumPy, TeX, later LLVM) gives each of them a
meaning once. `partials(y, *args)` returns the derivative with respect to each argument, `y` being
the function's own value. A function with an `expansion` is written in terms of the others, for
targets that lack it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from chainrule.scalar.expr import Expr, Number, apply

ZERO = (0.0, 0.0)


@dataclass(frozen=True)
class Function:
    """What is known of one function: its arity, its partials, and whether it is flat or logical."""

    name: str
    arity: int
    partials: Callable[..., tuple[Number, ...]]
    logical: bool = False


FUNCTIONS: dict[str, Function] = {}


def _declare(
    name: str, arity: int, partials: Callable[..., tuple[Number, ...]] | None = None, logical: bool = False
) -> Callable[..., Expr]:
    """Enter a function into the table; without partials it is flat (its derivative is 0)."""
    rule = partials or (lambda _y, *args: (0.0,) * len(args))
    FUNCTIONS[name] = Function(name, arity, rule, logical)

    def build(*args: Number) -> Expr:
        return apply(name, *args)

    build.__name__ = name
    return build


def cast(x: Number, dtype: str) -> Expr:
    """Return `x` converted to the dtype named `dtype`."""
    return apply("cast", x, value=dtype)


def square(x: Number) -> Expr:
    """Return x * x."""
    return apply("multiply", x, x)


add = _declare("add", 2, lambda y, a, b: (1.0, 1.0))
subtract = _declare("subtract", 2, lambda y, a, b: (1.0, -1.0))
multiply = _declare("multiply", 2, lambda y, a, b: (b, a))
divide = _declare("divide", 2, lambda y, a, b: (1.0 / b, -y / b))
negative = _declare("negative", 1, lambda y, a: (-1.0,))
power = _declare(
    "power",
    2,
    lambda y, a, b: (
        select(equal(b, 0.0), 0.0, b * a ** (b - 1.0)),
        select(equal(a, 0.0), 0.0, y * log(a)),
    ),
)
floor_divide = _declare("floor_divide", 2)
remainder = _declare("remainder", 2, lambda y, a, b: (1.0, -floor_divide(a, b)))

exp = _declare("exp", 1, lambda y, a: (y,))
expm1 = _declare("expm1", 1, lambda y, a: (y + 1.0,))
log = _declare("log", 1, lambda y, a: (1.0 / a,))
log1p = _declare("log1p", 1, lambda y, a: (1.0 / (1.0 + a),))
sqrt = _declare("sqrt", 1, lambda y, a: (0.5 / y,))
sin = _declare("sin", 1, lambda y, a: (cos(a),))
cos = _declare("cos", 1, lambda y, a: (-sin(a),))
arctan2 = _declare("arctan2", 2, lambda y, a, b: (b / (a * a + b * b), -a / (a * a + b * b)))
tanh = _declare("tanh", 1, lambda y, a: (1.0 - y * y,))
erf = _declare("erf", 1, lambda y, a: (2.0 / math.sqrt(math.pi) * exp(-(a * a)),))

absolute = _declare("absolute", 1, lambda y, a: (sign(a),))
sign = _declare("sign", 1)
floor = _declare("floor", 1)
ceil = _declare("ceil", 1)
rint = _declare("rint", 1)
maximum = _declare("maximum", 2, lambda y, a, b: (_share(a > b, a, b), _share(b > a, a, b)))
minimum = _declare("minimum", 2, lambda y, a, b: (_share(a < b, a, b), _share(b < a, a, b)))

less = _declare("less", 2, logical=True)
less_equal = _declare("less_equal", 2, logical=True)
greater = _declare("greater", 2, logical=True)
greater_equal = _declare("greater_equal", 2, logical=True)
equal = _declare("equal", 2, logical=True)
not_equal = _declare("not_equal", 2, logical=True)
logical_and = _declare("logical_and", 2, logical=True)
logical_or = _declare("logical_or", 2, logical=True)
logical_xor = _declare("logical_xor", 2, logical=True)
logical_not = _declare("logical_not", 1, logical=True)
bitwise_and = _declare("bitwise_and", 2)
bitwise_or = _declare("bitwise_or", 2)
bitwise_xor = _declare("bitwise_xor", 2)
invert = _declare("invert", 1)
isnan = _declare("isnan", 1, logical=True)
isinf = _declare("isinf", 1, logical=True)
isfinite = _declare("isfinite", 1, logical=True)

select = _declare("select", 3, lambda y, c, a, b: (0.0, select(c, 1.0, 0.0), select(c, 0.0, 1.0)))

FUNCTIONS["cast"] = Function("cast", 1, lambda y, a: (1.0,))


def _share(wins: Expr, a: Expr, b: Expr) -> Expr:
    """1 for the winner, 0 for the loser, a half each in a tie."""
    return select(wins, 1.0, select(equal(a, b), 0.5, 0.0))
