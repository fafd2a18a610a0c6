"""The closed table of functions of numbers: what each one is called and how it changes.

Every op body is written with these, and every target (NumPy, TeX, text, LLVM) gives each of them a
meaning once. `partials(y, *args)` returns the derivative with respect to each argument, `y` being
the function's own value. What a target lacks is written in terms of the others (`expansions`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from chainrule.scalar.expr import Expr, Number, apply


@dataclass(frozen=True)
class Function:
    """What is known of one function: its arity and its partials."""

    name: str
    arity: int
    partials: Callable[..., tuple[Number, ...]]  # (y, *args) -> one partial an argument


FUNCTIONS: dict[str, Function] = {}


def _unary(name: str, partial: Callable[[Expr, Expr], Number] | None = None) -> Callable[[Number], Expr]:
    """Enter f(a) with its partial(y, a); without one it is flat (its derivative is 0)."""

    def partials(y: Expr, *args: Expr) -> tuple[Number, ...]:
        return (0.0 if partial is None else partial(y, args[0]),)

    FUNCTIONS[name] = Function(name, 1, partials)
    return lambda a: apply(name, a)


def _binary(
    name: str,
    partials: Callable[[Expr, Expr, Expr], tuple[Number, Number]] | None = None,
) -> Callable[[Number, Number], Expr]:
    """Enter f(a, b) with its two partials(y, a, b); without them it is flat."""

    def both(y: Expr, *args: Expr) -> tuple[Number, ...]:
        return (0.0, 0.0) if partials is None else partials(y, args[0], args[1])

    FUNCTIONS[name] = Function(name, 2, both)
    return lambda a, b: apply(name, a, b)


def cast(x: Number, dtype: str) -> Expr:
    """Return `x` converted to the dtype named `dtype`."""
    return apply("cast", x, value=dtype)


def square(x: Number) -> Expr:
    """Return x * x."""
    return apply("multiply", x, x)


add = _binary("add", lambda y, a, b: (1.0, 1.0))
subtract = _binary("subtract", lambda y, a, b: (1.0, -1.0))
multiply = _binary("multiply", lambda y, a, b: (b, a))
divide = _binary("divide", lambda y, a, b: (1.0 / b, -y / b))
negative = _unary("negative", lambda y, a: -1.0)
power = _binary(
    "power",
    lambda y, a, b: (
        select(equal(b, 0.0), 0.0, b * a ** (b - 1.0)),
        select(equal(a, 0.0), 0.0, y * log(a)),
    ),
)
floor_divide = _binary("floor_divide")
remainder = _binary("remainder", lambda y, a, b: (1.0, -floor_divide(a, b)))

exp = _unary("exp", lambda y, a: y)
expm1 = _unary("expm1", lambda y, a: y + 1.0)
log = _unary("log", lambda y, a: 1.0 / a)
log1p = _unary("log1p", lambda y, a: 1.0 / (1.0 + a))
sqrt = _unary("sqrt", lambda y, a: 0.5 / y)
sin = _unary("sin", lambda y, a: cos(a))
cos = _unary("cos", lambda y, a: -sin(a))
arctan2 = _binary("arctan2", lambda y, a, b: (b / (a * a + b * b), -a / (a * a + b * b)))
tanh = _unary("tanh", lambda y, a: 1.0 - y * y)
erf = _unary("erf", lambda y, a: 2.0 / math.sqrt(math.pi) * exp(-(a * a)))

absolute = _unary("absolute", lambda y, a: sign(a))
sign = _unary("sign")
floor = _unary("floor")
ceil = _unary("ceil")
rint = _unary("rint")
maximum = _binary("maximum", lambda y, a, b: (_share(a > b, a, b), _share(b > a, a, b)))
minimum = _binary("minimum", lambda y, a, b: (_share(a < b, a, b), _share(b < a, a, b)))

less = _binary("less")
less_equal = _binary("less_equal")
greater = _binary("greater")
greater_equal = _binary("greater_equal")
equal = _binary("equal")
not_equal = _binary("not_equal")
logical_and = _binary("logical_and")
logical_or = _binary("logical_or")
logical_xor = _binary("logical_xor")
logical_not = _unary("logical_not")
bitwise_and = _binary("bitwise_and")
bitwise_or = _binary("bitwise_or")
bitwise_xor = _binary("bitwise_xor")
invert = _unary("invert")
isnan = _unary("isnan")
isinf = _unary("isinf")
isfinite = _unary("isfinite")


def select(condition: Number, a: Number, b: Number) -> Expr:
    """Return `a` where the condition holds, else `b`."""
    return apply("select", condition, a, b)


def _select_partials(_y: Expr, *args: Expr) -> tuple[Number, ...]:
    return 0.0, select(args[0], 1.0, 0.0), select(args[0], 0.0, 1.0)


def _cast_partials(_y: Expr, *_args: Expr) -> tuple[Number, ...]:
    return (1.0,)


FUNCTIONS["select"] = Function("select", 3, _select_partials)
FUNCTIONS["cast"] = Function("cast", 1, _cast_partials)


def _share(wins: Expr, a: Expr, b: Expr) -> Expr:
    """1 for the winner, 0 for the loser, a half each in a tie."""
    return select(wins, 1.0, select(equal(a, b), 0.5, 0.0))
