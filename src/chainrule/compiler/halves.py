"""Halves: floats of 16 bits, which native code does not compute with.

Some processors have no instructions for them. A program that has them is refused before it has run,
whether they are given or made by NumPy's rules for small integers.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.program import Program
from chainrule.errors import DTypeError


def refuse_halves(program: Program) -> None:
    """Raise DTypeError, naming the value, if an equation takes or gives float16."""
    for step in program.equations:
        for value in (*step.reads, step.output):
            if value.spec.dtype == np.float16:
                what = value.name or (f"what {step.op.name} gives" if value is step.output else str(value))
                raise DTypeError(
                    f"{program.name}: {what} is float16, which native code does not compute with",
                    got=f"{step.op.name} of {', '.join(str(each.spec) for each in step.reads)}",
                    hint="x.astype('float32'), before the function is called or before the op",
                )
