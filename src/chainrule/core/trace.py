"""Trace: writes down, while a function runs, the program that it is; nothing is computed meanwhile.

Every op passes through `apply`, and every change of state through `assign`, so nothing has to be
announced: an array that no step of the trace made is an argument or is captured. Results have shapes
and dtypes but no values of their own, and no state changes. What Python decides by a tensor's values
cannot be known, so reading them raises TraceError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.mode import mode
from chainrule.core.op import Op
from chainrule.core.program import Equation, HostCall, Operand, Program, Refusal, Step, Value, Write
from chainrule.core.registry import named
from chainrule.core.spec import Array, spec_of
from chainrule.core.tensor import Tensor, tick
from chainrule.core.watched import Notes, copied, watched
from chainrule.errors import TraceError

_UNREAD = object()
_ZEROS = bytes(8)  # what stand-ins look at; nobody can write there


class Trace:
    """The trace of one run. Use it as a context; then `program` and what to check before a run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[Step] = []
        self.arguments: list[Value] = []
        self.captured: list[Value] = []
        self.sources: dict[int, Tensor] = {}  # by id of a captured value: the tensor it is the array of
        self.gradients: dict[int, tuple[Tensor, Any]] = {}  # leaves whose .grad was touched, and what it was
        self.guards: list[tuple[Any, str, Any]] = []
        self.kept: dict[tuple[int, Any], tuple[Any, Any, Any]] = {}  # by owner and key: these, and the item
        self.lists: dict[int, tuple[list[Any], int]] = {}  # lists by their ids, and how long they were
        self.groups: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.notes = Notes()
        self.named: dict[str, Value] = {}
        self._paths: dict[int, str] = {}  # by id of a tensor from before the trace: its path in a model
        self._results: list[Tensor] = []
        self._gradients: list[tuple[Tensor, Tensor]] = []  # results, and the gradients that they got
        self._values: dict[int, Value] = {}
        self._kept: list[Any] = []  # arrays are known by id, so none may be freed and its id taken again
        self._states: dict[int, Value] = {}
        self._left: list[Tensor] = []
        self._forgotten: list[Tensor] = []
        self._began = tick()

    def __enter__(self) -> Trace:
        if mode.trace is not None:
            raise TraceError(f"{self.name}: a compiled function is traced inside another")
        mode.trace = self
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        mode.trace = None
        for leaf, before in self.gradients.values():
            leaf._grad = None if before is _UNREAD else before

    # ---- what the engine reports -----------------------------------------------------------------
    def argument(self, tensor: Tensor, name: str) -> None:
        """Announce an argument of the function."""
        self.arguments.append(self._known(tensor._data, "argument", name))

    def value(self, op: Op, inputs: Sequence[Any], arrays: Sequence[Any], params: Any) -> Any:
        """Return the value of an op: a stand-in of its shape and dtype, unless all inputs are constants."""
        given: dict[str, Any] = params or {}
        for name, param in given.items():
            if isinstance(param, Tensor):
                self.refuse_read(param, f"{name} of {op.name}")
        if op.pure and all(map(self._fixed, inputs, arrays)):
            return op.value(*arrays, **params)
        spec = op.spec(*map(spec_of, arrays), **params)
        return np.ndarray(spec.shape, spec.dtype, _ZEROS, 0, (0,) * len(spec.shape))

    def _fixed(self, given: Any, array: Any) -> bool:
        known = self._values.get(id(array))
        if known is not None:
            return known.kind == "constant"
        return not isinstance(given, Tensor) or (given.serial > self._began and not given.requires_grad)

    def record(self, op: Op, inputs: Sequence[Any], arrays: Sequence[Any], params: Any, out: Tensor) -> None:
        """Write down one op; a composite is told by the ops it is made of."""
        self._results.append(out)
        if op.family == "composite":
            self._name(out)
            return
        operands = tuple(map(self._operand, inputs, arrays))
        output = self._known(out._data, "result")
        path = mode.scope.module_path() if mode.scope is not None else ""
        self.steps.append(Equation(op, operands, params, output, path))
        self._name(out)

    def seen(self, tensor: Tensor) -> None:
        """Bind a tensor's array to the tensor itself, before a detached twin shares it."""
        if id(tensor._data) not in self._values:
            self._capture(tensor)

    def fitted(self, target: Tensor, value: Any) -> Tensor:
        """Return `value` in the shape and dtype of `target`, by ops."""
        given = value if isinstance(value, Tensor) else Tensor(np.asarray(value))
        if given.dtype != target.dtype:
            given = named("astype")(given, dtype=target.dtype)
        return given if given.shape == target.shape else named("broadcast_to")(given, shape=target.shape)

    def assigned(self, target: Tensor, value: Tensor) -> None:
        """Write down a change in place; from now on the array stands for the value."""
        self.seen(target)
        into, source = self._values[id(target._data)], self._operand(value, value._data)
        assert isinstance(source, Value)
        if into.kind == "argument" and not target.requires_grad:
            raise TraceError(
                f"assign: {into.name} of a compiled function is changed in place",
                hint="return the new value, or keep the tensor outside of the function: it is then state",
            )
        if id(target) not in self._states and into.kind not in ("result", "gradient"):
            self._states[id(target)] = into if into.kind == "captured" else self._state(target, into)
        if id(target) in self._states:  # else the target lives in this run only: a new value will do
            self.steps.append(Write(self._states[id(target)], source))
        self._values[id(target._data)] = source

    def gradient_read(self, leaf: Tensor) -> None:
        """Note what a leaf's gradient was before the function changed it."""
        if leaf.op is None and id(leaf) not in self.gradients:
            before = leaf._gradient()
            self.gradients[id(leaf)] = (leaf, before)
            self._kept.append(leaf)
            if before is not None:
                self.captured.append(value := self._known(before._data, "gradient", leaf.name or ""))
                self.sources[id(value)] = leaf

    def gradient_written(self, node: Tensor, gradient: Tensor | None) -> None:
        """Note that a gradient is set: of a result, or of a leaf that may not have been read before."""
        if node.op is not None and gradient is not None:
            self._gradients.append((node, gradient))
        elif node.op is None and id(node) not in self.gradients:
            self.gradients[id(node)] = (node, _UNREAD)
            self._kept.append(node)

    def path(self, tensor: Tensor, path: str) -> None:
        """Let a parameter or buffer be known by its path in a model."""
        self._paths[id(tensor)] = path

    def refuse_read(self, tensor: Tensor, what: str) -> None:
        """Raise if Python asks for values that may be others at the next run."""
        if not self.is_constant(tensor):
            raise TraceError(
                f"{what}: the value of a tensor is not known while a function is compiled",
                hint="keep to ops (cr.where in place of `if`), or do not compile: "
                "Trainer(compile=False), --eager",
            )

    def is_constant(self, tensor: Tensor) -> bool:
        """Tell whether a tensor's values are known now, and the same in every run."""
        value = self._values.get(id(tensor._data))
        return tensor.serial > self._began if value is None else value.kind == "constant"

    def guard(self, owner: Any, attribute: str) -> None:
        """Make the program hold only while `owner.attribute` is what it is now."""
        self.guards.append((owner, attribute, getattr(owner, attribute)))

    def keep(self, owner: Any, *keys: Any) -> None:
        """Make the program hold only while `owner[key]`, of a dict or list, is the object it is now."""
        self.kept.update({(id(owner), key): (owner, key, owner[key]) for key in keys})

    def keep_list(self, items: list[Any]) -> None:
        """Make the program hold only while a list has the items that it has now, and no more."""
        self.lists[id(items)] = items, len(items)
        self.keep(items, *range(len(items)))

    def watch(self, group: dict[str, Any]) -> dict[str, Any]:
        """Return a group of options whose numbers are read anew at every run."""
        options = {key: value for key, value in group.items() if key != "params"}
        if not any(known is group for known, _ in self.groups):
            self.groups.append((group, {key: copied(value) for key, value in options.items()}))
        return {"params": group["params"]} | {key: watched(group, key, self.notes) for key in options}

    def host(self, function: Callable[[], Any]) -> None:
        """Write down a call back into Python."""
        self.steps.append(HostCall(function))
        self.notes.late = True

    def refuse(self, wrong: Tensor, text: str) -> None:
        """Write down that runs where any item of `wrong` is true end in an IndexRangeError."""
        value = self.value_of(wrong)
        if value.kind != "constant":
            self.steps.append(Refusal(value, text))

    # ---- what comes of it ------------------------------------------------------------------------
    def program(self, results: Sequence[Tensor]) -> Program:
        """Return the program that gives `results`, and then the gradients left in the leaves."""
        self._left = [leaf for leaf, _ in self.gradients.values() if leaf._grad is not None]
        self._forgotten = [leaf for leaf, _ in self.gradients.values() if leaf._grad is None]
        wanted = [self.value_of(each) for each in results]
        gradients = [self.value_of(leaf._gradient()) for leaf in self.left()]
        self._name_gradients()
        return Program(
            self.name,
            tuple(self.arguments),
            tuple(self.captured),
            tuple(self.steps),
            (*wanted, *gradients),
            self.named,
        ).check()

    def left(self) -> list[Tensor]:
        """Return the leaves that the function leaves a gradient in."""
        return self._left

    def present(self) -> list[tuple[Tensor, bool]]:
        """Return, for each leaf whose old gradient was read, whether there was one."""
        return [
            (leaf, before is not None) for leaf, before in self.gradients.values() if before is not _UNREAD
        ]

    def forgotten(self) -> list[Tensor]:
        """Return the leaves whose gradient the function leaves empty."""
        return self._forgotten

    def value_of(self, tensor: Any) -> Value:
        """Return the value that a tensor holds."""
        found = self._operand(tensor, tensor._data)
        assert isinstance(found, Value)
        return found

    def _name_gradients(self) -> None:
        """Call the gradient of what is called `name` `name.grad`, and captured tensors by their paths."""
        self.named.update({out.name: self.value_of(out) for out in self._results if out.name})
        paths = {id(value): name for name, value in self.named.items()}
        for node, gradient in self._gradients:
            name = paths.get(id(self._values.get(id(node._data))))
            if name is not None:
                self.named[f"{name}.grad"] = self.value_of(gradient)
        for leaf in self.left():
            if id(leaf) in self._paths:
                self.named[f"{self._paths[id(leaf)]}.grad"] = self.value_of(leaf._gradient())

    # ---- values ----------------------------------------------------------------------------------
    def _operand(self, given: Any, array: Any) -> Operand:
        if array is None or array.__class__ in (bool, int, float):
            return array
        found = self._values.get(id(array))
        if found is not None:
            return found
        return self._capture(given) if isinstance(given, Tensor) else self._known(array, "constant")

    def _capture(self, tensor: Tensor) -> Value:
        """A tensor from before the trace is captured; one made inside it, by no op, is a constant."""
        if tensor.serial > self._began and not tensor.requires_grad:
            return self._known(tensor._data, "constant")
        value = self._known(tensor._data, "captured", tensor.name or "")
        self.captured.append(value)
        self.sources[id(value)] = tensor
        return value

    def _state(self, tensor: Tensor, value: Value) -> Value:
        """State that the function itself made, at its first run, is captured like any other."""
        value.kind, value.constant = "captured", None
        self.captured.append(value)
        self.sources[id(value)] = tensor
        return value

    def _known(self, array: Array, kind: str, name: str = "") -> Value:
        constant = array if kind == "constant" else None
        value = Value(len(self._values), spec_of(array), kind, name, constant)
        self._values[id(array)] = value
        self._kept.append(array)
        return value

    def _name(self, out: Tensor) -> None:
        """Let the last value computed inside a module be known by the module's path."""
        value = self._values.get(id(out._data))
        if mode.scope is not None and value is not None and mode.recording:
            for level in mode.scope.chain():
                if level.kind == "module" and level.module_path():
                    self.named[level.module_path()] = value
