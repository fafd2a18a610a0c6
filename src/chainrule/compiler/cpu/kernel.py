"""Kernel: what every piece of native work looks like from outside.

A kernel says how much it does, into how many parts its work can be cut, and writes its own code.
Threads take disjoint ranges of parts in any order; a part owns what it writes, and adds in a fixed
order, so that the bits never depend on who computed what. Which buffers a kernel is run on, and
when, is none of its business.
"""

from __future__ import annotations

from typing import Protocol

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER
from chainrule.compiler.cpu.target import Target


class Kernel(Protocol):
    """Native work over some operands (inputs first, then outputs), as its docstring lists them.

    Its `repr` fully tells which code it makes: it is the key under which code is shared and kept.
    """

    @property
    def name(self) -> str:
        """What the kernel is called in tables."""
        ...

    @property
    def parts(self) -> int:
        """Into how many pieces the work can be cut."""
        ...

    @property
    def scratch(self) -> int:
        """Bytes of working space for each call, aligned to 64, contents undefined at the start."""
        ...

    @property
    def flops(self) -> int:
        """Operations on numbers."""
        ...

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        ...

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill `void f(ptr operand_0, ..., ptr operand_{n-1}, ptr scratch, i64 lo, i64 hi)`."""
        ...


def signature(operands: int) -> ir.FunctionType:
    """Return the type of a kernel's function."""
    return ir.FunctionType(ir.VoidType(), [POINTER] * (operands + 1) + [INDEX, INDEX])


def text(kernel: Kernel, name: str, operands: int, target: Target) -> str:
    """Return a module of LLVM IR whose only visible function is the kernel's."""
    module = ir.Module(target.triple)
    kernel.emit(ir.Function(module, signature(operands), name), target)
    return str(module)
