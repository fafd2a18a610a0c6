"""What is shown of a row: as text while the benchmarks run, as JSON, and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.timing import OURS, Row, Sample

UNITS = {
    "s": (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)),
    "bytes": (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
}


def text(row: Row) -> str:
    """Return a row as lines: a head, and a line for each contender."""
    threads = f", {row.threads} thread{'s' * (row.threads > 1)}" if row.threads else ""
    head = f"{row.group}: {row.name}{threads}"
    if row.failure:
        return f"{head}\n  FAILED: {row.failure}"
    lines = [head]
    for name, sample in sorted(row.figures.items(), key=lambda each: each[1].median):
        low, high = sample.quartiles
        noise = f"({quantity(low, row.unit)} to {quantity(high, row.unit)})"
        ratio = f"{row.ratio(name):6.2f}x" if name != OURS and OURS in row.figures else " " * 7
        figure = f"{quantity(sample.median, row.unit):>9}  {noise:<22}{ratio}  {speed(row, sample)}"
        lines.append(f"  {name:<22}{figure}{_excess(row, name)}".rstrip())
    if row.best and OURS in row.figures:
        lines.append(f"  the best peer, {row.best}, takes {row.ratio(row.best):.2f} times our time")
    lines += [f"  without {name}: {reason}" for name, reason in row.notes.items()]
    return "\n".join(lines)


def _excess(row: Row, name: str) -> str:
    """Say so where a contender kept more cores busy than it was given threads."""
    cores = row.cores.get(name, 0.0)
    return f"  on {cores:.1f} cores!" if row.threads and cores > row.threads + 0.1 else ""


def speed(row: Row, sample: Sample) -> str:
    """Return the useful flops a second, and their share of the measured peak."""
    if not row.flops:
        return ""
    rate = row.flops / sample.median
    share = f", {100 * rate / row.peak:.0f} % of peak" if row.peak else ""
    return f"{rate / 1e9:.3g} GFLOP/s{share}"


def quantity(value: float, unit: str) -> str:
    """Return a number with three digits and a unit that suits it."""
    for name, size in UNITS[unit]:
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.3g} {unit}"


def as_json(rows: list[Row], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that was measured: for each contender the figure of each round."""
    return {"machine": dict(machine), "rows": [_row_as_json(row) for row in rows]}


def _row_as_json(row: Row) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(row).items() if value}
    return kept | {"figures": {name: list(sample.values) for name, sample in row.figures.items()}}


def from_json(found: Mapping[str, Any]) -> Row:
    """Return the row that `as_json` wrote."""
    figures = {name: Sample(tuple(values)) for name, values in found["figures"].items()}
    return Row(**{**found, "figures": figures})
