"""Which kind of formula a use has: keyed by the family of its op, never by the op.

A family that is not listed has the plainest formula, a call. Boxes, which have no op, are told by what is
inside.
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.core.families import Composite
from chainrule.inspect.explain.formulas import scalars
from chainrule.inspect.explain.formulas.bodies import Body, steps_of
from chainrule.inspect.explain.formulas.formula import Formula
from chainrule.inspect.explain.formulas.moving import Folding, Moving
from chainrule.inspect.explain.formulas.products import Products
from chainrule.inspect.explain.formulas.use import Use

_KINDS: dict[str, Callable[[Use], Formula]] = {
    "elementwise": scalars.of_op,
    "contraction": Products,
    "reduction": Folding,
    "movement": Moving,
}


def formula_of(use: Use) -> Formula:
    """Return the formula of a use: of its op, of the body of a composite, or of what is in a box."""
    if use.op is None:
        return scalars.of_box(use) or Body(use, [_plain(step) for step in use.inside])
    if isinstance(use.op, Composite):
        return Body(use, [_plain(step) for step in steps_of(use)])
    return _plain(use)


def _plain(use: Use) -> Formula:
    return _KINDS.get(use.op.family if use.op else "", Formula)(use)
