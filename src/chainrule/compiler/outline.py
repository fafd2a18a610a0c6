"""Outline: what it takes to run a program, without the nests that its kernels were made from.

It says which kernels there are, on what they work and in which order. It is kept in the cache beside
the machine code, under the program's identity, so that a program that was compiled before need not
be lowered again. How to lower a program is not known here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.cache import cache
from chainrule.compiler.cpu.kernel import Kernel
from chainrule.compiler.cpu.pieces import digest
from chainrule.compiler.cpu.schedule import Call, Place
from chainrule.compiler.cpu.target import Target


@dataclass(frozen=True)
class Known:
    """A kernel by the key of its code: what a schedule asks of it; it is written only where it is missing."""

    name: str
    key: str
    parts: int
    scratch: int
    flops: int
    bytes: int
    write: Callable[[], Kernel] = field(repr=False, compare=False)

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill the function with the code."""
        self.write().emit(function, target)


@dataclass(frozen=True)
class Outline:
    """The calls of a program, the bytes of its own memory, and the errors of its flags.

    The first `checks` calls decide whether the others are made.
    """

    calls: tuple[Call, ...]
    memory: int
    flags: tuple[tuple[str, str], ...]
    checks: int

    @staticmethod
    def of(calls: Sequence[Call], memory: int, flags: Sequence[tuple[str, str]], checks: int) -> Outline:
        """Return the outline of calls of real kernels."""
        known: dict[str, Known] = {}
        made: list[Call] = []
        for call in calls:
            kernel = call.kernel
            if call.key not in known:
                sizes = map(int, (kernel.parts, kernel.scratch, kernel.flops, kernel.bytes))
                key = hashlib.sha256(call.key.encode()).hexdigest()
                known[call.key] = Known(kernel.name, key, *sizes, lambda kernel=kernel: kernel)
            made.append(Call(known[call.key], call.operands, call.writes))
        return Outline(tuple(made), memory, tuple(flags), checks)

    def to_bytes(self) -> bytes:
        """Return the outline as bytes."""
        kernels = list(dict.fromkeys(call.kernel for call in self.calls))
        places = {kernel: place for place, kernel in enumerate(kernels)}
        return json.dumps({
            "memory": self.memory,
            "flags": self.flags,
            "checks": self.checks,
            "kernels": [[k.name, k.key, k.parts, k.scratch, k.flops, k.bytes] for k in kernels],
            "calls": [
                [places[call.kernel], [[p.base, p.offset, p.size] for p in call.operands], call.writes]
                for call in self.calls
            ],
        }).encode()  # fmt: skip

    @staticmethod
    def from_bytes(data: bytes, kernel: Callable[[int], Kernel]) -> Outline:
        """Return the outline that `to_bytes` was called on; `kernel` gives the real one of a call."""
        found = json.loads(data)
        first: dict[int, int] = {}
        for place, (number, _, _) in enumerate(found["calls"]):
            first.setdefault(number, place)
        known = [
            Known(*facts, partial(kernel, first[number])) for number, facts in enumerate(found["kernels"])
        ]
        calls = [
            Call(known[number], tuple(Place(b, o, size=size) for b, o, size in operands), tuple(writes))
            for number, operands, writes in found["calls"]
        ]
        return Outline(
            tuple(calls),
            found["memory"],
            tuple((kind, text) for kind, text in found["flags"]),
            found["checks"],
        )


def kept(
    text: str | None, target: Target, kernel: Callable[[int], Kernel], make: Callable[[], Outline]
) -> Outline:
    """Return the outline of the program with this identity: from the cache, or made now and kept."""
    folder = cache()
    if folder is None or text is None:
        return make()
    name = digest(f"outline {text}", target)
    data = folder.get(name)
    if data is not None:
        return Outline.from_bytes(data, kernel)
    made = make()
    folder.put(name, made.to_bytes())
    return made
