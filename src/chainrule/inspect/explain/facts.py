"""The facts on a gate's card, as a record that stays when the graph moves on.

What has not been computed is None. How the facts look is told elsewhere (`text`, `page`, `record`),
how they are found in `card`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.core.spec import Array
from chainrule.inspect.explain.formulas.families import formula_of
from chainrule.inspect.explain.formulas.formula import Formula
from chainrule.inspect.explain.formulas.use import Place, Use
from chainrule.inspect.local import Local


@dataclass(frozen=True)
class Edge:
    """One input of a gate: `argument` is the op's own name for it, `source` the gate it comes from.

    `local` is an array of partials if the gate is elementwise, else an operator; None where the input
    holds no real numbers. `tracked` tells whether a gradient flows here at all. `residual` is the
    largest |upstream x local - downstream|.
    """

    argument: str
    source: str
    tracked: bool
    value: Array
    local: Array | Local | None
    downstream: Array | None
    residual: float | None


@dataclass(frozen=True)
class Branch:
    """What one edge that leaves a gate brought back: one part of the sum that is its upstream."""

    user: str
    argument: str
    gradient: Array | None


@dataclass(frozen=True)
class Facts:
    """What is known of one gate; `use` is None for a leaf, `branches` are empty for the output."""

    name: str
    op: str
    family: str
    tracked: bool
    value: Array
    upstream: Array | None
    edges: tuple[Edge, ...]
    branches: tuple[Branch, ...]
    use: Use | None

    @cached_property
    def formula(self) -> Formula | None:
        """The meaning in symbols and with numbers; None for a leaf."""
        return None if self.use is None else formula_of(self.use)

    @property
    def residual(self) -> float | None:
        """The largest residual over the inputs; None until there is one."""
        found = [edge.residual for edge in self.edges if edge.residual is not None]
        return max(found) if found else None

    @property
    def place(self) -> Place:
        """The element that is worked out as an example.

        The first that is not finite, else where upstream is largest, else the first.
        """
        value, upstream = self.value, self.upstream
        if not value.size:
            return ()
        flat = int((~np.isfinite(value)).argmax()) if value.dtype.kind == "f" else 0
        if upstream is not None and np.isfinite(value).all():
            flat = largest(upstream)
        return tuple(int(each) for each in np.unravel_index(flat, value.shape))


def largest(array: Array) -> int:
    """Return where the largest size is, counted through all the numbers; NaN counts as infinite."""
    return int(np.nan_to_num(np.abs(array), nan=np.inf).argmax())
