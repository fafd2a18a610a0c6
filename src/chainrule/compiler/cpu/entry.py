"""Entry: native code that Python calls as it calls functions of its own, in a tenth of ctypes' time.

Short programs would spend a fifth of a call in ctypes, which looks at every argument anew. Here all
that a run needs is known before the call, and the code is in the form of CPython's own methods.
What the program computes is not known here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import POINTER, Code, constant
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.target import Target

NAME = "entry"
_METHOD = ir.FunctionType(POINTER, [POINTER, POINTER])
_ADDRESS_IN = ir.FunctionType(POINTER, [POINTER])
_KEEP = ir.FunctionType(ir.VoidType(), [POINTER])
_NO_ARGUMENTS = 4  # METH_NOARGS


class _Definition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


_NEW = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(_Definition), ctypes.py_object, ctypes.py_object)


def write(alone: ir.Function, target: Target) -> None:
    """Add a method to a module: its `self` is a number, where the addresses of table and room are."""
    code = Code(ir.Function(alone.module, _METHOD, NAME), target)
    builder, itself = code.builder, code.function.args[0]
    frame = builder.call(alone.module.declared("PyLong_AsVoidPtr", _ADDRESS_IN), [itself])
    table, room = (builder.load(code.at(frame, place, np.int64), POINTER) for place in range(2))
    builder.call(alone, [table, room, constant(0), constant(1)])
    builder.call(alone.module.declared("Py_IncRef", _KEEP), [itself])  # what is returned is the caller's
    builder.ret(itself)


def entry(library: Library, table: Any, room: Any) -> Callable[[], object]:
    """Return a function that runs the first iteration on a table, in a room, and lets no thread in.

    It holds what it works on.
    """
    frame = (ctypes.c_void_p * 2)(ctypes.addressof(table), room.address)
    definition = _Definition(b"once", library.address(NAME), _NO_ARGUMENTS, None)
    held = library, table, room, frame, definition
    new = _NEW(("PyCFunction_NewEx", ctypes.pythonapi))
    return new(ctypes.byref(definition), ctypes.addressof(frame), held)


@cache
def linked() -> None:
    """Tell LLVM where Python's own functions are: not every Python shows them to other libraries."""
    for name in ("PyLong_AsVoidPtr", "Py_IncRef"):
        llvm.add_symbol(name, ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value)
