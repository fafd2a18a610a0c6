"""Program: the flat form of a computation, as straight-line steps over numbered values.

A value is an argument, something captured (a parameter, a buffer, the state of an optimiser), a
constant, or the result of one step. Steps are ops, writes into captured arrays, and calls back into
Python. Nothing here runs: a program can be read, checked, counted and rewritten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from chainrule.core.families.contraction import Contraction
from chainrule.core.op import Op
from chainrule.core.spec import Array, Spec
from chainrule.errors import ChainruleError, TraceError


@dataclass(eq=False, slots=True)
class Value:
    """One value of a program: its spec, what it is, and the name that a reader knows it by."""

    number: int
    spec: Spec
    kind: str  # argument, captured, gradient, constant or result
    name: str = ""
    constant: Array | None = None

    def __str__(self) -> str:
        return f"{self.kind[0]}{self.number}" if self.kind != "result" else f"%{self.number}"


Operand: TypeAlias = "Value | float | int | bool | None"


@dataclass(frozen=True, eq=False, slots=True)
class Equation:
    """`output = op(*inputs, **params)`, and inside which module or composite it was computed.

    `reads` are the values that the step takes.
    """

    op: Op
    inputs: tuple[Operand, ...]
    params: dict[str, Any]
    output: Value
    path: str = ""
    reads: tuple[Value, ...] = field(init=False)

    def __post_init__(self) -> None:
        reads = tuple([each for each in self.inputs if isinstance(each, Value)])
        object.__setattr__(self, "reads", reads)


@dataclass(frozen=True, eq=False, slots=True)
class Write:
    """Put `value` into the array of a captured tensor."""

    target: Value
    value: Value

    @property
    def reads(self) -> tuple[Value, ...]:
        """The values that the step takes."""
        return (self.value,)


@dataclass(frozen=True, eq=False, slots=True)
class HostCall:
    """Call back into Python for an effect outside the arrays, such as moving a schedule on."""

    function: Callable[[], Any]
    reads: tuple[Value, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Refusal:
    """Let the run end in an error of a kind with this text if any item of `wrong` is true."""

    wrong: Value
    text: str
    kind: type[ChainruleError]

    @property
    def reads(self) -> tuple[Value, ...]:
        """The values that the step takes."""
        return (self.wrong,)


Step: TypeAlias = Equation | Write | HostCall | Refusal


@dataclass(frozen=True, repr=False)
class Program:
    """Steps in order, the values they begin with, and the results that are wanted."""

    name: str
    arguments: tuple[Value, ...]
    captured: tuple[Value, ...]
    steps: tuple[Step, ...]
    results: tuple[Value, ...]
    names: dict[str, Value] = field(default_factory=dict[str, Value])

    @property
    def equations(self) -> Iterator[Equation]:
        """The steps that compute."""
        return (step for step in self.steps if isinstance(step, Equation))

    def check(self) -> Program:
        """Raise TraceError unless every value is known before it is read, and computed once."""
        known = {id(value) for value in (*self.arguments, *self.captured)}
        for place, step in enumerate(self.steps):
            for value in step.reads:
                if id(value) not in known and value.constant is None:
                    raise TraceError(f"program {self.name}: step {place} reads {value} before it is computed")
            if isinstance(step, Equation):
                if id(step.output) in known:
                    raise TraceError(f"program {self.name}: step {place} computes {step.output} again")
                known.add(id(step.output))
        for value in self.results:
            if value.constant is None and id(value) not in known:
                raise TraceError(f"program {self.name}: the result {value} is never computed")
        return self

    def flops(self) -> int:
        """Return the multiplications and additions: two for each term of a contraction, else one a result."""
        return sum(map(_flops, self.equations))

    def bytes(self) -> int:
        """Return the bytes that all steps read and write, if nothing stays in a cache."""
        return sum(_size(value) for step in self.equations for value in (*step.reads, step.output))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        head = ", ".join(f"{value} {value.name} {value.spec}".replace("  ", " ") for value in self.arguments)
        lines = [f"program {self.name}({head})"]
        lines += [f"  captured {value} {value.name or '-'} {value.spec}" for value in self.captured]
        lines += [f"  {_line(step)}" for step in self.steps]
        lines.append(f"  return {', '.join(map(str, self.results))}")
        return "\n".join(lines)


def _line(step: Step) -> str:
    if isinstance(step, Write):
        return f"{step.target} <- {step.value}"
    if isinstance(step, Refusal):
        return f"refuse {step.wrong}: {step.text}"
    if isinstance(step, HostCall):
        return f"call {getattr(step.function, '__qualname__', step.function)}"
    params = [f"{name}={value!r}" for name, value in step.params.items()]
    shown = f"{step.output} = {step.op.name}({', '.join([*map(str, step.inputs), *params])})"
    return f"{shown:<56} {step.output.spec}" + (f"  in {step.path}" if step.path else "")


def _flops(step: Equation) -> int:
    shape = step.output.spec.shape
    if step.op.family == "contraction":
        axes = cast("Contraction", step.op).axes
        sizes = dict(zip(reversed(axes.left), reversed(step.reads[0].spec.shape), strict=False))
        return 2 * math.prod(shape) * math.prod(sizes[name] for name in axes.left if name not in axes.out)
    if step.op.family == "reduction":
        return math.prod(step.reads[0].spec.shape)
    return math.prod(shape) if step.op.family == "elementwise" else 0


def _size(value: Value) -> int:
    return math.prod(value.spec.shape) * value.spec.dtype.itemsize
