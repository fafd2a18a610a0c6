"""`python -m benchmarks.page FIGURES...`: the page of the documentation, from the figures of a run or more.

It tells how was measured and on what, then in a table for each group our figure beside the best
peer's, then the rows that we lose, then everybody's figures. It knows the JSON file only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.table import from_json, quantity
from benchmarks.timing import OURS, Row

INTRODUCTION = """\
# Benchmarks

This page is made by

```sh
python -m benchmarks --json docs/benchmarks.json
python -m benchmarks.page docs/benchmarks.json > docs/benchmarks.md
```

from a run over every row, or from several over some rows each, on one machine, whose files are named one
after the other. Each contender is a process of its own, with the number of threads set for every library
in it. First all contenders must agree: the losses of ten steps from the same weights on the same batches,
and of an epoch of ten more, to 1e-5 (dropout switched off for this comparison only). Then each warms up
by itself for a second, and they take turns; with several threads each time after a pause, as the idle
threads of some libraries keep a core busy for a while. A figure is the median over the rounds; in brackets
stand the quartiles. *Step* is one call with one batch, its loss read. *Epoch* is the time of an iteration
where a whole epoch is asked for, shuffled: `.epoch` here, `lax.scan` in one call or a loop of calls in JAX,
`partial_fit` in scikit-learn, a loop elsewhere.
*Flops* are the useful ones: 2 for each multiply-add of a matrix product or convolution, forward and
backward, by one formula for all. *Peak* is what a loop of fused multiply-adds reaches in the same rounds
on the same threads. Shares are above 100 % where a net multiplies less than the formula says (convolutions in
tiles), and where that loop did not get all cores, as on a shared machine.

PyTorch runs with its fused optimisers; `torch.compile` is given the net and the loss. JAX has images
channels last and gives its state away (`donate_argnums`). scikit-learn stands where `MLPClassifier` is the
same net: cross entropy, more than two classes, no dropout. NumPy is written by hand, for MLPs.

*Compile* is what the first two steps take longer than two later ones, in a fresh process after the imports:
*cold* with an empty folder for caches, *cached* in a second process with what the first one left there.
*Memory* is how much larger a fresh process is at its peak within three steps than with its libraries, data
and net before the first.
*Eager* operations and the *import* stand beside NumPy, of which they are made, and *capture*, a step of which
all values are kept, beside itself with more looked at: these tell what is paid, not who is ahead.
"""


def page(found: dict[str, Any]) -> str:
    """Return the page of what a run has found."""
    rows = [row for row in map(from_json, found["rows"]) if not row.failure]
    parts = [INTRODUCTION, "## The machine\n", *(f"- {k}: {v}" for k, v in found["machine"].items()), ""]
    for group, members in groupby((row for row in rows if row.best), key=lambda row: row.group):
        parts += [f"## {group.capitalize()}\n", *_comparison(list(members)), ""]
    lost = [row for row in rows if row.best and row.ratio(row.best) < 1]
    parts += ["## Rows that we lose\n", *(map(_loss, lost) if lost else ["None in this run."]), ""]
    parts += ["## Everybody's figures\n"]
    for group, members in groupby(rows, key=lambda row: row.group):
        parts += [f"### {group.capitalize()}: all\n", *_everybody(list(members)), ""]
    return "\n".join(parts)


def _comparison(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a table with our figure and the best peer's."""
    fast = any(row.flops for row in rows)
    more = ("GFLOP/s", "of peak") if fast else ()
    yield _line("row", "threads", OURS, "best peer", "its figure", "ratio", *more)
    yield _line("---", *["---:"] * 2, "---", *["---:"] * (2 + len(more)))
    for row in rows:
        ours, peer = row.figures[OURS], row.figures[row.best]
        rate = row.flops / ours.median if row.flops else 0.0
        speed = (f"{rate / 1e9:.3g}", f"{100 * rate / row.peak:.0f} %") if row.peak else ("",) * len(more)
        figures = quantity(ours.median, row.unit), row.best, quantity(peer.median, row.unit)
        yield _line(row.name, row.threads or "", *figures, f"{row.ratio(row.best):.2f}", *speed)


def _everybody(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a table with a column for each contender."""
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    yield _line("row", "threads", *names)
    yield _line("---", *["---:"] * (1 + len(names)))
    for row in rows:
        yield _line(row.name, row.threads or "", *(_noisy(row, name) for name in names))


def _noisy(row: Row, name: str) -> str:
    if name not in row.figures:
        return ""
    low, high = row.figures[name].quartiles
    middle = quantity(row.figures[name].median, row.unit)
    return f"{middle} ({quantity(low, row.unit)} to {quantity(high, row.unit)})"


def _loss(row: Row) -> str:
    threads = f", threads: {row.threads}" if row.threads else ""
    return f"- {row.group} {row.name}{threads}: {row.best} takes {row.ratio(row.best):.2f} times our figure"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def merged(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return several runs on one machine as one; of a row that was measured twice, the later figures."""
    machine = runs[0]["machine"]
    for other in runs[1:]:
        if {**other["machine"], "rounds": ""} != {**machine, "rounds": ""}:
            raise SystemExit("benchmarks.page: the files are from different machines or versions")
    rounds = dict.fromkeys(each for run in runs for each in run["machine"].get("rounds", "").split(" or "))
    rows = {(row["group"], row["name"], row.get("threads")): row for run in runs for row in run["rows"]}
    order = list(dict.fromkeys(group for group, *_ in rows))
    return {
        "machine": {**machine, "rounds": " or ".join(rounds)},
        "rows": sorted(rows.values(), key=lambda row: order.index(row["group"])),
    }


if __name__ == "__main__":
    print(page(merged([json.loads(Path(name).read_text()) for name in sys.argv[1:]])), end="")
