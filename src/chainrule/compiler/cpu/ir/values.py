"""Types and values of LLVM, each with the text by which LLVM knows it.

A value is what an instruction takes and makes; two types of the same text are equal.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

UNDEFINED = object()  # the number of a constant that may be any


class Type:
    """What a value is; called with a number, it makes a constant of it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, number: Any) -> Constant:
        """Return a constant of the type."""
        return Constant(self, number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text


class VoidType(Type):
    """What a function returns that returns nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("void")


class PointerType(Type):
    """An address."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("ptr")


class IntType(Type):
    """An integer of so many bits."""

    __slots__ = ("width",)

    def __init__(self, width: int) -> None:
        super().__init__(f"i{width}")
        self.width = width


class FloatType(Type):
    """A float32."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("float")


class DoubleType(Type):
    """A float64."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("double")


class VectorType(Type):
    """So many numbers side by side in a register."""

    __slots__ = ("count", "element")

    def __init__(self, element: Type, count: int) -> None:
        super().__init__(f"<{count} x {element.text}>")
        self.element, self.count = element, count


class ArrayType(Type):
    """So many numbers side by side in memory."""

    __slots__ = ("count", "element")

    def __init__(self, element: Type, count: int) -> None:
        super().__init__(f"[{count} x {element.text}]")
        self.element, self.count = element, count


class FunctionType(Type):
    """A function: what it returns, and the types of its arguments (and of more, `var_arg`)."""

    __slots__ = ("args", "result", "var_arg")

    def __init__(self, result: Type, args: Sequence[Type], var_arg: bool = False) -> None:
        known = [*(each.text for each in args), *["..."] * var_arg]
        super().__init__(f"{result.text} ({', '.join(known)})")
        self.result, self.args, self.var_arg = result, tuple(args), var_arg


BIT = IntType(1)
I32 = IntType(32)


def like(kind: Type, element: Type) -> Type:
    """Return the type of as many elements as another type has."""
    return VectorType(element, kind.count) if isinstance(kind, VectorType) else element


class Value:
    """What an instruction takes: its type, and how it is written."""

    __slots__ = ("text", "type")

    def __init__(self, kind: Type, text: str) -> None:
        self.type, self.text = kind, text

    @property
    def typed(self) -> str:
        """The value with its type, as arguments are written."""
        return f"{self.type.text} {self.text}"


class Argument(Value):
    """An argument of a function; `noalias` promises that nothing else leads to its memory."""

    __slots__ = ("noalias",)

    def __init__(self, kind: Type, text: str) -> None:
        super().__init__(kind, text)
        self.noalias = False


class Slot(Value):
    """The address of a variable on the stack, which holds a value of the type `holds`."""

    __slots__ = ("holds",)

    def __init__(self, kind: Type, text: str, holds: Type) -> None:
        super().__init__(kind, text)
        self.holds = holds


class Constant(Value):
    """A known number, one for each element of a vector or an array, None (zeros), or UNDEFINED."""

    __slots__ = ("constant",)

    def __init__(self, kind: Type, constant: Any) -> None:
        super().__init__(kind, _written(kind, constant))
        self.constant = constant


class Phi(Value):
    """A value that depends on the block from which its own was entered."""

    __slots__ = ("_incoming",)

    def __init__(self, kind: Type, text: str) -> None:
        super().__init__(kind, text)
        self._incoming: list[str] = []

    def add_incoming(self, value: Value, block: Any) -> None:
        """Note the value where the block before was this one."""
        self._incoming.append(f"[{value.text}, %{block.label}]")

    def __str__(self) -> str:
        return f"  {self.text} = phi {self.type.text} {', '.join(self._incoming)}"


def _written(kind: Any, constant: Any) -> str:
    if constant is None:
        return "zeroinitializer"
    if constant is UNDEFINED:
        return "undef"
    text = kind.text
    if isinstance(constant, Sequence):
        element = kind.element
        items = ", ".join(f"{element.text} {_written(element, each)}" for each in constant)
        return f"<{items}>" if text[0] == "<" else f"[{items}]"
    if text in ("float", "double"):
        return _hexadecimal(constant, text)
    return str(int(constant))


def _hexadecimal(number: float, kind: str) -> str:
    """Return a number as the bits of a double, which LLVM takes for both kinds."""
    if kind == "float":
        (number,) = struct.unpack("f", struct.pack("f", number))
    return f"0x{struct.pack('>d', number).hex()}"
