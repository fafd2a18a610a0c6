"""Addresses: where in memory an array lies, and whether native code can use it as it is.

Native code wants arrays in C order, aligned and in the machine's byte order, and states that do not
share memory. What is computed with them is not known here.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Container, Sequence

import numpy as np

from chainrule.core.spec import Array
from chainrule.errors import ArgumentError

_byte, _addressof = ctypes.c_char.from_buffer, ctypes.addressof
_IN_ORDER = 0x1 | 0x100  # NumPy's flags for C order and for alignment


def address(memory: Array | bytearray) -> int:
    """Return where memory begins."""
    try:
        return _addressof(_byte(memory))  # a quarter of what NumPy's own interface takes
    except (TypeError, ValueError):  # read-only, or empty
        return np.asarray(memory).__array_interface__["data"][0]


def native(array: Array) -> Array:
    """Return an array in the byte order of the machine."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def located(array: Array) -> tuple[Array, int]:
    """Return an array as native code can read it, itself or a copy, and where that begins."""
    if array.__class__ is np.ndarray and array.flags.num & _IN_ORDER == _IN_ORDER and array.dtype.isnative:
        return array, address(array)
    copy = np.array(array, native(array).dtype, order="C")
    return copy, address(copy)


class Spans:
    """Where the written ones of some arrays begin and end in memory.

    Raises ArgumentError if one of them shares memory with another array: the program reads and
    writes them as if they were apart.
    """

    def __init__(self, arrays: Sequence[Array], written: Container[int], names: Sequence[str]) -> None:
        found = [(*np.lib.array_utils.byte_bounds(each), i) for i, each in enumerate(arrays) if each.size]
        found.sort()
        end, last = 0, -1  # the furthest end so far, and whose it is
        for low, high, place in found:
            if low < end and (place in written or last in written):
                if np.shares_memory(arrays[place], arrays[last]):
                    raise ArgumentError(
                        f"{names[last]} and {names[place]} share memory, and one of them is changed in place",
                        hint="use one tensor in both places, or give one of them a copy of its own",
                    )
            if high > end:
                end, last = high, place
        self._starts = [low for low, _, place in found if place in written]
        self._ends = [high for _, high, place in found if place in written]
        self.first, self.last = min(self._starts, default=0), max(self._ends, default=0)

    def meet(self, start: int, size: int) -> bool:
        """Tell whether any of so many bytes from an address on is written."""
        if start >= self.last or start + size <= self.first:
            return False
        place = bisect_left(self._starts, start + size) - 1
        return place >= 0 and self._ends[place] > start
