"""Replay: a program as one generated Python function over NumPy.

It runs the same NumPy calls as the eager engine, and so gives the same bits, but records nothing,
looks nothing up and frees each array after its last use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.program import Equation, HostCall, Program, Step, Value, Write
from chainrule.core.trace import Watched


class Replay:
    """The generated function of a program: `run(arguments, captured)` returns the results."""

    alone = False

    def __init__(self, program: Program) -> None:
        self._names: dict[int, str] = {}
        self._scope: dict[str, Any] = {"array": np.asarray, "ndarray": np.ndarray, "copyto": np.copyto}
        lines = self._unpacked("arguments", program.arguments) + self._unpacked("captured", program.captured)
        last = _last_reads(program)
        for place, step in enumerate(program.steps):
            lines.append(self._line(place, step))
            if isinstance(step, Equation):
                name = self._names[id(step.output)]
                lines.append(f"if {name}.__class__ is not ndarray: {name} = array({name})")
            dead = [self._names[key] for key in last.get(place, ()) if key in self._names]
            lines += [f"del {', '.join(dead)}"] if dead else []
        lines.append(f"return [{', '.join(map(self._name, program.results))}]")
        self.source = "def run(arguments, captured):\n" + "".join(f"    {line}\n" for line in lines)
        exec(compile(self.source, f"<{program.name}>", "exec"), self._scope)
        self.run: Callable[[Sequence[Any], Sequence[Any]], list[Any]] = self._scope["run"]

    def _unpacked(self, name: str, values: Sequence[Value]) -> list[str]:
        for place, value in enumerate(values):
            self._names[id(value)] = f"{name[0]}{place}"
        names = [self._names[id(value)] for value in values]
        return [f"{', '.join(names)}, = {name}"] if names else []

    def _name(self, value: Any) -> str:
        """Return the variable of a value; numbers are written out, constants are kept beside the code."""
        if not isinstance(value, Value):
            return repr(value)
        if id(value) not in self._names:
            self._names[id(value)] = name = f"constant{len(self._scope)}"
            self._scope[name] = value.constant
        return self._names[id(value)]

    def _line(self, place: int, step: Step) -> str:
        if isinstance(step, Write):
            return f"copyto({self._name(step.target)}, {self._name(step.value)})"
        function = f"f{place}"
        if isinstance(step, HostCall):
            self._scope[function] = step.function
            return f"{function}()"
        self._scope[function] = step.op.value
        params = [f"{name}={self._parameter(place, name, value)}" for name, value in step.params.items()]
        call = f"{function}({', '.join([*map(self._name, step.inputs), *params])})"
        self._names[id(step.output)] = f"v{place}"
        return f"v{place} = {call}  # {step.op.name}"

    def _parameter(self, place: int, name: str, value: Any) -> str:
        known = f"p{place}_{name}"
        self._scope[known] = value
        return f"{known}.now()" if isinstance(value, Watched) else known


def _last_reads(program: Program) -> dict[int, list[int]]:
    """Return, by the place of a step, the results that are not needed after it."""
    keep = {id(value) for value in program.results}
    last: dict[int, int] = {}
    for place, step in enumerate(program.steps):
        for value in step.reads:
            last[id(value)] = place
        if isinstance(step, Equation):
            last.setdefault(id(step.output), place)
    dead: dict[int, list[int]] = {}
    results = {id(step.output) for step in program.equations}
    for key, place in last.items():
        if key in results and key not in keep:
            dead.setdefault(place, []).append(key)
    return dead
