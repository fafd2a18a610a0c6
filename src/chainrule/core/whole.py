"""Whole numbers among arguments: sizes, counts and lengths, told apart from all else in one way.

NumPy's integers are as good as Python's; a bool is none, though Python takes it for 0 or 1.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError


def whole_number(whose: str, name: str, value: Any, least: int = 1) -> int:
    """Return an argument as an int; ArgumentError, opened by `whose`, if it is none or below `least`."""
    try:
        number = least - 1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ArgumentError(f"{whose}: {name} must be an integer of at least {least}, got {value!r}")
    return number
