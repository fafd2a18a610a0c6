"""What a check found: wrong gradients, numbers excused at kinks, and how much was compared.

Plain records that print themselves and turn into JSON; they compute nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from chainrule.errors import CheckError


@dataclass(frozen=True)
class Finding:
    """One edge whose gradient is wrong: which op, which of its inputs, and the worst number.

    `kind` is 'wrong', 'shape', 'raised', 'not finite', 'tie' or 'stale'; `input` is the op's own
    name for the input, `source` the gate that it came from, `gate` the gate's name in the graph.
    """

    kind: str
    gate: str
    op: str
    input: str
    source: str
    text: str
    index: tuple[int, ...] | None = None
    rule: float | None = None
    numerical: float | None = None
    wrong: int = 0
    compared: int = 0

    def __str__(self) -> str:
        if not self.input:
            return f"{self.op} (gate {self.gate!r}): {self.text}"
        where = f"gradient of input {self.input!r} (from {self.source!r})"
        return f"{self.op} (gate {self.gate!r}), {where}: {self.text}"


@dataclass(frozen=True)
class Excuse:
    """Numbers of one edge that lie at a kink, and the proof for one of them."""

    gate: str
    op: str
    input: str
    count: int
    proof: str

    def __str__(self) -> str:
        return f"{self.op} (gate {self.gate!r}), input {self.input!r}, {self.count} number(s): {self.proof}"


@dataclass
class CheckReport:
    """The outcome of `graph.check()`: print it, ask `.ok`, or call `.require()`."""

    findings: list[Finding] = field(default_factory=list[Finding])
    excused: list[Excuse] = field(default_factory=list[Excuse])
    undecided: list[str] = field(default_factory=list[str])
    gates: int = 0
    edges: int = 0
    compared: int = 0
    numbers: int = 0

    @property
    def ok(self) -> bool:
        """Whether no gradient was found wrong."""
        return not self.findings

    def require(self) -> CheckReport:
        """Return the report, or raise CheckError that names the first wrong gradient."""
        if self.ok:
            return self
        raise CheckError(f"check: {self.findings[0]}", got=f"{len(self.findings)} finding(s)")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {"ok": self.ok, **asdict(self)}

    def json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.as_dict(), indent=1)

    def __str__(self) -> str:
        verdict = "every gradient agrees" if self.ok else f"{len(self.findings)} WRONG"
        lines = [
            f"check: {verdict}; {self.gates} gates, {self.edges} edges, "
            f"{self.compared} of {self.numbers} numbers one by one, in float64"
        ]
        lines += [f"  wrong    {each}" for each in self.findings]
        lines += [f"  excused  {each}" for each in self.excused]
        lines += [f"  open     {each}" for each in self.undecided]
        return "\n".join(lines)

    __repr__ = __str__


@dataclass
class FunctionReport:
    """The outcome of `check_function`: `ok` if the careful pass and every gate agree.

    `plain` are the numbers that disagree by hand, `causes` why.
    """

    wrong: list[str]
    kinks: list[str]
    plain: list[str]
    compared: int
    gates: CheckReport
    causes: list[Any] = field(default_factory=list[Any])

    @property
    def ok(self) -> bool:
        """Whether the gradients are right."""
        return not self.wrong and self.gates.ok

    def require(self) -> FunctionReport:
        """Return the report, or raise CheckError that names the op, or else the number."""
        if self.ok:
            return self
        self.gates.require()
        raise CheckError(f"check: {self.wrong[0]}", got="; ".join(map(str, self.causes)))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {"ok": self.ok, **asdict(self), "gates": self.gates.as_dict()}

    def json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.as_dict(), indent=1)

    def __str__(self) -> str:
        verdict = "the gradients are right" if self.ok else "the gradients are WRONG"
        lines = [f"check: {verdict}; {self.compared} numbers of the parameters compared"]
        lines += [f"  wrong    {each}" for each in self.wrong]
        if self.plain:
            lines.append(f"  by hand  {len(self.plain)} number(s) disagree, as {self.plain[0]}")
        lines += [f"  cause    {each}" for each in self.causes]
        return "\n".join([*lines, str(self.gates)])

    __repr__ = __str__
