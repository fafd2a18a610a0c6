"""Constants: arrays that a traced function uses although no argument or tensor from outside holds them.

A program has each as it was when it was used. One that the function changes later, and somebody keeps,
would be changed by every run, so it is refused. What is computed with them is not known here.
"""

from __future__ import annotations

import gc
import weakref

import numpy as np

from chainrule.core.program import Value
from chainrule.core.spec import Array
from chainrule.errors import TraceError


class Constants:
    """The constants of one trace, with what they held when they were first used."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Value, Array, bytes]] = {}

    def note(self, value: Value, array: Array) -> None:
        """Note a constant as it is now."""
        value.constant = array
        self._seen[id(value)] = value, array, array.tobytes()

    def stale(self, value: Value, array: Array) -> bool:
        """Tell whether an array that was known as a value holds other numbers by now."""
        known = self._seen.get(id(value))
        return known is not None and known[1] is array and array.tobytes() != known[2]

    def settle(self) -> None:
        """Give constants that were changed what they held; raise TraceError if one outlives the trace.

        To be called when nothing else of the trace holds them.
        """
        changed = {
            id(_owner(array)): weakref.ref(_owner(array))
            for value, array, before in self._seen.values()
            if value.constant is not None and array.tobytes() != before
        }
        if not changed:
            return
        for value, array, before in self._seen.values():
            if value.constant is not None and id(_owner(array)) in changed:
                value.constant = np.frombuffer(before, array.dtype).reshape(array.shape)
        self._seen.clear()
        array = None
        gc.collect()
        if any(ref() is not None for ref in changed.values()):
            raise TraceError(
                "a NumPy array is changed in place while a function is compiled that has used it",
                hint="keep what changes in a tensor (cr.tensor(array), t.assign(...)): it is then state; "
                "or use a copy, which stays as it is",
            )


def _owner(array: Array) -> Array:
    """Return the array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
