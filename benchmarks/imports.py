"""The time of `import`: whole interpreters, started in turn.

Floor: `import numpy`. Bar: 150 ms in all on a quiet machine.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.timing import Options, Row, in_process

NAME = "start and import"


def rows(options: Options) -> Iterator[Row]:
    """Yield the time from the start of an interpreter to the end of an import."""
    if not options.wants("imports", NAME):
        return
    names = [name for name in ("chainrule", "numpy", "torch") if importlib.util.find_spec(name)]
    contenders = {
        name: lambda name=name: subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
        for name in names
    }
    yield in_process("imports", NAME, contenders, options, budget=0.0)
