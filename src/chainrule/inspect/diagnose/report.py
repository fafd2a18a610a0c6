"""A diagnosis in words: findings first, then what was measured; as text and JSON.

The numbers are those of the course that was watched; nothing is measured here. Pages are made elsewhere.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from chainrule.inspect.diagnose.symptoms import Course, Limits, Symptom, symptoms


@dataclass
class Diagnosis:
    """What was found in the course of a training, or in one batch: print it, or ask `.ok`."""

    course: Course
    limits: Limits

    @property
    def findings(self) -> list[Symptom]:
        """What is wrong, the cause before what follows from it."""
        return symptoms(self.course, self.limits)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Return findings and the latest measurements as plain data; None for what is not finite."""
        found: dict[str, Any] = {"ok": self.ok, "findings": [asdict(each) for each in self.findings]}
        if self.course.snapshots:
            last = self.course.last
            found["loss"] = self.course.losses or [last.loss]
            found["layers"] = [asdict(each) for each in last.layers]
            found["activations"] = [
                {**asdict(each), "off": int(each.off.sum()), "dead": each.dead} for each in last.activations
            ]
            found["parameters"] = [
                {**asdict(each), "change": self.change(each.name)} for each in last.weights
            ]
        return _plain(found)

    def json(self) -> str:
        """Return the diagnosis as JSON."""
        return json.dumps(self.as_dict(), indent=1)

    def change(self, name: str) -> float | None:
        """Return the latest change of a parameter in one iteration, as a share of its norm."""
        return self.course.changes[-1].get(name) if self.course.changes else None

    def tables(self) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
        """Return what was measured last: header and rows of layers, activations and parameters."""
        if not self.course.snapshots:
            return []
        last = self.course.last
        return [
            (
                ("layer", "mean", "spread", "size", "gradient"),
                [(e.name, *map(_short, (e.mean, e.spread, e.size, e.gradient))) for e in last.layers],
            ),
            (
                ("activation", "op", "mean", "spread", "dead", "saturated"),
                [
                    (e.name, e.op, _short(e.mean), _short(e.spread), f"{e.dead:.0%}", f"{e.saturated:.0%}")
                    for e in last.activations
                ],
            ),
            (
                ("parameter", "norm", "gradient", "update / weight"),
                [(e.name, *map(_short, (e.norm, e.gradient, self.change(e.name)))) for e in last.weights],
            ),
        ]

    def summary(self) -> str:
        """Return the findings as text, without the measurements."""
        found = self.findings
        lines = [f"diagnosis: {len(found)} finding(s)" if found else "diagnosis: nothing found"]
        return "\n".join(lines + [f"  {number}. {each}" for number, each in enumerate(found, 1)])

    def __str__(self) -> str:
        lines = [self.summary()]
        for header, rows in self.tables():
            widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
            for row in (header, *rows) if rows else ():
                cells = [
                    row[0].ljust(widths[0]),
                    *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
                ]
                lines.append("  " + "  ".join(cells))
        return "\n".join(lines)

    __repr__ = __str__


def _short(number: float | None) -> str:
    return "none" if number is None else f"{number:.3g}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
