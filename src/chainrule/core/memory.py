"""Memory: arrays that begin where a line of the processor's cache does.

Native code reads and writes vectors as long as a line; begun between two lines, each would take both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.core.spec import Array, Shape

LINE = 64  # bytes


def empty(shape: Shape, dtype: npt.DTypeLike) -> Array:
    """Return an array in C order with whatever the memory holds."""
    return _placed(np.empty, shape, np.dtype(dtype))


def zeros(shape: Shape, dtype: npt.DTypeLike) -> Array:
    """Return an array of zeros in C order."""
    return _placed(np.zeros, shape, np.dtype(dtype))


def copied(array: Array) -> Array:
    """Return a copy in C order."""
    made = empty(array.shape, array.dtype)
    made[...] = array
    return made


def _placed(make: Callable[..., Array], shape: Shape, dtype: np.dtype[Any]) -> Array:
    size = math.prod(shape) * dtype.itemsize
    whole = make(size + LINE, np.uint8)
    return np.ndarray(shape, dtype, whole, -whole.ctypes.data % LINE)
