"""Arrays beside memory that must not be touched, and kernels built to be run on them.

Each array ends right at a protected page, or begins right behind one: a read or write outside of it
ends the process with a fault. `call` runs a kernel on such arrays, with its scratch guarded, too.
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.native import Native
from chainrule.compiler.cpu.schedule import Call, Place
from chainrule.compiler.cpu.target import _FORCED, Target, target

_PAGE, _NO_ACCESS = mmap.PAGESIZE, 0
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.mprotect.restype = ctypes.c_int


class Guarded:
    """Memory between two protected pages; keep it as long as the array is used."""

    def __init__(self, size: int) -> None:
        self.room = -(-max(size, 1) // _PAGE) * _PAGE
        self.map = mmap.mmap(-1, self.room + 2 * _PAGE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map)) + _PAGE
        for page in (self.start - _PAGE, self.start + self.room):
            if _libc.mprotect(page, _PAGE, _NO_ACCESS):
                raise OSError(ctypes.get_errno(), "mprotect")

    def array(self, shape: Sequence[int], dtype: Any, *, at_end: bool) -> np.ndarray:
        """Return an array filled with bytes 0xFF that ends at a protected page, or begins behind one."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        memory = (ctypes.c_char * size).from_address(self.start + (self.room - size if at_end else 0))
        memory._keep = self  # type: ignore[attr-defined]
        made = np.ndarray(tuple(shape), kind, buffer=memory)
        ctypes.memset(made.ctypes.data, 0xFF, size)
        return made


def guarded(values: np.ndarray, *, at_end: bool = True) -> np.ndarray:
    """Return a C-contiguous copy of an array beside a protected page."""
    made = Guarded(values.nbytes).array(values.shape, values.dtype, at_end=at_end)
    made[...] = values
    return made


def targets() -> dict[str, Target]:
    """Return the host's target and the lesser ones that this host can run, by name."""
    host = target()
    if not host.triple.startswith("x86"):
        return {"host": host}
    lesser = {name: Target(host.triple, *made) for name, made in _FORCED.items()}
    return {
        "host": host,
        **{name: made for name, made in lesser.items() if made.vector_bits <= host.vector_bits},
    }


@lru_cache(maxsize=64)
def _built(kernel: Any, operands: int, made_for: Target) -> tuple[Library, Callable[..., None]]:
    module = ir.Module(made_for.triple)
    signature = ir.FunctionType(ir.VoidType(), [POINTER] * (operands + 1) + [INDEX, INDEX])
    kernel.emit(ir.Function(module, signature, "kernel"), made_for)
    library = Library(str(module), made_for)
    kinds = [ctypes.c_void_p] * (operands + 1) + [ctypes.c_int64] * 2
    return library, ctypes.CFUNCTYPE(None, *kinds)(library.address("kernel"))


def call(
    kernel: Any,
    arrays: Sequence[np.ndarray],
    made_for: Target,
    cuts: Sequence[int] = (),
    *,
    at_end: bool = True,
) -> None:
    """Run all parts of a kernel, in ranges that end at the cuts, each with a scratch of garbage."""
    _, function = _built(kernel, len(arrays), made_for)
    size = -(-kernel.scratch // 64) * 64
    bounds = [0, *cuts, kernel.parts]
    for low, high in itertools.pairwise(bounds):
        scratch = Guarded(size).array((size,), np.uint8, at_end=at_end)
        function(*(each.ctypes.data for each in arrays), scratch.ctypes.data, low, high)


def run_guarded(step: Any, *, at_end: bool) -> None:
    """Run a compiled step with each of its buffers between protected pages, constants as they are."""
    bases: dict[Any, int] = {}
    arrays: list[np.ndarray] = []
    for _, buffers, _ in step.work:
        for each in buffers:
            if each not in bases:
                bases[each] = len(arrays)
                arrays.append(guarded(np.zeros(each.count, each.dtype), at_end=at_end))
                if each.array is not None:
                    arrays[-1][...] = each.array.reshape(-1)
    calls = [
        Call(kernel, tuple(Place(bases[each], size=each.bytes) for each in buffers), writes)
        for kernel, buffers, writes in step.work
    ]
    Native(calls, target()).run([each.ctypes.data for each in arrays])
