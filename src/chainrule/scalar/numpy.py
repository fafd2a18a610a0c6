"""Expressions as NumPy code: one generated Python function for a set of results.

The generated source computes shared parts once and is what a user would write by hand; it is kept
on the function as `source`. Arrays appear only here, as whatever the function is called with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.scalar.expansions import erf_expansion
from chainrule.scalar.expr import CONSTANT, VARIABLE, Expr, substitute, walk

INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
UFUNCS = {
    name: getattr(np, name)
    for name in (
        "add", "subtract", "multiply", "divide", "negative", "power", "floor_divide", "remainder",
        "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "arctan2", "tanh",
        "absolute", "sign", "floor", "ceil", "rint", "maximum", "minimum",
        "less", "less_equal", "greater", "greater_equal", "equal", "not_equal",
        "logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_and", "bitwise_or",
        "bitwise_xor", "invert", "isnan", "isinf", "isfinite",
    )
}  # fmt: skip
EXPANSIONS: dict[str, Callable[..., Expr]] = {"erf": erf_expansion}


def expanded(root: Expr) -> Expr:
    """Return `root` with the functions that NumPy lacks written out."""
    replacements = {
        node: EXPANSIONS[node.function](*node.args) for node in walk(root) if node.function in EXPANSIONS
    }
    while replacements:
        root = substitute(root, replacements)
        replacements = {
            node: EXPANSIONS[node.function](*node.args) for node in walk(root) if node.function in EXPANSIONS
        }
    return root


def source(name: str, parameters: Sequence[str], root: Expr) -> str:
    """Return the text of a Python function of `parameters` that computes `root` with NumPy."""
    root = expanded(root)
    names: dict[Expr, str] = {}
    lines: list[str] = []
    chooses = False
    for node in walk(root):
        if node.function == VARIABLE:
            names[node] = str(node.value)
        elif node.function == CONSTANT:
            names[node] = f"({node.value!r})"
        else:
            names[node] = f"_{len(lines)}"
            chooses = chooses or node.function == "select"
            lines.append(f"{names[node]} = {_call(node, [names[arg] for arg in node.args])}")
    # A result is an array of its own even where nothing is computed.
    lines.append(f"return {names[root]}" if root.args else f"return asarray({names[root]}).copy()")
    if chooses:
        # Both branches are computed, so the one not taken may divide by zero in silence.
        lines = ["with errstate(all='ignore'):", *("    " + line for line in lines)]
    body = "\n".join("    " + line for line in lines)
    return f"def {name}({', '.join(parameters)}):\n{body}\n"


def _call(node: Expr, args: list[str]) -> str:
    if node.function == "select":
        return f"where({', '.join(args)})"
    if node.function == "cast":
        return f"asarray({args[0]}).astype({node.value!r})"
    if node.function in INFIX:
        return f"{args[0]} {INFIX[node.function]} {args[1]}"
    return f"{node.function}({', '.join(args)})"


def function(name: str, parameters: Sequence[str], root: Expr) -> Callable[..., Any]:
    """Return a NumPy function computing `root`; a single ufunc call is that ufunc itself."""
    args = [arg.value if arg.function == VARIABLE else None for arg in root.args]
    if root.function in UFUNCS and args == list(parameters):
        return UFUNCS[root.function]
    text = source(f"{name}_value", parameters, root)
    scope: dict[str, Any] = {**UFUNCS, "where": np.where, "errstate": np.errstate, "asarray": np.asarray}
    exec(compile(text, f"<{name}>", "exec"), scope)
    made = scope[f"{name}_value"]
    made.source = text
    return made
