"""Trace: writes down, while a function runs, the program that it is; nothing is computed meanwhile.

Every op passes through `apply`, and every change of state through `assign`, so nothing has to be
announced: an array that no step of the trace made is an argument or is captured. Results have shapes
and dtypes but no values of their own, and no state changes. What Python decides by a tensor's values
cannot be known, so reading them raises TraceError.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.attributes import follow
from chainrule.core.constants import Constants
from chainrule.core.mode import mode, module_path
from chainrule.core.op import Op
from chainrule.core.premises import Premises
from chainrule.core.program import Equation, HostCall, Operand, Program, Refusal, Step, Value, Write
from chainrule.core.registry import named
from chainrule.core.spec import Array, spec_of
from chainrule.core.stand_in import is_stand_in, refuse_stand_in, stand_in
from chainrule.core.tensor import Tensor, tick
from chainrule.errors import ArgumentError, ChainruleError, IndexRangeError, TraceError

_UNREAD = object()
_LATER = "compute with the tensor itself, or return it and look at it after the call"
_WAYS = {  # what to write in place of code that asks for values
    "bool": "keep to ops (cr.where in place of `if`)",
    "array": _LATER,
    "item": _LATER,
    "numpy": _LATER,
    "tolist": _LATER,
    "data": "keep to ops on the tensor itself, and write its new value with assign",
    "assignment to data": "write the new value with assign",
    "assignment to a part of a tensor": "write the whole one with assign, made by cr.where or cr.concatenate",
    "index by a mask": "keep the shape: cr.where(mask, x, 0)",
    "list of tensors": "cr.stack puts tensors together",
}
_one_at_a_time = threading.RLock()  # a trace puts stand-ins into gradients that threads may share
_under_way: list[Trace] = []


def _begin_anew() -> None:
    """End, in the child of a fork, the trace of a thread that is not there."""
    if mode.trace is None:
        for each in _under_way:
            each._restore()
            follow(False)
        _under_way.clear()
        _one_at_a_time._at_fork_reinit()  # pyright: ignore


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class Trace(Premises):
    """The trace of one run. Use it as a context; then `program` and what to check before a run."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.steps: list[Step] = []
        self.arguments: list[Value] = []
        self.captured: list[Value] = []
        self.sources: dict[int, Tensor] = {}  # by id of a captured value: the tensor it is the array of
        self.gradients: dict[int, tuple[Tensor, Any]] = {}  # leaves whose .grad was touched, and what it was
        self.named: dict[str, Value] = {}
        self._paths: dict[int, str] = {}  # by id of a tensor from before the trace: its path in a model
        self._results: list[Tensor] = []
        self._gradients: list[tuple[Tensor, Tensor]] = []  # results, and the gradients that they got
        self._constants = Constants()
        self._values: dict[int, Value] = {}  # by id of an array: what it stands for now
        self._firsts: dict[int, Value] = {}  # and what it stood for at first
        self._roots: dict[int, int] = {}  # by id of a view's array: that of what it is a part of
        self._changed: dict[int, int] = {}  # by id of an array: the view through which it was changed
        self._made: dict[int, tuple[Value, weakref.ref[Tensor]]] = {}  # leaves that the function makes
        self._kept: list[Any] = []  # arrays are known by id, so none may be freed and its id taken again
        self.left: list[Tensor] = []  # leaves that the function leaves a gradient in
        self.forgotten: list[Tensor] = []  # leaves whose gradient the function leaves empty
        self._began = tick()

    def __enter__(self) -> Trace:
        if mode.trace is not None:
            raise TraceError(f"{self.name}: a compiled function is traced inside another")
        _one_at_a_time.acquire()
        mode.trace = self
        follow(True)
        _under_way.append(self)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        mode.trace = None
        follow(False)
        if error is not None:
            self.undo_options()
        self._restore()
        _under_way.clear()
        _one_at_a_time.release()

    def _restore(self) -> None:
        """Take stand-ins out of the gradients."""
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
        specs = [spec_of(each) for each in arrays]
        spec = op.spec(*specs, **params)
        for each in op.refused(specs, given) if 0 not in spec.shape else ():
            wrong = each.op(*[inputs[place] for place in each.inputs])
            if self.is_constant(wrong) and wrong._data.any():
                raise ArgumentError(each.text)
            self.refuse(wrong, each.text, ArgumentError)
        return stand_in(spec)

    def _fixed(self, given: Any, array: Any) -> bool:
        known = self._values.get(id(array))
        if known is not None:
            return known.kind == "constant" and id(known) not in self._made
        return not isinstance(given, Tensor) or (given.serial > self._began and not given.requires_grad)

    def record(self, op: Op, inputs: Sequence[Any], arrays: Sequence[Any], params: Any, out: Tensor) -> None:
        """Write down one op; a composite is told by the ops it is made of."""
        self._results.append(out)
        if op.family == "composite":
            self._name(out)
            return
        operands = tuple(map(self._operand, inputs, arrays))
        output = self._known(out._data, "result")
        if getattr(op, "view", None) is not None:
            self._roots[id(out._data)] = self._roots.get(id(arrays[0]), id(arrays[0]))
        path = module_path(mode.scope)
        self.steps.append(Equation(op, operands, params, output, path))
        self._name(out)

    def seen(self, tensor: Tensor) -> None:
        """Bind a tensor's array to the tensor itself, before a twin shares it."""
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
        key, source = id(target._data), self._operand(value, value._data)
        assert isinstance(source, Value)
        first = self._firsts[key]
        if first.kind == "argument" and not target.requires_grad:
            raise TraceError(
                f"assign: {first.name} of a compiled function is changed in place",
                hint="return the new value, or keep the tensor outside of the function: it is then state",
            )
        self._note_view(key)
        if first.kind == "argument":
            self._state(target, first)
        elif first.kind == "constant":
            self._made.setdefault(id(first), (first, weakref.ref(target)))
        if first.kind in ("captured", "constant"):  # else it lives in this run only: a new value will do
            self.steps.append(Write(first, source))
        self._values[key] = source
        target.mutated = tick()

    def _note_view(self, key: int) -> None:
        """Note that a part of something was changed through a view: it must not be read any more."""
        root = self._roots.get(key)
        if root is None:
            return
        if self._firsts[root].kind != "result":
            raise TraceError(
                "assign: a view of what is no part of the function alone is changed in place",
                hint="assign the whole tensor, made by ops such as cr.where or cr.concatenate",
            )
        self._changed[root] = key

    def unused(self, tensor: Tensor, what: str) -> Array:
        """Return the array of a constant, for Python to change a part; raise if an op has seen it."""
        self.refuse_read(tensor, what)
        if id(tensor._data) in self._values:
            raise TraceError(
                f"{what}: it was used before, while a function is compiled",
                hint="change it before its first use, or compute a new tensor with cr.where",
            )
        return tensor._data

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
                hint=f"{_WAYS.get(what, _WAYS['bool'])}, or do not compile: Trainer(compile=False), --eager",
            )

    def is_constant(self, tensor: Tensor) -> bool:
        """Tell whether a tensor's values are known now, and the same in every run."""
        value = self._values.get(id(tensor._data))
        if value is None:
            return tensor.serial > self._began
        return value.kind == "constant" and id(value) not in self._made

    def is_new(self, serial: int) -> bool:
        """Tell whether what has this serial number was made since the trace began."""
        return serial > self._began

    def host(self, function: Callable[[], Any]) -> None:
        """Write down a call back into Python."""
        self.steps.append(HostCall(function))
        self.notes.late = True

    def refuse(self, wrong: Tensor, text: str, kind: type[ChainruleError] = IndexRangeError) -> None:
        """Write down that runs where any item of `wrong` is true end in an error."""
        value = self.value_of(wrong)
        if value.kind != "constant":
            self.steps.append(Refusal(value, text, kind))

    def is_state(self, tensor: Tensor) -> bool:
        """Tell whether a tensor from outside has been read."""
        first = self._firsts.get(id(tensor._data))
        return first is not None and first.kind == "captured"

    # ---- what comes of it ------------------------------------------------------------------------
    def program(self, wanted: Sequence[Value]) -> Program:
        """Return the program that gives what is wanted, and then the gradients left in the leaves.

        To be called once nothing of the traced run is held any more: what the function has made for
        itself alone begins anew at every run, what somebody still holds is state.
        """
        gradients = [
            (weakref.ref(leaf), self.value_of(leaf._gradient()))
            for leaf, _ in self.gradients.values()
            if leaf._grad is not None
        ]
        self._name_gradients()
        self._forget_made()
        left = {id(leaf): value for ref, value in gradients if (leaf := ref()) is not None}
        leaves = [leaf for leaf, _ in self.gradients.values()]
        self.left = [leaf for leaf in leaves if id(leaf) in left]
        self.forgotten = [leaf for leaf in leaves if id(leaf) not in left]
        return Program(
            self.name,
            tuple(self.arguments),
            tuple(self.captured),
            tuple(self.steps),
            (*wanted, *(left[id(leaf)] for leaf in self.left)),
            self.named,
        ).check()

    def _forget_made(self) -> None:
        """Take the graph apart, and tell state that the function has made from what ends with it."""
        self._restore()
        for each in self._results:
            each.inputs, each._grad = (), None
        self._results.clear()
        self._gradients.clear()
        inside = [key for key, (leaf, _) in self.gradients.items() if leaf.serial > self._began]
        leaves = [weakref.ref(self.gradients.pop(key)[0]) for key in inside]
        self._kept.clear()
        for ref in leaves:
            if (leaf := ref()) is not None:
                self.gradients[id(leaf)] = (leaf, _UNREAD)
        for value, ref in self._made.values():
            if (tensor := ref()) is not None:
                self._state(tensor, value)
            else:
                self.steps = [
                    each for each in self.steps if type(each) is not Write or each.target is not value
                ]
        self._constants.settle()

    def present(self) -> list[tuple[Tensor, bool]]:
        """Return, for each leaf whose old gradient was read, whether there was one."""
        return [
            (leaf, before is not None) for leaf, before in self.gradients.values() if before is not _UNREAD
        ]

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
        for leaf, _ in self.gradients.values():
            if leaf._grad is not None and id(leaf) in self._paths:
                self.named[f"{self._paths[id(leaf)]}.grad"] = self.value_of(leaf._gradient())

    # ---- values ----------------------------------------------------------------------------------
    def _operand(self, given: Any, array: Any) -> Operand:
        if array is None or array.__class__ in (bool, int, float):
            return array
        found = self._values.get(id(array))
        if self._changed:
            self._refuse_changed(id(array))
        if found is not None and not self._constants.stale(found, array):
            return found
        return self._capture(given) if isinstance(given, Tensor) else self._known(array, "constant")

    def _refuse_changed(self, key: int) -> None:
        if self._changed.get(self._roots.get(key, key), key) != key:
            raise TraceError(
                "a value is read after a view of it was changed in place",
                hint="compute a new tensor for the part (y = y + 1), or change the whole one",
            )

    def _capture(self, tensor: Tensor) -> Value:
        """A tensor from before the trace is captured; one made inside it, by no op, is a constant."""
        inside = tensor.serial > self._began
        if inside and not tensor.requires_grad:
            return self._known(tensor._data, "constant")
        if is_stand_in(tensor._data):
            refuse_stand_in()
        if inside:
            value = self._known(tensor._data, "constant", tensor.name or "")
            self._made[id(value)] = value, weakref.ref(tensor)
            return value
        value = self._known(tensor._data, "captured", tensor.name or "")
        self.captured.append(value)
        self.sources[id(value)] = tensor
        return value

    def _state(self, tensor: Tensor, value: Value) -> None:
        """State that the function itself made, at its first run, is captured like any other."""
        value.kind, value.constant = "captured", None
        self.captured.append(value)
        self.sources[id(value)] = tensor

    def _known(self, array: Array, kind: str, name: str = "") -> Value:
        value = Value(len(self._firsts), spec_of(array), kind, name)
        if kind == "constant":
            self._constants.note(value, array)
        self._values[id(array)] = value
        self._firsts.setdefault(id(array), value)
        self._kept.append(array)
        return value

    def _name(self, out: Tensor) -> None:
        """Let the last value computed inside a module be known by the module's path."""
        value = self._values.get(id(out._data))
        if mode.scope is not None and value is not None and mode.recording:
            for level in mode.scope.chain():
                if level.kind == "module" and (path := module_path(level)):
                    self.named[path] = value
