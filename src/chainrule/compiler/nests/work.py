"""Work: how many operations a scalar expression takes, roughly, with sums and products as the unit.

From it follows whether a value is worth a place in memory. It is the same for all processors, so that
programs are; what a target really takes is counted in `cpu/scalars.py`.
"""

from __future__ import annotations

from chainrule.scalar.expr import Expr, walk

_HEAVY = {"exp": 12, "expm1": 16, "log": 12, "log1p": 14, "tanh": 16, "erf": 24, "sin": 14, "cos": 14,
          "power": 30, "arctan2": 24, "divide": 4, "sqrt": 4, "remainder": 8, "floor_divide": 8}  # fmt: skip
_known: dict[Expr, float] = {}


def work(root: Expr) -> float:
    """Return the operations of an expression, its arguments given."""
    found = _known.get(root)
    if found is None:
        found = _known[root] = sum(_HEAVY.get(each.function, 1.0) for each in walk(root) if each.args)
    return found
