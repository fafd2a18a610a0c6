"""What the test runs add up to: every collected test ran in one of them, and none failed.

    tally.py COLLECTED REPORT...   COLLECTED: what `pytest --collect-only -q` printed
    tally.py --strict REPORT       nothing in this run was skipped

Reports are pytest's JUnit files. A test that is skipped in one run (no PyTorch there) and passes
in the next has run; a test that is skipped everywhere is an error, as is a run without tests.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def outcomes(report: str) -> dict[str, str]:
    """Test -> passed, failed or skipped (with the reason), of one run; an expected failure has run."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        outcome = "passed"
        if skip is not None and skip.get("type") != "pytest.xfail":
            outcome = f"skipped: {skip.get('message')}"
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        found[f"{case.get('classname')}.{case.get('name')}".lstrip(".")] = outcome
    return found


def collected(listing: str) -> set[str]:
    """The same names, from the lines `tests/test_a.py::TestB::test_c[parameter]`."""
    names = set()
    for line in Path(listing).read_text(encoding="utf-8").splitlines():
        path, separator, parameter = line.partition("[")
        file, *inner = path.split("::")
        if file.endswith(".py") and inner:
            dotted = ".".join([file.removesuffix(".py").replace("/", "."), *inner])
            names.add(dotted + separator + parameter)
    return names


def problems(wanted: set[str] | None, runs: list[dict[str, str]]) -> list[str]:
    """One line for each test that failed or never ran."""
    everything = [(name, outcome) for run in runs for name, outcome in run.items()]
    ran = {name for name, outcome in everything if not outcome.startswith("skipped")}
    if wanted is None:
        unwanted = [f"{name}: {outcome}" for name, outcome in everything if outcome != "passed"]
    else:
        unwanted = [f"{name}: failed" for name, outcome in everything if outcome == "failed"]
        reasons = dict(everything)
        unwanted += [f"{name}: {reasons.get(name, 'never started')}" for name in sorted(wanted - ran)]
    return unwanted + ([] if ran else ["no test ran"])


def main(arguments: list[str]) -> int:
    """Print the tally and return the exit status."""
    listing, *reports = arguments
    runs = [outcomes(report) for report in reports]
    found = problems(None if listing == "--strict" else collected(listing), runs)
    ran = {name for run in runs for name, outcome in run.items() if outcome == "passed"}
    print(f"{len(ran)} tests ran, {len(found)} problems", *found, sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
