"""`graph.check()`: every op's gradient against a numerical one, and the wrong op by its name.

The public face of `inspect.checking`: a graph gate by gate, or a function as a whole with the usual
causes of a failed check tried one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.inspect.checking.differences import Tolerance
from chainrule.inspect.checking.gates import check_gates
from chainrule.inspect.checking.report import CheckReport
from chainrule.inspect.gate import Gate, Sweep
from chainrule.inspect.recording import Names, recorded


class _Graph(Protocol):
    """What is needed of a graph: its gates, opened."""

    _gates: list[Gate]


def check(graph: _Graph | Tensor, *, limit: int = 100, rtol: float = 1e-6, atol: float = 1e-9) -> CheckReport:
    """Check the rule of every gate of a graph (or behind a tensor) in isolation, in float64.

    `limit` bounds the runs for each input; the numbers left over are checked together in a random
    direction, and searched where that disagrees. Numbers at kinks and ties are excused with their
    proof if the rule gives a subgradient there.

    >>> import chainrule as cr
    >>> x = cr.tensor([-1.0, 0.0, 2.0], requires_grad=True, name="x")
    >>> report = check((cr.nn.functional.relu(x) * x).sum())
    >>> report.ok, report.excused[0].proof
    (True, 'x[1] = 0 +- 6e-06 crosses the switch of maximum(x, 0)')
    """
    if limit < 1:
        raise ArgumentError(f"check: limit must be at least 1, got {limit}")
    gates: Iterable[Gate] = recorded(graph, Names(), Sweep()) if isinstance(graph, Tensor) else graph._gates
    return check_gates(gates, limit, Tolerance(rtol, atol))
