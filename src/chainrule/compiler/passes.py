"""The passes: each takes a program and returns a better one that means the same.

`PASSES` is the whole list, in order; a program can be looked at after each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.compiler.nests.lookup import refuse_known
from chainrule.core.families.elementwise import Elementwise
from chainrule.core.families.reduction import reduced_shape
from chainrule.core.program import Equation, HostCall, Operand, Program, Refusal, Step, Value, Write
from chainrule.core.registry import named
from chainrule.core.spec import Spec, normalize_axes
from chainrule.core.watched import Watched
from chainrule.scalar.expr import VARIABLE

Pass = Callable[[Program], Program]


def drop_unread(program: Program) -> Program:
    """Leave out equations whose results nothing reads; random draws stay, as they move their stream."""
    needed = {id(value) for value in program.results} | {id(value) for value in program.names.values()}
    kept: list[Step] = []
    for step in reversed(program.steps):
        if not isinstance(step, Equation) or id(step.output) in needed or not step.op.pure:
            needed.update(id(value) for value in step.reads)
            kept.append(step)
    return replace(program, steps=tuple(reversed(kept)))


def share_common(program: Program) -> Program:
    """Compute equal expressions once: the same op on the same values with the same parameters."""
    known: dict[Any, Value] = {}
    same: dict[int, Value] = {}
    views: set[int] = set()  # values that may look into a captured array, which a write changes
    anew: set[Any] = set()  # what reads numbers that a call back into Python may change
    kept: list[Step] = []
    for step in (_replaced(each, same) for each in program.steps):
        if isinstance(step, Equation) and step.op.pure:
            looks = step.op.family == "movement" and any(
                value.kind == "captured" or id(value) in views for value in step.reads
            )
            views.update({id(step.output)} if looks else ())
            key = _key(step)
            if key in known and not looks:
                same[id(step.output)] = known[key]
                continue
            known[key] = step.output
            anew.update([key] if _watches(step) else ())
        elif isinstance(step, HostCall):
            known = {key: value for key, value in known.items() if key not in anew}
        kept.append(step)
    return _renamed(replace(program, steps=tuple(kept)), same)


def fold_constants(program: Program) -> Program:
    """Compute what depends on constants only. Raises what a Refusal of these or a known place says."""
    same: dict[int, Value] = {}
    kept: list[Step] = []
    for step in (_replaced(each, same) for each in program.steps):
        if isinstance(step, Equation) and step.op.pure and step.inputs and _fixed(step):
            inputs = [each.constant if isinstance(each, Value) else each for each in step.inputs]
            with np.errstate(all="ignore"):
                array = step.op(*inputs, **step.params).data
            same[id(step.output)] = replace(step.output, kind="constant", constant=array)
        elif isinstance(step, Refusal) and step.wrong.constant is not None:
            if step.wrong.constant.any():
                raise step.kind(step.text)
        else:
            if isinstance(step, Equation) and step.op.name in ("picked", "placed"):
                refuse_known(step)  # not by lowering, which is left out where the cache has its result
            kept.append(step)
    return _renamed(replace(program, steps=tuple(kept)), same)


def without_copies(program: Program) -> Program:
    """Read through ops that change nothing: for code whose values are not arrays of Python's."""
    same: dict[int, Value] = {}
    written = {id(step.target) for step in program.steps if isinstance(step, Write)}
    kept: list[Step] = []
    for step in (_replaced(each, same) for each in program.steps):
        if isinstance(step, Equation) and isinstance(step.op, Elementwise) and len(step.reads) == 1:
            alike = step.reads[0].spec == step.output.spec and id(step.reads[0]) not in written
            if alike and step.op.meaning(**step.params).function == VARIABLE:
                same[id(step.output)] = step.reads[0]
                continue
        kept.append(step)
    return _renamed(replace(program, steps=tuple(kept)), same)


def plain_folds(program: Program) -> Program:
    """Write a fold that keeps its axes as one that drops them and a reshape, so that both are one."""
    count = max((step.output.number for step in program.equations), default=0) + 1
    kept: list[Step] = []
    for step in program.steps:
        if not isinstance(step, Equation) or step.op.family != "reduction":
            kept.append(step)
            continue
        (x,), shape, folded = step.reads, step.output.spec.shape, step.output
        axes = normalize_axes(step.params["axis"], len(x.spec.shape), step.op.heading)
        if step.params["keepdims"]:
            spec = Spec(reduced_shape(x.spec.shape, axes, keepdims=False), folded.spec.dtype)
            folded, count = Value(count, spec, "result"), count + 1
        kept.append(replace(step, params={"axis": axes, "keepdims": False}, output=folded))
        if folded is not step.output:
            kept.append(Equation(named("reshape"), (folded,), {"shape": shape}, step.output, step.path))
    return replace(program, steps=tuple(kept))


PASSES: tuple[tuple[str, Pass], ...] = (
    ("drop unread", drop_unread),
    ("plain folds", plain_folds),
    ("fold constants", fold_constants),
    ("share common", share_common),
)


def optimised(program: Program) -> dict[str, Program]:
    """Return the program as traced and after each pass, by the names of the passes."""
    stages = {"traced": program}
    for name, run in PASSES:
        program = stages[name] = run(program).check()
    return stages


def _fixed(step: Equation) -> bool:
    return not _watches(step) and all(value.constant is not None for value in step.reads)


def _watches(step: Equation) -> bool:
    return any(isinstance(value, Watched) for value in step.params.values())


def _key(step: Equation) -> Any:
    inputs = tuple(id(each) if isinstance(each, Value) else (each.__class__, each) for each in step.inputs)
    params = tuple((name, _identity(value)) for name, value in step.params.items())
    return step.op.name, id(step.op), inputs, params


def _identity(value: Any) -> Any:
    """Return what tells parameters apart: plain ones by their text, all others by which object they are."""
    if isinstance(value, Watched):
        return id(value.owner), value.key, value.place
    if value.__class__ in (tuple, list):
        return value.__class__, tuple(map(_identity, value))
    plain = value is None or isinstance(value, (bool, int, float, str, slice, np.dtype))
    return (value.__class__, repr(value)) if plain else id(value)  # pyright: ignore


def _replaced(step: Step, same: dict[int, Value]) -> Step:
    def now(value: Operand) -> Any:
        return same.get(id(value), value)

    if not any(id(value) in same for value in step.reads):
        return step
    if isinstance(step, Equation):
        return replace(step, inputs=tuple(map(now, step.inputs)))
    if isinstance(step, Refusal):
        return replace(step, wrong=now(step.wrong))
    return replace(step, value=now(step.value)) if isinstance(step, Write) else step


def _renamed(program: Program, same: dict[int, Value]) -> Program:
    results = tuple(same.get(id(value), value) for value in program.results)
    names = {name: same.get(id(value), value) for name, value in program.names.items()}
    return replace(program, results=results, names=names)
