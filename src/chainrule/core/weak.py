"""Weak: Python integers among the operands of an op that is traced, as far as NumPy takes them.

NumPy gives an integer the dtype of the arrays that it meets, and refuses one that does not fit; a
program holds it as an int64. How a program computes is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.core.spec import Array

_FITS_ALL = range(128)  # in the range of every integer dtype
_HELD = range(-(2**63), 2**63)


def told(op: Any, operands: Sequence[Any], params: Mapping[str, Any]) -> list[Any]:
    """Return the operands with integers that no int64 holds as numbers with the same effect.

    Raises what the op itself raises where an integer does not fit, and OverflowError where there is no
    number with the same effect.
    """
    if all(each.__class__ is not int or each in _FITS_ALL for each in operands):
        return list(operands)
    arrays = {place: each.dtype for place, each in enumerate(operands) if each.__class__ is np.ndarray}
    tried = [np.ones(1, arrays[place]) if place in arrays else each for place, each in enumerate(operands)]
    with np.errstate(all="ignore"):
        made: Array = np.asarray(op.value(*tried, **params))
    dtypes: list[np.dtype[Any]] = [made.dtype, *arrays.values()]
    return [each if each.__class__ is not int or each in _HELD else _held(each, dtypes) for each in operands]


def _held(number: int, dtypes: Sequence[np.dtype[Any]]) -> Any:
    """Return what stands for an integer next to these dtypes, of which the first is the result's."""
    if any(dtype.kind == "f" for dtype in dtypes):
        return float(number)
    if np.dtype(np.uint64) in dtypes and 0 <= number < 2**64:
        return np.asarray(number, np.uint64)
    if dtypes[0].kind != "b":
        raise OverflowError(f"{number} is no {dtypes[0]}")
    return float("inf") if number > 0 else float("-inf")  # compared: it lies beyond all the others
