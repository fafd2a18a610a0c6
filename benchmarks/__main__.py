"""`python -m benchmarks`: print who takes how long for the same work, row by row.

The rows are measured one after the other, each with all its contenders in turn. With `--json` the
figures are kept; `python -m benchmarks.page FILE` makes the page of the documentation from them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks import (
    augmentation,
    capture,
    compiling,
    convs,
    eager,
    features,
    imports,
    machine,
    memory,
    mlps,
    predictions,
    table,
)
from benchmarks.timing import Options

GROUPS = (mlps, convs, predictions, compiling, memory, eager, capture, imports, features, augmentation)


def main() -> int:
    """Run the wanted rows; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one small round: does every row run?")
    parser.add_argument("--row", default="", metavar="TEXT", help="only rows with this in group and name")
    parser.add_argument("--peer", default="", metavar="TEXT", help="only peers with this in their names")
    parser.add_argument("--threads", default="", help="1, 2, ... or all; without it 1 and all")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender; 15 unless told")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    given = parser.parse_args()
    options = Options(given.smoke, given.row, given.peer, _threads(given.threads, given.smoke), given.rounds)
    facts = machine.facts() | (
        {"smoke": "small batches, one round: no figures"}
        if options.smoke
        else {"rounds": str(options.rounds)}
    )
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
    print("\nmedians (quartiles), how many times our time a peer takes, useful flops\n", flush=True)
    rows = []
    for group in GROUPS:
        for row in group.rows(options):
            print(table.text(row), end="\n\n", flush=True)
            rows.append(row)
            if given.json:
                given.json.write_text(json.dumps(table.as_json(rows, facts), indent=1) + "\n")
    failed = [row.name for row in rows if row.failure]
    print(f"{len(rows)} rows" + (f", failed: {'; '.join(failed)}" if failed else ""))
    return 1 if failed or not rows else 0


def _threads(given: str, smoke: bool) -> tuple[int, ...]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if given and given != "all":
        return (int(given),)
    if smoke and not given:
        return (1,)  # contenders then build at the same time without disturbing each other
    return (cores,) if given or cores == 1 else (1, cores)


if __name__ == "__main__":
    sys.exit(main())
