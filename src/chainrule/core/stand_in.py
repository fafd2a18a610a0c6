"""Stand-ins: arrays with a shape and a dtype but no values, for what a traced function computes.

A tensor that outlives the trace still holds one: reading it is refused, and floats in it are NaN.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from chainrule.core.spec import Array, Spec
from chainrule.errors import TraceError

SEEN = bytes(16) + b"\xff" * 16  # what they look at, zeros or NaN; nobody can write there


def stand_in(spec: Spec) -> Array:
    """Return the stand-in for an array of a spec."""
    start = 16 if spec.dtype.kind == "f" else 0
    return np.ndarray(spec.shape, spec.dtype, SEEN, start, (0,) * len(spec.shape))


def is_stand_in(array: Array) -> bool:
    """Tell whether an array is one."""
    return array.base is SEEN


def refuse_stand_in() -> NoReturn:
    """Raise the TraceError for a tensor that is left over from a trace."""
    raise TraceError(
        "a tensor was computed while a function was traced, so it has no value",
        hint="return it from the compiled function, or watch it; what the function keeps elsewhere "
        "(attributes, lists, hooks) is not computed again at each run",
    )
