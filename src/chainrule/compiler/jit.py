"""compile: a function traced once for each kind of call, and run as native code.

A kind is told by the shapes and dtypes of the arguments, by what is not an array, and by what the
function was seen to depend on: modes of modules, options of optimisers, gradients being there or not.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

import numpy as np

from chainrule.compiler.addresses import native
from chainrule.compiler.arguments import flattened, is_array, kind_of, rebuilt, rows_of
from chainrule.compiler.cpu.chunks import Progress
from chainrule.compiler.cpu.shuffle import permutation
from chainrule.compiler.express import MISS
from chainrule.compiler.lazy import refuse_lazy, refuse_lazy_results
from chainrule.compiler.listing import listing, table
from chainrule.compiler.lost import refuse_hidden, refuse_lost
from chainrule.compiler.naming import announce
from chainrule.compiler.plan import LAST, Plan
from chainrule.compiler.step import Step
from chainrule.core.mode import mode
from chainrule.core.program import Program
from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor, tick
from chainrule.core.trace import Trace
from chainrule.core.whole import whole_number
from chainrule.errors import ArgumentError, TraceError, UnknownNameError, nearest

_MANY = 8  # so many programs of one function are probably a mistake
_KEPT = 64  # so many are kept, and above `_MANY` no more than have `_BYTES` together
_BYTES = 1 << 30
_SOURCES: dict[str, Callable[[Step], str]] = {
    "nests": lambda step: listing(step.work),
    "llvm": lambda step: step.native.ir,
    "asm": lambda step: step.native.assembly(),
}


def compile(f: Callable[..., Any]) -> Compiled:
    """Return a callable that means the same as `f` and leaves Python's overhead out.

    `f` is ordinary code: a forward pass, or a whole training step with `zero_grad`, `backward` and
    `optimizer.step()`, or a method of a class. Arrays among the arguments arrive in `f` as tensors. Raises
    TraceError where the code depends on the values of tensors, and for generators and coroutines.

    >>> import chainrule as cr
    >>> double = compile(lambda x: x * 2)
    >>> double(cr.ones(2)).tolist(), double(cr.zeros(2)).tolist(), double.traces
    ([2.0, 2.0], [0.0, 0.0], 1)
    """
    return Compiled(f)


class Compiled:
    """A compiled function; `traces` counts how often it was traced, `program` is the latest one."""

    def __init__(self, f: Callable[..., Any]) -> None:
        if not callable(f):
            raise ArgumentError(
                f"compile: needs a function, got {type(f).__name__}",
                hint="give the function itself, cr.compile(step), and call what comes back: step(x, y)",
            )
        functools.update_wrapper(self, f, updated=())
        self.__name__: str = getattr(f, "__name__", type(f).__name__)
        refuse_lazy(f, self.__name__)
        self.f = f
        self.traces = 0
        self.watched: dict[str, Tensor] = {}
        self._watching: list[str] = []
        self._plans: dict[Any, list[Plan]] = {}
        self._latest: Plan | None = None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Return, where it is a method, what is compiled for this instance: each has programs of its own."""
        if instance is None:
            return self
        own = getattr(instance, "__dict__", None)
        if not isinstance(own, dict):  # nowhere to keep it: the instance is an argument like others
            return MethodType(self, instance)
        key = f"compiled {self.__name__} {id(self)}"  # methods of one name may call each other by `super()`
        found = own.get(key)
        if not isinstance(found, _Method) or found.instance is not instance:
            found = own[key] = _Method(self.f, instance)
        return found

    def __reduce__(self) -> Any:
        """A function is known by its name, as others are; its programs are made where they are needed.

        What belongs to an instance, or is one, is copied with it, and compiled anew.
        """
        named = hasattr(self.f, "__qualname__") and not isinstance(self.f, MethodType)
        return self.f.__qualname__ if named else (compile, (self.f,))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function on these arguments."""
        if mode.trace is not None:
            return self.f(*args, **kwargs)  # inside another compiled function, it is part of that
        latest = self._latest  # once: another thread may set it meanwhile
        if latest is not None and (usual := latest.usual) is not None and not kwargs:
            found = usual(args, self.watched)
            if found is not MISS:
                return found
        leaves, layout = flattened((args, kwargs))
        key = (layout, tuple(map(kind_of, leaves)), mode.recording)
        plan = next((each for each in self._plans.get(key, ()) if each.holds()), None)
        if plan is None:
            plan = self._trace(key, leaves, layout)
            self._forget()
        plan.used = tick()
        self._latest = plan
        return plan.run(leaves, self.watched)

    def __repr__(self) -> str:
        count = sum(map(len, self._plans.values()))
        return f"<compiled {self.__name__}, {count} program{'s' * (count != 1)}>"

    @property
    def program(self) -> Program:
        """The program of the latest call, after the last pass; `stages` has it after each one."""
        return self.stages[LAST]

    @property
    def stages(self) -> Mapping[str, Program]:
        """The program as traced, and after each pass."""
        return self._plan.stages

    @property
    def _plan(self) -> Plan:
        """What served the latest call."""
        if self._latest is None:
            raise TraceError(f"{self.__name__}: there is no program before the first call")
        return self._latest

    def source(self, kind: str = "nests") -> str:
        """Return the code of the latest call: "nests" (readable loops), "llvm" or "asm"."""
        if kind not in _SOURCES:
            raise ArgumentError(f"source: there is no {kind!r}", hint=nearest(kind, _SOURCES))
        return _SOURCES[kind](self._plan.step)

    def table(self) -> str:
        """Return the kernels of the latest call: flops, bytes, parts and buffers, one line for each."""
        step = self._plan.step
        return table(step.work, step.block_bytes)

    def watch(self, name: str) -> None:
        """Make an intermediate an output of later calls: it is then in `watched[name]`.

        `name` is the path of a module (for what it computed last) or the name that the function gave
        a tensor; with `.grad` behind it, it stands for the gradient there: '2', 'h', '0.weight.grad'.
        """
        known = self.stages["traced"].names
        if name not in known:
            raise UnknownNameError(f"watch: nothing is called {name!r}", hint=nearest(name, known))
        self._watching.append(name)
        for plans in self._plans.values():
            for plan in plans:
                plan.build(self._watching)

    def epoch(
        self,
        x: Any,
        y: Any,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        *,
        epoch: int = 0,
        report: Callable[[int], None] | None = None,
    ) -> Array:
        """Run the function on every batch of `x` and `y` once; return the loss of each iteration.

        The order is that of `data.Batches`: a function of the seed and the number of the epoch. Rows
        are gathered, steps made and losses kept in one native loop; `report` is told how many
        iterations are done, at most ten times a second; calling this very function, it raises TraceError.
        Ctrl-C stops it between two iterations. Raises ArgumentError for a wrong batch size, for rows that
        do not belong together, and where the function does not return one number.
        """
        batch_size = whole_number("epoch", "batch_size", batch_size)
        epoch = whole_number("epoch", "epoch", epoch, least=0)
        xs, ys = rows_of("x", x), rows_of("y", y)
        if len(xs) != len(ys):
            raise ArgumentError(f"epoch: x has {len(xs)} rows but y has {len(ys)}")
        order = permutation(Stream(seed, epoch + 1), len(xs)) if shuffle else np.arange(len(xs))
        whole = len(xs) // batch_size
        losses: list[float] = []
        progress = Progress(report, -(-len(xs) // batch_size))
        while (done := len(losses)) * batch_size < len(xs):
            part = order[done * batch_size : (done + 1) * batch_size]
            plan = self._steady_plan(xs, ys, batch_size) if done < whole else None
            if plan is None:
                losses.append(self._loss(xs[part], ys[part]))
                if (latest := self._latest) is not None:
                    latest.steady = latest.repeats()
                progress(len(losses))
                continue
            rest = order[done * batch_size : whole * batch_size]
            tell = progress.behind(done)
            losses.extend(plan.epoch((xs, ys), rest, whole - done, tell, self.watched).tolist())
        return np.array(losses)

    def _steady_plan(self, xs: Array, ys: Array, batch_size: int) -> Plan | None:
        """Return the plan for batches of rows that can follow on itself natively, if it is known by now."""
        leaves, layout = flattened(((xs[:batch_size], ys[:batch_size]), {}))
        plans = self._plans.get((layout, tuple(map(kind_of, leaves)), mode.recording), ())
        return next((each for each in plans if each.steady and each.repeats()), None)

    def _loss(self, x: Array, y: Array) -> float:
        found = self(x, y)
        if not isinstance(found, Tensor) or found.size != 1:
            got = f"shape {found.shape}" if isinstance(found, Tensor) else type(found).__name__
            raise ArgumentError(f"epoch: {self.__name__} returns {got}, needs its loss, one number")
        return found.item()

    def _forget(self) -> None:
        """Let go of the programs used longest ago, where there are many: nobody may have their models."""
        known = [
            (plan.used, place, key, plan)
            for key in [*self._plans]
            for place, plan in enumerate(self._plans[key])
        ]
        total = 0
        for rank, (*_, key, plan) in enumerate(sorted(known, key=lambda each: each[:2], reverse=True)):
            total += plan.bytes
            if rank >= _KEPT or (rank >= _MANY and total > _BYTES):
                self._plans[key] = [each for each in self._plans[key] if each is not plan]
                if not self._plans[key]:
                    del self._plans[key]

    def _trace(self, key: Any, leaves: list[Any], layout: Any) -> Plan:
        with Trace(self.__name__) as trace:
            announce(trace, self.f, leaves)
            inputs = [_argument(trace, leaf, f"argument {i}") for i, leaf in enumerate(leaves)]
            args, kwargs = rebuilt(inputs, layout)
            outputs, shape = flattened(self.f(*args, **kwargs))
            trace.settle(trace.is_state)
            refuse_lazy_results(outputs, self.__name__)
            refuse_hidden(self.__name__, outputs)
            untouched = [each for each in inputs if id(each) not in trace.gradients]
            refuse_lost(self.__name__, untouched, outputs)
            del args, kwargs, inputs
            wanted = [trace.value_of(each) for each in outputs if isinstance(each, Tensor)]
            outputs = [Tensor(each._data) if isinstance(each, Tensor) else each for each in outputs]
            program = trace.program(wanted)
        plan = Plan(trace, program, outputs, shape)
        plan.takes(leaves, layout)
        plan.build(self._watching)
        plans = self._plans.setdefault(key, [])
        plans.append(plan)
        self.traces += 1
        if self.traces == _MANY:
            warnings.warn(
                f"{self.__name__} was traced {_MANY} times: each new shape, dtype, mode or Python value "
                "makes a new program; pass changing numbers as arrays",
                stacklevel=3,
            )
        return plan


class _Method(Compiled):
    """What is compiled for one instance, which holds it."""

    def __init__(self, f: Callable[..., Any], instance: Any) -> None:
        super().__init__(MethodType(f, instance))
        self.instance = instance

    def __reduce__(self) -> Any:
        """Copies of the instance make their own."""
        return type(None), ()


def _argument(trace: Trace, leaf: Any, name: str) -> Any:
    if not is_array(leaf):
        return leaf
    if isinstance(leaf, Tensor) and leaf.requires_grad:
        trace.argument(leaf, leaf.name or name)
        return leaf
    array = leaf._data if isinstance(leaf, Tensor) else np.asarray(leaf)
    made = Tensor(native(array).view())  # an array of its own: arrays are known by which object they are
    trace.argument(made, name)
    return made
