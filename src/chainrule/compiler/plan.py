"""Plan: one program of a compiled function, from its trace to what its runs leave behind.

It knows what the program began with, when it holds, and how a call of it becomes arrays and tensors
again. Which plan serves a call is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.compiler.arguments import is_array, rebuilt
from chainrule.compiler.express import Express
from chainrule.compiler.guards import Guards
from chainrule.compiler.halves import refuse_halves
from chainrule.compiler.passes import PASSES, drop_unread, optimised
from chainrule.compiler.results import Found, Left
from chainrule.compiler.step import Step
from chainrule.core.program import Program, Value
from chainrule.core.spec import Array, spec_of
from chainrule.core.tensor import Tensor, tick
from chainrule.core.trace import Trace

LAST = "keep what is wanted"  # the stage that is run: what nobody watches is left out


class Plan:
    """One program, what it begins with and what it leaves behind, and when it holds."""

    def __init__(self, trace: Trace, traced: Program, outputs: list[Any], layout: Any) -> None:
        self._outputs, self._layout = outputs, layout
        self._tensors = [each for each in outputs if isinstance(each, Tensor)]
        self.stages = optimised(traced)
        self._sources = [(value, trace.sources[id(value)]) for value in traced.captured]
        self._left, self._forgotten = trace.left, trace.forgotten
        self._modes = trace.attributes.switched()
        self._guards = Guards(trace, traced, [tensor for _, tensor in self._sources])
        self.used = tick()  # when it was last looked up
        self.steady = False  # whether it was seen to hold again after it had run

    def takes(self, leaves: Sequence[Any], layout: Any) -> None:
        """Note which arguments the plan is for, where they are plain arrays and nothing else."""
        flat = layout[1] == ((tuple, (None,) * len(leaves)), (dict, ()))
        plain = all(is_array(leaf) and not getattr(leaf, "requires_grad", False) for leaf in leaves)
        gradients = any(value.kind == "gradient" for value, _ in self._sources)
        self._plain = flat and plain and not gradients

    def build(self, watching: Sequence[str]) -> None:
        """Generate the code, with the watched values as further results."""
        program = self.stages[PASSES[-1][0]]
        names = [name for name in watching if name in program.names]
        extra = tuple(program.names[name] for name in names)
        program = replace(program, results=program.results + extra, names={})
        self.stages = {**self.stages, LAST: drop_unread(program)}
        refuse_halves(self.stages[LAST])
        gradients = range(len(self._tensors), len(self._tensors) + len(self._left))
        self.step = Step(self.stages[LAST], gradients)
        self._express: Express | None = None
        self.usual: Callable[..., Any] | None = None  # does a call like the last one, or returns MISS
        forms = self.step.results.forms
        places = list(zip(self._left, gradients, strict=True))
        self._forms = {id(leaf): forms[place] for leaf, place in places if place in forms}
        self._deferred = [leaf for leaf, place in places if place in forms]
        at = self.step.results.places
        self._made = [(leaf, at[place]) for leaf, place in places if place not in forms]
        self._returned = [at[place] for place in range(len(self._tensors))]
        self._watching = [(name, at[gradients.stop + i]) for i, name in enumerate(names)]
        self._changed = [self._sources[place][1] for place in self.step.written]
        self._leaves = bool(
            self.step.written or self._left or self._forgotten or self._watching or self._modes
        )

    @property
    def bytes(self) -> int:
        """The memory that is there as long as the plan is: its own, and what it captured."""
        return self.step.block_bytes + sum(_array(value, tensor).nbytes for value, tensor in self._sources)

    def holds(self) -> bool:
        """Tell whether all that the trace depended on is as it was."""
        return self._guards.hold() and all(
            spec_of(_array(value, tensor)) == value.spec for value, tensor in self._sources
        )

    def run(self, leaves: Sequence[Any], watched: dict[str, Tensor]) -> Any:
        """Run on new arguments, and leave behind what the function leaves behind."""
        arguments = [leaf._data if isinstance(leaf, Tensor) else leaf for leaf in leaves if is_array(leaf)]
        captured = [_array(value, tensor) for value, tensor in self._sources]
        self.usual = None  # should it end in an error, the step may hold other arrays than were pinned
        found = self.step.run(arguments, captured)
        self.usual = self._usual(arguments, captured)
        return self._done(found, watched)

    def _usual(self, arguments: Sequence[Array], captured: Sequence[Array]) -> Callable[..., Any] | None:
        """Return what does further calls like this one, if such calls can be told."""
        if not self._plain or not self.step.direct:
            return None
        if self._express is None:
            simple = self._layout is None and len(self._tensors) == 1 and not self._leaves
            tensors = [tensor for _, tensor in self._sources]
            finish = None if simple else self._done
            self._express = Express(arguments, tensors, self._guards, self.step, finish)
        self._express.pin(captured)
        return self._express.call

    def _done(self, found: Found, watched: dict[str, Tensor]) -> Any:
        """Leave behind what the function leaves behind, and return what it returns."""
        if self._leaves:
            self._leave(found, watched)
        arrays = found[0]
        if self._layout is None and self._tensors:
            return Tensor._around(arrays[self._returned[0]])
        made = iter([arrays[place] for place in self._returned])
        return rebuilt([_given(each, made) for each in self._outputs], self._layout)

    def repeats(self) -> bool:
        """Tell whether the program can follow on itself with Python out of the way, as it stands now."""
        single = len(self._outputs) == 1 == len(self._tensors) and self._tensors[0].size == 1
        gradients = any(value.kind == "gradient" for value, _ in self._sources)
        return single and not gradients and self.step.alone and self.holds()

    def epoch(
        self, sources: Sequence[Array], order: Array, count: int, report: Callable[[int], None],
        watched: dict[str, Tensor],
    ) -> Array:  # fmt: skip
        """Run `count` times on the next rows of `sources` in `order`; return the results."""
        losses = np.empty(count, self._tensors[0].dtype)
        captured = [_array(value, tensor) for value, tensor in self._sources]
        self.usual = None
        try:
            found = self.step.epoch(sources, order, captured, losses, report)
        except BaseException:
            self._change()  # the iterations before are made
            raise
        self._leave(found, watched)
        return losses

    def _change(self) -> int:
        """Note that state was changed, so that no older graph goes on with it; return the tick of it."""
        now = tick()
        for tensor in self._changed:
            tensor.mutated = now
        return now

    def _leave(self, found: Found, watched: dict[str, Tensor]) -> None:
        """Leave behind what the function leaves behind: changed state, gradients, watched values."""
        arrays, memory = found
        now = self._change()
        if memory is not None:
            left = Left(memory, self._forms, now)
            for leaf in self._deferred:
                leaf._grad = left
        for leaf, place in self._made:
            leaf._grad = Tensor._around(arrays[place])
        for leaf in self._forgotten:
            leaf._grad = None
        for module, training in self._modes:
            if module.training is not training:
                module.training = training
        for name, place in self._watching:
            watched[name] = Tensor._around(arrays[place])


def _given(output: Any, made: Iterator[Array]) -> Any:
    """Return what a caller gets for an output, who may change it: nothing that the plan has itself."""
    if isinstance(output, Tensor):
        return Tensor._around(next(made))
    return output.copy() if isinstance(output, (np.ndarray, set, bytearray)) else output


def _array(value: Value, tensor: Tensor) -> Array:
    """Return the array that a captured value is now: a tensor's own, or its gradient's."""
    held = tensor._gradient() if value.kind == "gradient" else tensor
    return held._data if held is not None else np.empty(0)
