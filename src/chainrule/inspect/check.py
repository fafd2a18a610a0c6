"""`graph.check()`: every op's gradient against a numerical one, and the wrong op by its name.

The public face of `inspect.checking`: a graph gate by gate, or a function as a whole with the usual
causes of a failed check tried one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from chainrule.core.tensor import Tensor
from chainrule.core.whole import whole_number
from chainrule.errors import ArgumentError
from chainrule.inspect.checking.causes import STALE, Case, causes
from chainrule.inspect.checking.differences import Tolerance
from chainrule.inspect.checking.function import STEP, Way, compare_function
from chainrule.inspect.checking.gates import check_gates
from chainrule.inspect.checking.report import CheckReport, FunctionReport
from chainrule.inspect.checking.subject import Function, Subject
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
    limit = whole_number("check", "limit", limit)
    gates: Iterable[Gate] = recorded(graph, Names(), Sweep()) if isinstance(graph, Tensor) else graph._gates
    return check_gates(gates, limit, Tolerance(rtol, atol))


def check_function(
    f: Function,
    parameters: Any,
    batch: Sequence[Any] = (),
    *,
    step: float = STEP,
    rtol: float = 1e-4,
    limit: int = 10,
    penalty: Callable[[], Tensor] | None = None,
) -> FunctionReport:
    """Check the gradients of `f(*batch)`, one number, by `parameters`: a module, or tensors by name.

    First plainly, as by hand: the function as it is, `limit` numbers of each parameter, central
    differences by `step`, relative errors up to `rtol`. Then carefully, which decides: in float64,
    random numbers and buffers held still, kinks recognised, and every gate by itself. Where the
    plain check fails, the usual causes are tried one by one and named. `penalty` is the part of the
    loss that is a regulariser. Parameters, buffers and random state are as before afterwards.

    >>> import chainrule as cr
    >>> w = cr.tensor([0.5, 1e-8], requires_grad=True)
    >>> report = check_function(lambda: (cr.nn.functional.relu(w) ** 2 + cr.exp(w)).sum(), {"w": w})
    >>> report.ok, [cause.name for cause in report.causes]
    (True, ['float32'])
    """
    if not step > 0 or limit < 1:
        raise ArgumentError(f"check: step and limit must be positive, got {step} and {limit}")
    subject, way = Subject(f, parameters, batch), Way(step, rtol, limit)
    with subject.conditions(still=False, wide=False):
        if subject.run() is subject.run():
            return FunctionReport([STALE.evidence], [], [], 0, CheckReport(), [STALE])
        plain = compare_function(subject, way)
    with subject.conditions(still=True, wide=True):
        careful = compare_function(subject, Way(STEP, rtol, limit, careful=True))
        gates = check(careful.loss, limit=10 * limit) if careful.loss.requires_grad else CheckReport()
    case = Case(subject, plain, careful, way, penalty)
    report = FunctionReport(
        wrong=[str(each) for each in careful.wrong] + careful.scattered,
        kinks=[str(each) for each in careful.kinks],
        plain=[str(each) for each in plain.wrong],
        compared=len(careful.numbers),
        gates=gates,
    )
    report.causes = causes(case)
    return report
