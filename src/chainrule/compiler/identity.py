"""Identity: a text that two programs have in common only if they are lowered to the same kernels.

It holds what lowering reads of a program: shapes, dtypes, which value goes where, and each op by
what it means. It leaves out what lowering does not see, such as names and the contents of arrays (but
for integers that grow evenly, which become indices).
What the text is good for is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from chainrule.compiler.nests.buffer import progression
from chainrule.compiler.nests.outside import Outside, is_array
from chainrule.core.families.contraction import Contraction
from chainrule.core.families.elementwise import Elementwise
from chainrule.core.families.movement import Transposed
from chainrule.core.op import Op
from chainrule.core.program import Equation, HostCall, Operand, Program, Refusal, Step, Value, Write
from chainrule.core.spec import Array, Spec
from chainrule.core.stream import Stream
from chainrule.core.watched import Watched
from chainrule.ops.index import Slot
from chainrule.scalar.expr import Expr

_OURS = ("chainrule.core.", "chainrule.ops.")  # ops of these modules are known by their names
_PLAIN = (bool, int, float, str)


def identity(program: Program, outside: Outside) -> str | None:
    """Return the text, or None for a program with an op or a parameter that has none."""
    try:
        return _Text(program, outside).text
    except _NamelessError:
        return None


class _NamelessError(Exception):
    """Something that cannot be told from others by a text."""


class _Text:
    def __init__(self, program: Program, outside: Outside) -> None:
        self.outside = outside
        self.numbers: dict[int, int] = {}
        self._specs: dict[Spec, str] = {}
        self._meanings: dict[Expr, str] = {}
        lines = [
            f"arguments {[self.new(each) for each in program.arguments]}",
            f"captured {[self.new(each) for each in program.captured]}",
        ]
        lines += map(self.step, program.steps)
        lines.append(f"results {[self.operand(each) for each in program.results]}")
        self.text = "\n".join(lines)

    def new(self, value: Value) -> str:
        """Return a value's number and spec, where it first occurs."""
        number = self.numbers.setdefault(id(value), len(self.numbers))
        return f"{number} {value.kind} {self.spec(value.spec)}"

    def spec(self, spec: Spec) -> str:
        found = self._specs.get(spec)
        if found is None:
            found = self._specs[spec] = f"{spec.shape} {spec.dtype.str} {spec.weak}"
        return found

    def operand(self, value: Operand) -> str:
        if not isinstance(value, Value):
            return f"{value.__class__.__name__} {value!r}"
        if is_array(value):
            known = progression(cast("Array", value.constant))
            return f"constant {self.outside.place(value)} {self.spec(value.spec)} {known}"
        if value.constant is not None:
            return f"number {value.constant.item()!r} {self.spec(value.spec)}"
        return f"v{self.numbers[id(value)]}"

    def step(self, step: Step) -> str:
        if isinstance(step, Equation):
            inputs = ", ".join(map(self.operand, step.inputs))
            return f"{self.op(step.op, step.params)} of {inputs} is {self.new(step.output)}"
        if isinstance(step, Write):
            return f"write {self.operand(step.target)} {self.operand(step.value)}"
        if isinstance(step, Refusal):
            return f"refuse {self.operand(step.wrong)} {step.kind.__name__} {step.text!r}"
        assert isinstance(step, HostCall)
        return "call"

    def op(self, op: Op, params: Mapping[str, Any]) -> str:
        if isinstance(op, Elementwise):
            floats = [f"{name} {self.parameter(params[name])}" for name in op.floats]
            return f"elementwise {op.name} {op.inputs} {floats} {self.meaning(op.meaning(**params))}"
        told = f"{op.family} {op.name} {self.parameter(params)}"
        if isinstance(op, Contraction):
            return f"{told} {op.axes}"
        source = op.forward if isinstance(op, Transposed) else op
        if not source.__module__.startswith(_OURS):
            raise _NamelessError(op.name)
        return f"{told} {source.name}"

    def meaning(self, root: Expr) -> str:
        found = self._meanings.get(root)
        if found is None:
            found = self._meanings[root] = repr(root)
        return found

    def parameter(self, value: Any) -> str:
        if isinstance(value, Watched) and id(value) in self.outside.settings:
            return f"slot {self.outside.settings[id(value)]}"
        if value is None or value is Ellipsis or value.__class__ in _PLAIN:
            return f"{value.__class__.__name__} {value!r}"
        if isinstance(value, (np.generic, np.dtype)):
            return f"{value.dtype.str if isinstance(value, np.generic) else value.str} {value!r}"
        if isinstance(value, (tuple, list)):
            return f"{value.__class__.__name__} [{', '.join(map(self.parameter, cast('list[Any]', value)))}]"
        if isinstance(value, Mapping):
            items = cast("Mapping[str, Any]", value).items()
            return f"{{{', '.join(f'{name}: {self.parameter(each)}' for name, each in items)}}}"
        if isinstance(value, slice):
            return f"slice {[self.parameter(each) for each in (value.start, value.stop, value.step)]}"
        if isinstance(value, Stream):
            return f"stream {self.outside.place(value)}"
        if isinstance(value, Slot):
            return repr(value)
        raise _NamelessError(repr(value))
