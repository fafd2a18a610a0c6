"""Optimizer: walks over parameters, applies the update rule of a subclass, keeps its state.

A rule is a pure function of one parameter, its gradient, its state and its options, written in ops;
it returns new values. Only here are values written, each into the array that is there already, so
that whoever shares the array (a compiled step, a checkpoint) sees the change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from chainrule.core import memory
from chainrule.core.backward import forget
from chainrule.core.mode import enable_grad, mode, no_grad
from chainrule.core.tensor import Tensor, tick
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import negative
from chainrule.optim.groups import Group, Limits, as_groups, checked_group, checked_options
from chainrule.optim.state import collect, restore

State: TypeAlias = dict[str, Tensor]


class Optimizer:
    """Base of the optimisers: PyTorch's `param_groups`, `step`, `zero_grad` and `state_dict`.

    `params` is an iterable of parameters, or of dicts `{"params": [...], **options}`. Raises
    ArgumentError for empty lists, duplicates, tensors that were computed, and options out of range.
    """

    limits: ClassVar[dict[str, Limits]] = {}

    def __init__(self, params: Any, **defaults: Any) -> None:
        self.name, self._serial = type(self).__name__, tick()
        self.defaults = checked_options(self.name, defaults, self.limits)
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, State] = {}
        for group in as_groups(self.name, params):
            self.add_param_group(group)

    # ---- what a subclass says --------------------------------------------------------------------
    def slots(self, group: Group) -> tuple[str, ...]:
        """Return the names of the state that the rule keeps for each parameter, given the options."""
        return ()

    def initial(self, slot: str, parameter: Tensor, group: Group) -> Any:
        """Return what a slot begins with: the count "step" with 0, others with zeros."""
        return np.zeros((), np.float64) if slot == "step" else memory.zeros(parameter.shape, parameter.dtype)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, State]:
        """Return the parameter's new value and the new state, by slot."""
        raise NotImplementedError

    # ---- what the user calls ---------------------------------------------------------------------
    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own; options not given are the defaults."""
        group = checked_group(self.name, param_group, self.defaults)
        group = {**self.defaults, **checked_options(self.name, group, self.limits)}
        seen = {id(p) for each in self.param_groups for p in each["params"]}
        for place, p in enumerate(group["params"]):
            if id(p) in seen:
                raise ArgumentError(f"{self.name}: parameter {place} of the group is given twice")
            seen.add(id(p))
        self.check_group(group)
        self.param_groups.append(group)

    def check_group(self, group: Group) -> None:
        """Raise if options that are right by themselves do not go together."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients: set them to None, or to zeros."""
        self._announce()
        for group in self.param_groups:
            forget(group["params"], set_to_none)

    def prepare(self) -> None:
        """Make the state of every parameter now, not at its first update."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state_of(p, group)

    def state_of(self, p: Tensor, group: Group) -> State:
        """Return the state of a parameter, making what is missing."""
        found = self.state.setdefault(p, {})
        for slot in self.slots(group):
            if slot not in found:
                found[slot] = Tensor(self.initial(slot, p, group))
        return found

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; return what `closure`, if given, returns.

        The closure is called first: it computes the loss, and calls `backward()` on it.
        """
        with enable_grad():
            loss = None if closure is None else closure()
        self._announce()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._apply(p, group)
        return loss

    def _traced(self) -> bool:
        """Tell whether a trace is on, and the optimiser older: one made inside begins anew at each run."""
        return mode.trace is not None and not mode.trace.is_new(self._serial)

    def _tell(self, trace: Any) -> None:
        """Tell a trace the options as they are now."""
        for group in self.param_groups:
            trace.note_options(group)

    def _announce(self) -> None:
        """Tell a trace, if there is one, which groups and parameters it is made for."""
        if self._traced():
            self._tell(mode.trace)
            mode.trace.keep(vars(self), "param_groups")
            mode.trace.keep_list(self.param_groups)
            for group in self.param_groups:
                mode.trace.keep(group, "params")
                mode.trace.keep_list(group["params"])

    def _apply(self, p: Tensor, group: Group) -> None:
        known = self.state_of(p, group)
        if self._traced():
            if known:  # else the rule has nothing to look at
                mode.trace.keep(vars(self), "state")
                mode.trace.keep(self.state, p)
                mode.trace.keep(known, *known)
            group = mode.trace.watch(group)
        g = negative(p.grad) if group.get("maximize") else p.grad
        assert g is not None
        value, changed = self.update(p, g, known, group)
        if not changed.keys() <= known.keys():
            slot = next(each for each in changed if each not in known)
            raise ArgumentError(
                f"{self.name}: update returns the state {slot!r}, which slots() does not name",
                hint=f"def slots(self, group): return ({slot!r},), which begins with zeros",
            )
        p.assign(value)
        for slot, new in changed.items():
            known[slot].assign(new)

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all state and options: arrays, numbers, and places of parameters.

        `{"state": {place: {slot: array}}, "param_groups": [{**options, "params": [place, ...]}]}`
        """
        return collect(self.param_groups, self.state)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; raises CheckpointError unless it fits the parameters."""
        restore(self.name, self.param_groups, self.state, state_dict)

    def __repr__(self) -> str:
        lines = [self.name]
        for number, group in enumerate(self.param_groups):
            count = len(group["params"])
            shown = ", ".join(f"{name}={value}" for name, value in group.items() if name != "params")
            lines.append(f"  group {number}: {count} parameter{'s' * (count != 1)}, {shown}")
        return "\n".join(lines)
