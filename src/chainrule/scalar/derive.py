"""Derivatives of expressions: the chain rule from an output back to its variables.

The result is again an expression, so it prints, compiles and differentiates like any other. Parts
of a derivative that are the output itself are read back from it (tanh gives 1 - y * y), and a
choice is kept outermost, so that the branch not taken never puts a NaN into the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.scalar.expr import Expr, apply, constant, is_constant, substitute, walk
from chainrule.scalar.functions import FUNCTIONS


def partials(output: Expr, inputs: Sequence[Expr], saved: Expr | None = None) -> tuple[Expr, ...]:
    """Return d(output)/d(input) for each input, with `saved` standing for the output's value."""
    bars: dict[Expr, Expr] = {output: constant(1.0)}
    for node in reversed(walk(output)):
        bar = bars.get(node)
        if bar is None or not node.args:
            continue
        for arg, rule in zip(node.args, FUNCTIONS[node.function].partials(node, *node.args), strict=True):
            change = times(bar, rule if isinstance(rule, Expr) else constant(rule))
            bars[arg] = apply("add", bars[arg], change) if arg in bars else change
    zero = constant(0.0)
    found = tuple(bars.get(each, zero) for each in inputs)
    if saved is None or not output.args:
        return found
    return tuple(substitute(each, {output: saved}) for each in found)


def times(factor: Expr, other: Expr) -> Expr:
    """Return factor * other; 0 stays 0, and a product with a choice becomes a choice of products."""
    for one, two in ((factor, other), (other, factor)):
        if is_constant(one, 0):
            return one
        if one.function == "select" and (_flat(one.args[1]) or _flat(one.args[2])):
            condition, yes, no = one.args
            return apply("select", condition, times(two, yes), times(two, no))
    return apply("multiply", factor, other)


def _flat(expr: Expr) -> bool:
    """Tell whether a branch is a constant or a choice with a constant branch."""
    return not expr.args or (expr.function == "select" and any(map(_flat, expr.args[1:])))
