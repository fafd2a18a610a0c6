"""`python -m benchmarks [--smoke] [--row TEXT] [--json FILE]`: print the table of ratios."""

from __future__ import annotations

import argparse
import json
import os
import platform

import numpy as np

from benchmarks import capture, eager, features, imports, steps


def main() -> None:
    """Run the rows whose names contain the wanted text."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one short round: does every row run?")
    parser.add_argument("--row", default="", help="only rows of groups whose name contains this")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    groups = {"eager": eager, "steps": steps, "capture": capture, "imports": imports, "features": features}
    threads = os.environ.get("OMP_NUM_THREADS", f"default ({os.cpu_count()} cores)")
    print(f"{platform.processor() or platform.machine()}, NumPy {np.__version__}, threads: {threads}")
    print("medians; in brackets, how many times our time the peer takes")
    found = {}
    for name, group in groups.items():
        if options.row in name:
            for row in group.rows(rounds=1 if options.smoke else 15):
                print(row.text(), flush=True)
                found[row.name] = dict(row.seconds)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(found, file, indent=2)


if __name__ == "__main__":
    main()
