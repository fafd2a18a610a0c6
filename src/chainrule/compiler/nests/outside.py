"""Outside: what native code takes from Python besides arguments, captured arrays and results.

Numbers of `param_groups` that are read anew at every run get a slot each, calls back into Python
their turn between them, random streams and large constants a place. What is computed with all that
is not known here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.program import Equation, HostCall, Program, Value
from chainrule.core.spec import Array
from chainrule.core.watched import Watched
from chainrule.errors import TraceError
from chainrule.ops.random import default


class Outside:
    """The outside of one program.

    `actions` are what Python does before a run, in the order of the program: a function to be called,
    or a slot and what goes there: `owner[key]`, or its item at a place.
    """

    def __init__(self, program: Program) -> None:
        self.settings: dict[int, int] = {}  # by id of a watched number: its slot
        self.slots = 0
        self.actions: list[Any] = []
        self.streams: list[Any] = []
        self.constants: list[Value] = []
        self._places: dict[int, int] = {}
        shared: dict[Any, int] = {}
        for step in program.steps:
            for value in step.reads:
                self._literal(value)
            if isinstance(step, HostCall):
                self.actions.append(step.function)
                shared.clear()  # what a call changes is read again
            elif isinstance(step, Equation):
                self._watch(step, shared)
                if step.op.name == "drawn" and 0 not in step.output.spec.shape:
                    self.stream(step)
        for value in program.results:
            self._literal(value)

    def stream(self, step: Equation) -> int:
        """Return the place of the stream that a draw is from."""
        stream = step.params["stream"] or default
        if id(stream) not in self._places:
            self._places[id(stream)] = len(self.streams)
            self.streams.append(stream)
        return self._places[id(stream)]

    def place(self, of: Any) -> int | None:
        """Return the place of a stream, or of a constant that is an array."""
        return self._places.get(id(of))

    def arrays(self) -> list[Array]:
        """Return the constants."""
        return [np.ascontiguousarray(value.constant) for value in self.constants]

    def _literal(self, value: Value) -> None:
        if is_array(value) and id(value) not in self._places:
            self._places[id(value)] = len(self.constants)
            self.constants.append(value)

    def _watch(self, step: Equation, shared: dict[Any, int]) -> None:
        for name, each in step.params.items():
            if isinstance(each, Watched) and id(each) not in self.settings:
                if name not in getattr(step.op, "floats", ()):
                    raise TraceError(f"compile: {step.op.name}: {name} cannot change from run to run")
                key = (id(each.owner), each.key, each.place)
                if key not in shared:
                    shared[key] = self.slots
                    self.slots += 1
                    self.actions.append((shared[key], each.owner, each.key, each.place))
                self.settings[id(each)] = shared[key]


def is_array(value: Value) -> bool:
    """Tell a constant that lies in memory from a number that is written into the code."""
    return value.constant is not None and value.constant.size != 1
