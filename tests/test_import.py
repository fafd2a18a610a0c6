"""`import chainrule` stays light: in a fresh interpreter it brings NumPy along, and nothing else.

Time is not measured here: the figure is in the benchmarks.
"""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"llvmlite", "sklearn", "scipy", "matplotlib", "PIL", "rich", "typer", "safetensors", "torch"}

# What was there before is left out: an installation may hook its own finders into every start.
FOREIGN = """
import sys
before = {name.partition(".")[0] for name in sys.modules}
import chainrule
after = {name.partition(".")[0] for name in sys.modules}
print(*sorted(after - before - sys.stdlib_module_names))
"""


def fresh(code: str) -> str:
    """Run code in a new interpreter where warnings are errors, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def test_import_brings_numpy_and_nothing_else() -> None:
    brought = set(fresh(FOREIGN).split())
    assert not brought & HEAVY
    assert brought <= {"chainrule", "numpy"}


def test_the_test_sees_what_is_imported() -> None:
    assert fresh(FOREIGN.replace("import chainrule", "import json, numpy")).split() == ["numpy"]
