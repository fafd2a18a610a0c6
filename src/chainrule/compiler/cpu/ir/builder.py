"""Builder: writes instructions of LLVM, one method each, under LLVM's own names.

An instruction becomes text at once: nothing is kept that a kernel does not ask for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from chainrule.compiler.cpu.ir.module import Block, Function
from chainrule.compiler.cpu.ir.values import (
    BIT,
    Constant,
    FunctionType,
    Phi,
    PointerType,
    Slot,
    Type,
    Value,
    VectorType,
    like,
)

_POINTER = PointerType()
_SIGNED = {"<": "slt", "<=": "sle", ">": "sgt", ">=": "sge", "==": "eq", "!=": "ne"}
_UNSIGNED = {"<": "ult", "<=": "ule", ">": "ugt", ">=": "uge", "==": "eq", "!=": "ne"}
_ORDERED = {"<": "olt", "<=": "ole", ">": "ogt", ">=": "oge", "==": "oeq", "!=": "one", "ord": "ord"}
_UNORDERED = {"<": "ult", "<=": "ule", ">": "ugt", ">=": "uge", "==": "ueq", "!=": "une", "uno": "uno"}

_Two: TypeAlias = Callable[..., Value]  # (a, b, flags=()): of the type of both
_Cast: TypeAlias = Callable[["Builder", Value, Type], Value]
_Compare: TypeAlias = Callable[["Builder", str, Value, Value], Value]


def _two(opcode: str) -> _Two:
    def write(self: Builder, a: Value, b: Value, flags: Sequence[str] = ()) -> Value:
        kind = a.type
        words = " ".join((opcode, *flags)) if flags else opcode
        return self.value(kind, f"{words} {kind.text} {a.text}, {b.text}")

    return write


def _cast(opcode: str) -> _Cast:
    def write(self: Builder, value: Value, kind: Type) -> Value:
        if value.type.text == kind.text:
            return value
        return self.value(kind, f"{opcode} {value.typed} to {kind.text}")

    return write


def _compare(opcode: str, names: dict[str, str]) -> _Compare:
    def write(self: Builder, sign: str, a: Value, b: Value) -> Value:
        line = f"{opcode} {names[sign]} {a.type.text} {a.text}, {b.text}"
        return self.value(like(a.type, BIT), line)

    return write


class Builder:
    """Writes at the end of a block; what is written into a closed one stands before its last line."""

    def __init__(self, function: Function, block: Block) -> None:
        self.function, self.block = function, block

    def position_at_end(self, block: Block) -> None:
        """Go on in another block."""
        self.block = block

    def value(self, kind: Type, line: str) -> Value:
        """Write an instruction that makes a value of a type, and return that."""
        text = f"%v{self.function.number()}"
        self.block.lines.append(f"  {text} = {line}")
        return Value(kind, text)

    # ---- numbers ---------------------------------------------------------------------------------
    add, sub, mul = _two("add"), _two("sub"), _two("mul")
    udiv, sdiv, urem, srem = _two("udiv"), _two("sdiv"), _two("urem"), _two("srem")
    shl, lshr, ashr = _two("shl"), _two("lshr"), _two("ashr")
    and_, or_, xor = _two("and"), _two("or"), _two("xor")
    fadd, fsub, fmul, fdiv, frem = (_two(f"f{name}") for name in ("add", "sub", "mul", "div", "rem"))

    trunc, zext, sext, bitcast = _cast("trunc"), _cast("zext"), _cast("sext"), _cast("bitcast")
    fptrunc, fpext, fptosi = _cast("fptrunc"), _cast("fpext"), _cast("fptosi")
    sitofp, uitofp = _cast("sitofp"), _cast("uitofp")

    icmp_signed, icmp_unsigned = _compare("icmp", _SIGNED), _compare("icmp", _UNSIGNED)
    fcmp_ordered, fcmp_unordered = _compare("fcmp", _ORDERED), _compare("fcmp", _UNORDERED)

    def not_(self, value: Value) -> Value:
        """Write the value with every bit changed."""
        ones = [-1] * value.type.count if isinstance(value.type, VectorType) else -1
        return self.xor(value, Constant(value.type, ones))

    def fneg(self, value: Value) -> Value:
        """Write the value with the other sign."""
        return self.value(value.type, f"fneg {value.typed}")

    def hidden(self, value: Value) -> Value:
        """Write an integer once more, so that LLVM does not know which one it is."""
        return self.value(value.type, f'call {value.type.text} asm "", "=r,0"({value.typed})')

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """Write `yes` where the condition holds, `no` elsewhere."""
        return self.value(yes.type, f"select {condition.typed}, {yes.typed}, {no.typed}")

    # ---- vectors ---------------------------------------------------------------------------------
    def insert_element(self, vector: Value, number: Value, place: Value) -> Value:
        """Write the vector with another number at a place."""
        return self.value(vector.type, f"insertelement {vector.typed}, {number.typed}, {place.typed}")

    def extract_element(self, vector: Value, place: Value) -> Value:
        """Write the number at a place of a vector."""
        assert isinstance(vector.type, VectorType)
        return self.value(vector.type.element, f"extractelement {vector.typed}, {place.typed}")

    def shuffle_vector(self, one: Value, two: Value, picks: Value) -> Value:
        """Write a vector of numbers of two others, the second one's counted on."""
        assert isinstance(one.type, VectorType)
        assert isinstance(picks.type, VectorType)
        kind = VectorType(one.type.element, picks.type.count)
        return self.value(kind, f"shufflevector {one.typed}, {two.typed}, {picks.typed}")

    # ---- memory ----------------------------------------------------------------------------------
    def alloca(self, kind: Type) -> Slot:
        """Write a place on the stack for a value of a type."""
        return Slot(_POINTER, self.value(_POINTER, f"alloca {kind.text}").text, kind)

    def load(self, pointer: Value, kind: Type, align: int = 0) -> Value:
        """Write the value of a type at an address that so many bytes divide (0: as its type wants)."""
        return self.value(kind, f"load {kind.text}, {pointer.typed}{_aligned(align)}")

    def store(self, value: Value, pointer: Value, align: int = 0) -> None:
        """Write a value to an address."""
        self.block.lines.append(f"  store {value.typed}, {pointer.typed}{_aligned(align)}")

    def load_atomic(self, pointer: Value, ordering: str, align: int, kind: Type) -> Value:
        """Write a value as other threads have left it."""
        return self.value(kind, f"load atomic {kind.text}, {pointer.typed} {ordering}{_aligned(align)}")

    def atomic_rmw(self, operation: str, pointer: Value, value: Value, ordering: str) -> Value:
        """Change a value at once for all threads; write what it was."""
        return self.value(value.type, f"atomicrmw {operation} {pointer.typed}, {value.typed} {ordering}")

    def gep(self, pointer: Value, offset: Value, kind: Type) -> Value:
        """Write the address so many values of a type behind another."""
        return self.value(_POINTER, f"getelementptr {kind.text}, {pointer.typed}, {offset.typed}")

    # ---- control ---------------------------------------------------------------------------------
    def phi(self, kind: Type, name: str = "v") -> Phi:
        """Write a value that depends on where its block was entered from."""
        made = Phi(kind, f"%{name}.{self.function.number()}")
        self.block.lines.append(made)
        return made

    def call(self, function: Function, args: Sequence[Value], flags: Sequence[str] = ()) -> Value:
        """Call a function of the module."""
        return self.call_at(function, function.kind, args, flags)

    def call_at(
        self, pointer: Value, kind: FunctionType, args: Sequence[Value], flags: Sequence[str] = ()
    ) -> Value:
        """Call the function of a type that a pointer leads to."""
        how = " ".join([*flags, kind.text if kind.var_arg else kind.result.text])
        line = f"call {how} {pointer.text}({', '.join([each.typed for each in args])})"
        if kind.result.text != "void":
            return self.value(kind.result, line)
        self.block.lines.append(f"  {line}")
        return Value(kind.result, "")

    def branch(self, block: Block) -> None:
        """Go on in a block."""
        self.block.end = f"  br label %{block.label}"

    def cbranch(self, condition: Value, yes: Block, no: Block) -> None:
        """Go on in one block where a bit is set, in the other elsewhere."""
        self.block.end = f"  br {condition.typed}, label %{yes.label}, label %{no.label}"

    def ret(self, value: Value | None = None) -> None:
        """End the function, with its result if it has one."""
        self.block.end = f"  ret {value.typed if value else 'void'}"


def _aligned(align: int) -> str:
    return f", align {align}" if align else ""
