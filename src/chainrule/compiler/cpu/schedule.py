"""Schedule: which calls the threads share, and where they must wait for each other.

A program is a list of calls: kernels on places in memory. Here it is decided from sizes alone, so
that the code is the same for any number of threads: a small call is done by the first thread, a
large one by all, and a barrier stands only where a call touches what another thread wrote or reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from chainrule.compiler.cpu.kernel import Kernel

# What one core of today does in a nanosecond, roughly: only choices of speed hang on it.
_FLOPS, _BYTES = 100.0, 40.0
_SMALL = 2000.0  # nanoseconds; sharing gains less than what a barrier and moving the data cost
_BARRIER = 400.0  # nanoseconds


@dataclass(frozen=True)
class Place:
    """Where an operand lies: table[base] + offset + step * iteration, in bytes.

    `size` is the length in bytes; 0 means that it is not known, and so up to the end of its base.
    Different bases are taken to be apart.
    """

    base: int
    offset: int = 0
    step: int = 0
    size: int = 0

    def meets(self, other: Place) -> bool:
        """Tell whether two places may share a byte."""
        if self.base != other.base:
            return False
        if self.step or other.step or not self.size or not other.size:
            return True
        return self.offset < other.offset + other.size and other.offset < self.offset + self.size


@dataclass(frozen=True)
class Call:
    """A kernel on its operands; `writes` are the numbers of the operands that it writes."""

    kernel: Kernel
    operands: tuple[Place, ...]
    writes: tuple[int, ...]

    @cached_property
    def key(self) -> str:
        """What tells the kernel's code from others'."""
        return f"{type(self.kernel).__module__} {len(self.operands)} {self.kernel!r}"

    @cached_property
    def parts(self) -> int:
        """Into how many pieces the kernel's work can be cut."""
        return self.kernel.parts

    @cached_property
    def shared(self) -> bool:
        """Tell whether all threads take part."""
        return self.nanoseconds > _SMALL and self.parts > 1

    @cached_property
    def nanoseconds(self) -> float:
        """A rough estimate of the time on one thread."""
        return max(self.kernel.flops / _FLOPS, self.kernel.bytes / _BYTES)

    def moved(self, base: int, step: int) -> Call:
        """Return the call with the places in a base so many bytes further each iteration."""
        places = (replace(each, step=step) if each.base == base else each for each in self.operands)
        return replace(self, operands=tuple(places))

    def follows(self, other: Call) -> bool:
        """Tell whether this call must come after the other one: one writes what the other touches."""
        return any(
            mine.meets(theirs)
            for i, mine in enumerate(self.operands)
            for j, theirs in enumerate(other.operands)
            if i in self.writes or j in other.writes
        )


@dataclass(frozen=True)
class Gate:
    """The calls from number `before` on are made only while no byte of `flags` is set."""

    before: int
    flags: Place


@dataclass(frozen=True)
class Schedule:
    """Calls in order; `waits[i]` tells whether all threads meet before call i."""

    calls: tuple[Call, ...]
    waits: tuple[bool, ...]
    gate: Gate | None = None

    @cached_property
    def nanoseconds(self) -> float:
        """A rough estimate of an iteration's time on one thread."""
        return sum(call.nanoseconds for call in self.calls)

    @cached_property
    def gain(self) -> float:
        """Nanoseconds an iteration that a second thread saves; below zero where it only costs."""
        shared = sum(call.nanoseconds for call in self.calls if call.shared)
        return shared / 2 - _BARRIER * (sum(self.waits) + 1)


def schedule(calls: Sequence[Call], gate: Gate | None = None) -> Schedule:
    """Place barriers between calls; equal kernels become one, so that it plans its work once."""
    known: dict[str, Kernel] = {}
    same = [known.setdefault(call.key, call.kernel) for call in calls]
    made = tuple(
        call if call.kernel is kernel else replace(call, kernel=kernel)
        for call, kernel in zip(calls, same, strict=True)
    )
    return Schedule(made, tuple(_waits(made)), gate)


def _waits(calls: Sequence[Call]) -> Iterator[bool]:
    since: list[Call] = []
    for call in calls:
        wait = any((call.shared or other.shared) and call.follows(other) for other in since)
        since = [call] if wait else [*since, call]
        yield wait
