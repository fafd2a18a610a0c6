"""Threads: how many of them native code may use, one number for the whole process.

The number changes how long something takes, never its result. Who runs the threads is not known
here.
"""

from __future__ import annotations

import operator
import os
from typing import SupportsIndex

from chainrule.errors import ArgumentError

_VARIABLE = "CHAINRULE_NUM_THREADS"
_asked: int | None = None


def set_num_threads(n: SupportsIndex) -> None:
    """Let native code use `n` threads, at least one. Results are the same bits for every number.

    >>> import chainrule as cr
    >>> cr.set_num_threads(2)
    >>> cr.get_num_threads()
    2
    """
    global _asked  # noqa: PLW0603
    try:
        number = operator.index(n)
    except TypeError:
        number = 0
    if number < 1:
        raise ArgumentError(f"set_num_threads(n): n is {n!r}, not a whole number of at least 1")
    _asked = number


def get_num_threads() -> int:
    """Return how many threads native code may use.

    Unless told otherwise: the environment's CHAINRULE_NUM_THREADS, else the cores that this process
    may run on.
    """
    if _asked is None:
        _from_environment()
    assert _asked is not None
    return _asked


def _from_environment() -> None:
    text = os.environ.get(_VARIABLE, "")
    if text and (not text.isdecimal() or int(text) < 1):
        raise ArgumentError(f"{_VARIABLE}: {text!r} is not a whole number of at least 1")
    set_num_threads(int(text) if text else _cores())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
