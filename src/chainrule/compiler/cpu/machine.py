"""Machine code: LLVM IR optimised and compiled to objects, and objects loaded into the process.

Each piece of IR is compiled by itself, in an LLVM context of its own, so pieces can come from
anywhere and share nothing but the names by which they call each other. What a piece computes is
not known here.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import ffi

from chainrule.compiler.cpu.making import making
from chainrule.compiler.cpu.target import Target


@dataclass(frozen=True)
class Piece:
    """A compiled module: its object file, and the optimised IR that it came from, compressed."""

    code: bytes
    packed: bytes

    @property
    def ir(self) -> str:
        """The optimised IR."""
        return zlib.decompress(self.packed).decode()

    def to_bytes(self) -> bytes:
        """Return the piece as bytes."""
        return len(self.code).to_bytes(8, "little") + self.code + self.packed

    @staticmethod
    def from_bytes(data: bytes) -> Piece:
        """Return the piece that `to_bytes` was called on."""
        end = 8 + int.from_bytes(data[:8], "little")
        return Piece(data[8:end], data[end:])


def build(text: str, target: Target, *, plain: bool = False) -> Piece:
    """Return the module in `text`, optimised and compiled; `plain` does both in the quickest way.

    Raises RuntimeError where it is not IR.
    """
    with ExitStack() as held:
        machine = held.enter_context(_machine(target, 0 if plain else 3))
        module = _parsed(text, held)
        module.verify()
        if not plain:
            _optimise(module, machine, held)
        return Piece(_object(machine, module, held), zlib.compress(str(module).encode(), 1))


def _optimise(module: Any, machine: Any, held: ExitStack) -> None:
    """Simplify each function by itself: kernels come with their vectors and their loops unrolled.

    Against LLVM's whole pipeline that takes half the time, and the kernels are as fast.
    """
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
    passes = held.enter_context(llvm.create_pass_builder(machine, options))
    manager = passes.getFunctionPassManager()
    held.callback(manager.detach)
    held.callback(ffi.lib.LLVMPY_DisposeNewFunctionPassManger, manager)  # llvmlite never does
    for function in module.functions:
        if not function.is_declaration:
            _at_once(ffi.lib.LLVMPY_RunNewFunctionPassManager)(manager, function, passes)


def _object(machine: Any, module: Any, held: ExitStack) -> bytes:
    """Return what `machine.emit_object(module)` does."""
    error = held.enter_context(ffi.OutputString())
    buffer = _at_once(ffi.lib.LLVMPY_TargetMachineEmitToMemory)(machine, module, 1, error)
    if not buffer:
        raise RuntimeError(str(error))
    held.callback(ffi.lib.LLVMPY_DisposeMemoryBuffer, buffer)
    return ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer))


def _at_once(function: Any) -> Any:
    """Return a function of LLVM that several threads may be in at once.

    llvmlite lets in one at a time; modules in contexts of their own need no such care.
    """
    return getattr(function, "_cfn", function)


class Library:
    """Machine code loaded into the process; it stays loaded as long as this object lives.

    Made of pieces that may call each other, or of one module's text.
    """

    def __init__(self, pieces: str | Sequence[Piece], target: Target) -> None:
        self.pieces = [build(pieces, target)] if isinstance(pieces, str) else list(pieces)
        self._target = target
        with making:
            self._load()

    def _load(self) -> None:
        # An engine frees its module and its machine with itself, after any context but the global one.
        empty = llvm.parse_assembly("")
        self._engine: Any = llvm.create_mcjit_compiler(empty, _machine(self._target))
        for piece in self.pieces:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(piece.code))
        self._engine.finalize_object()

    @property
    def ir(self) -> str:
        """The optimised IR of all pieces."""
        return "\n".join(piece.ir for piece in self.pieces)

    def address(self, name: str) -> int:
        """Return the address of a function."""
        return self._engine.get_function_address(name)

    def function(self, name: str, kind: Any) -> Any:
        """Return a function of a ctypes type; the library stays loaded as long as that lives, too."""
        made = kind(self.address(name))
        made.library = self
        return made

    def assembly(self) -> str:
        """Return the machine code as text."""
        return "\n".join(_assembly(piece.ir, self._target) for piece in self.pieces)


def _assembly(text: str, target: Target) -> str:
    with ExitStack() as held:
        return held.enter_context(_machine(target)).emit_assembly(_parsed(text, held))


def _parsed(text: str, held: ExitStack) -> Any:
    """Return a module; its context is freed after it, which the garbage collector would not promise."""
    context = held.enter_context(llvm.create_context())
    return held.enter_context(llvm.parse_assembly(text, context))


def _machine(target: Target, level: int = 3) -> Any:
    """Return a new LLVM machine that compiles with so much care (0 to 3)."""
    _initialize()
    made = llvm.Target.from_triple(target.triple)
    return made.create_target_machine(cpu=target.cpu, features=target.features, opt=level, jit=True)


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
