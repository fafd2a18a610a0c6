"""Modules of LLVM: functions with their blocks of instructions, and tables of constants.

What is written here is text in the end. What the instructions mean is LLVM's business, and which ones
are written that of `builder`.
"""

from __future__ import annotations

from chainrule.compiler.cpu.ir.values import Argument, Constant, FunctionType, Phi, PointerType, Type, Value

_POINTER = PointerType()


class Module:
    """What LLVM compiles at once; `globals` are its functions and tables by name, str() is the text."""

    def __init__(self, triple: str) -> None:
        self.triple = triple
        self.globals: dict[str, Function | Table] = {}

    def declared(self, name: str, kind: FunctionType) -> Function:
        """Return the function of a name: as it is known, or as one of another module."""
        known = self.globals.get(name)
        return known if isinstance(known, Function) else Function(self, kind, name)

    def __str__(self) -> str:
        return "\n".join([f'target triple = "{self.triple}"', *map(str, self.globals.values())])


class Table(Value):
    """Numbers in memory that nobody changes, seen in its module only; `align` in bytes (0: any)."""

    __slots__ = ("align", "numbers")

    def __init__(self, module: Module, name: str, numbers: Constant, align: int = 0) -> None:
        super().__init__(_POINTER, f'@"{name}"')
        self.numbers, self.align = numbers, align
        module.globals[name] = self

    def __str__(self) -> str:
        align = f", align {self.align}" if self.align else ""
        return f"{self.text} = internal constant {self.numbers.typed}{align}"


class Block:
    """Instructions that follow one another; `end` is the last, which tells where to go on."""

    __slots__ = ("end", "label", "lines")

    def __init__(self, label: str) -> None:
        self.label, self.lines, self.end = label, list[str | Phi](), ""

    def __str__(self) -> str:
        return "\n".join([f"{self.label}:", *map(str, self.lines), self.end])


class Function(Value):
    """A function, of another module as long as it has no block.

    An `internal` one is seen in its module only; one that is not `inline` stays a function.
    """

    __slots__ = ("_numbers", "args", "blocks", "inline", "internal", "kind", "module", "name")

    def __init__(
        self, module: Module, kind: FunctionType, name: str, *, internal: bool = False, inline: bool = True
    ) -> None:
        super().__init__(_POINTER, f'@"{name}"')
        self.module, self.kind, self.name = module, kind, name
        self.internal, self.inline = internal, inline
        self.args = [Argument(each, f"%a{place}") for place, each in enumerate(kind.args)]
        self.blocks: list[Block] = []
        self._numbers = 0
        module.globals[name] = self

    def append_basic_block(self, name: str) -> Block:
        """Return a new block; the first is where the function begins."""
        block = Block(f"{name}.{self.number()}")
        self.blocks.append(block)
        return block

    def number(self) -> int:
        """Return a number that no name in the function has yet."""
        self._numbers += 1
        return self._numbers

    def __str__(self) -> str:
        result: Type = self.kind.result
        if not self.blocks:
            return f"declare {result.text} {self.text}({', '.join(each.text for each in self.kind.args)})"
        args = [f"{a.type.text}{' noalias' if a.noalias else ''} {a.text}" for a in self.args]
        head = f"define {'internal ' if self.internal else ''}{result.text} {self.text}({', '.join(args)})"
        head += " {" if self.inline else " noinline {"
        return "\n".join([head, *map(str, self.blocks), "}"])
