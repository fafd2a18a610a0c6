"""A whole graph checked gate by gate, each by itself, with every finding in words.

Each is taken out of the graph and checked by `rule`; here it is said what was found, in which gate, and by
how much.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from chainrule.core.mode import no_grad
from chainrule.core.op import apply
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import ChainruleError
from chainrule.inspect.checking.differences import Moved, Tolerance
from chainrule.inspect.checking.report import CheckReport, Excuse, Finding
from chainrule.inspect.checking.rule import Edge, alone, compare, given_by_rule, proof, random_upstream
from chainrule.inspect.checking.ties import wrong_share, wrong_together
from chainrule.inspect.gate import Gate


def check_gates(gates: Iterable[Gate], limit: int, tolerance: Tolerance) -> CheckReport:
    """Return the report on all gates that compute something; `limit` probes for each input."""
    report = CheckReport()
    for gate in gates:
        if not gate.is_leaf and gate.tracked:
            report.gates += 1
            _Desk(gate, report, limit, tolerance).check()
    return report


class _Desk:
    """One gate on the desk, and the report that takes what is found."""

    def __init__(self, gate: Gate, report: CheckReport, limit: int, tolerance: Tolerance) -> None:
        self.gate, self.report, self.limit, self.tolerance = gate, report, limit, tolerance
        self.op = gate.tensor.op

    def check(self) -> None:
        """Check the value, then the rule of each tracked input, then what tied inputs get together."""
        self._stale()
        node = alone(self.gate)
        if not node.requires_grad:
            return
        upstream = random_upstream(node)
        try:
            given = given_by_rule(node, upstream)
        except (ChainruleError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            words = error.headline if isinstance(error, ChainruleError) else str(error)
            self._found("raised", None, f"the rule raised {type(error).__name__}: {words}")
            return
        before = len(self.report.findings)
        for place, each in enumerate(node.inputs):
            if isinstance(each, Tensor) and each.requires_grad:
                self._input(Moved(node, place, upstream), given[place])
        if len(self.report.findings) == before and (together := wrong_together(node, upstream)):
            got, right = together
            self._found(
                "tie",
                None,
                f"at ties its inputs get {got:.6g} together, where the value moves by {right:.6g}",
            )

    def _stale(self) -> None:
        """Find a value that its inputs do not give any more."""
        node = self.gate.tensor
        with no_grad(), np.errstate(all="ignore"):
            now = apply(node.op, node.inputs, node.params).data
        if now.shape != node.shape or not np.allclose(now, node.data, rtol=1e-5, atol=1e-8, equal_nan=True):
            self._found("stale", None, "its inputs were changed after it was computed (a stale graph)")

    def _input(self, moved: Moved, rule: Array | None) -> None:
        """Check one input."""
        rule = np.zeros(moved.x.shape) if rule is None else rule
        self.report.edges += 1
        self.report.numbers += moved.x.size
        if rule.shape != moved.x.shape:
            text = f"the rule gives shape {rule.shape} for an input of shape {moved.x.shape}"
            self._found("shape", moved.place, text)
            return
        edge = compare(moved, rule, self.limit, self.tolerance)
        self.report.compared += int(edge.found.covered.sum())
        if edge.wrong.any():
            self._wrong(edge)
            return
        if edge.undecided.any():
            count, name = int(edge.undecided.sum()), self.op.input_name(moved.place)
            self.report.undecided.append(
                f"{self.op.name} (gate {self.gate.name!r}), input {name!r}: {count} number(s) have no "
                "finite difference quotient"
            )
        if share := wrong_share(moved, rule):
            where, got, right = share
            text = f"the numbers tied at {list(where)} get {got:.6g} together, and must get {right:.6g}"
            self._found("tie", moved.place, text, index=where, rule=got, numerical=right)
        elif edge.excused.any():
            name = self.op.input_name(moved.place)
            count = int(edge.excused.sum())
            self.report.excused.append(Excuse(self.gate.name, self.op.name, name, count, proof(edge)))

    def _wrong(self, edge: Edge) -> None:
        """Report the worst number of a wrong input."""
        where, count = edge.worst, int(edge.wrong.sum())
        got, right = float(edge.rule[where]), float(edge.found.central[where])
        name = f"{self.op.input_name(edge.moved.place)}{list(where) if where else ''}"
        kind = "wrong" if np.isfinite(got) else "not finite"
        among = int(edge.found.covered.sum())
        self._found(
            kind, edge.moved.place,
            f"worst at {name}: the rule gives {got:.6g}, finite differences {right:.6g}"
            f"{_pattern(got, right)}; {count} of {edge.rule.size} number(s) disagree",
            index=where, rule=got, numerical=right, wrong=count, compared=among,
        )  # fmt: skip

    def _found(self, kind: str, place: int | None, text: str, **numbers: object) -> None:
        name, source = "", ""
        if place is not None:
            name = self.op.input_name(place)
            source = self.gate.sources[self.gate.places.index(place)].name
        finding = Finding(kind, self.gate.name, self.op.name, name, source, text, **numbers)  # pyright: ignore
        self.report.findings.append(finding)


def _pattern(got: float, right: float) -> str:
    """Return ' (the sign is wrong)' and the like where the two numbers tell what is wrong by themselves."""
    if got == 0:
        return " (nothing arrives)"
    if np.isclose(got, -right, rtol=1e-5):
        return " (the sign is wrong)"
    for ratio, how in ((got / right if right else 0.0, "large"), (right / got, "small")):
        if np.isfinite(ratio) and 1 < round(ratio) < 10_000 and np.isclose(ratio, round(ratio), rtol=1e-5):
            return f" ({round(ratio)} times too {how})"
    return ""
