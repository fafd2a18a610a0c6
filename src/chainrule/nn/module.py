"""Module: a part of a network, and the tree that modules form.

Attributes are the registry: an attribute that holds a Parameter or a Module belongs to the tree, in
the order of assignment, as does a tensor that was announced by `register_buffer`. A call runs
`forward` inside a scope that names the module, so that messages can say 'features.conv1'.
This module knows no layer; reading and writing weights is in `state`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np

from chainrule.core.attributes import followed, modes, parts
from chainrule.core.backward import forget
from chainrule.core.mode import Scope, mode, module_path
from chainrule.core.spec import known_dtype
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DTypeError, UnknownNameError, nearest
from chainrule.nn.habits import METHODS
from chainrule.nn.parameter import Parameter
from chainrule.nn.state import KeyClash, load_state

Hook = Callable[["Module", tuple[Any, ...], Any], Any]


@followed
class Module:
    """Base of all layers and networks: subclass it, make parts in `__init__`, use them in `forward`.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(4, 8)
    ...         self.head = nn.Linear(8, 3)
    ...     def forward(self, x):
    ...         return self.head(nn.functional.relu(self.hidden(x)))
    >>> Net()(cr.ones((2, 4))).shape
    (2, 3)
    >>> [name for name, _ in Net().named_parameters()]
    ['hidden.weight', 'hidden.bias', 'head.weight', 'head.bias']
    """

    training: bool

    def __init__(self) -> None:
        self.__dict__.update(
            training=True,
            _buffer_names={},  # name -> whether it is part of the state
            _forward_hooks={},
            _paths=WeakKeyDictionary(),  # module below this one -> its dotted path
        )

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles find their paths anew."""
        return {name: value for name, value in self.__dict__.items() if name != "_paths"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _paths=WeakKeyDictionary())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass says how."""
        raise ArgumentError(
            f"{type(self).__name__}: forward is not defined", hint="def forward(self, x): return ..."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` inside a scope of this module, and then the hooks."""
        outer = mode.scope
        mode.scope = Scope("module", "" if outer is None else _label(self, outer), self, outer)
        try:
            if mode.trace is not None:
                self._announce(mode.trace, module_path(mode.scope))
            out = self.forward(*args, **kwargs)
            for hook in tuple(self._forward_hooks.values()):
                changed = hook(self, args, out)
                out = out if changed is None else changed
            return out
        finally:
            mode.scope = outer

    def _announce(self, trace: Any, path: str) -> None:
        """Tell a trace what this call depends on, and the names of what it owns."""
        self._tell(trace)
        for name, parameter in self.own_parameters():
            trace.path(parameter, f"{path}.{name}" if path else name)

    def _tell(self, trace: Any) -> None:
        """Tell a trace what this module, and all below it, have: it may use them without a name."""
        for module in self.modules():
            trace.attributes.has(module)

    def _structure(self) -> dict[str, Any]:
        """Return the parts of this module alone: modules, parameters, buffers, hooks."""
        own = {name: value for name, value in self.__dict__.items() if isinstance(value, (Module, Parameter))}
        return {**own, **dict(self.own_buffers()), "_forward_hooks": tuple(self._forward_hooks.values())}

    def register_forward_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(module, inputs, output)` after every forward; what it returns (not None) replaces
        the output. The handle's `remove()` ends it.
        """
        handle = HookHandle(self._forward_hooks)
        self._forward_hooks[handle.number] = hook
        parts.last = object()
        return handle

    # ---- attributes ------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        if "_forward_hooks" not in attributes and isinstance(value, (Module, Tensor)):
            raise _unprepared(self, name)
        known = attributes.get(name)
        if isinstance(known, Parameter) and not isinstance(value, (Parameter, type(None))):
            raise _replaced(self, name, "parameter", "layer.weight.assign(values), or nn.Parameter(values)")
        if name in attributes.get("_buffer_names", ()) and not isinstance(value, (Tensor, type(None))):
            raise _replaced(self, name, "buffer", "layer.running_mean.assign(values), or cr.tensor(values)")
        if isinstance(value, Parameter) and value.name is None:
            value.name = name
        attributes[name] = value
        self._changed(name, value is not known)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._buffer_names.pop(name, None)
        self._changed(name, True)

    def _changed(self, name: str, new: bool) -> None:
        """Let compiled functions look again where something is new; tell a trace in any case."""
        if new:
            (modes if name == "training" else parts).last = object()
        if mode.trace is not None:
            mode.trace.attributes.sets(self, name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if "_forward_hooks" not in self.__dict__:
            raise _unprepared(self, name)
        known = [each for each in dir(self) if not each.startswith("_")]
        hint = f"here it is {METHODS[name]}" if name in METHODS else nearest(name, known)
        raise UnknownNameError(f"{type(self).__name__}: there is no attribute {name!r}", hint=hint)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make `param` the attribute `name`; None means that there is none."""
        self._attach(name, param, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make a tensor that training does not change the attribute `name`.

        A persistent one is part of the state.
        """
        self._attach(name, tensor, Tensor)
        self._buffer_names[name] = persistent
        if tensor is not None and tensor.name is None:
            tensor.name = name

    def add_module(self, name: str, module: Module | None) -> None:
        """Make `module` the attribute `name`."""
        self._attach(name, module, Module)

    register_module = add_module

    def _attach(self, name: str, value: Any, kind: type) -> None:
        what = f"{type(self).__name__}: {name!r}"
        if "." in name or not name:
            raise ArgumentError(f"{what} is no attribute name", hint="names have no dots, and are not empty")
        if hasattr(type(self), name) or not isinstance(self.__dict__.get(name), (kind, type(None))):
            raise ArgumentError(f"{what} is an attribute already")
        if value is not None and not isinstance(value, kind):
            raise DTypeError(f"{what} must be a {kind.__name__} or None, got {type(value).__name__}")
        setattr(self, name, value)

    # ---- the tree --------------------------------------------------------------------------------
    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules right below this one, each once, with the names of their attributes."""
        seen: set[int] = set()
        for name, value in self.__dict__.items():
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """Yield the modules right below this one."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "", _seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it, each once, with their dotted paths ('' for this one)."""
        seen = set[int]() if _seen is None else _seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters among this module's own attributes."""
        return ((n, value) for n, value in self.__dict__.items() if isinstance(value, Parameter))

    def own_buffers(self, persistent: bool = False) -> Iterator[tuple[str, Tensor]]:
        """Yield the buffers among this module's own attributes; only those of the state if `persistent`."""
        for name, stays in self._buffer_names.items():
            value = self.__dict__.get(name)
            if value is not None and (stays or not persistent):
                yield name, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with their dotted paths; one that is shared is told once."""
        return _once(self, Module.own_parameters)

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield all buffers with their dotted paths, each once."""
        return _once(self, Module.own_buffers)

    def buffers(self) -> Iterator[Tensor]:
        """Yield all buffers, each once."""
        return (buffer for _, buffer in self.named_buffers())

    def get_submodule(self, target: str) -> Module:
        """Return the module at a dotted path ('' is this one)."""
        found = self
        for place, name in enumerate(target.split(".") if target else []):
            inner = found.__dict__.get(name)
            if not isinstance(inner, Module):
                raise UnknownNameError(
                    f"{type(self).__name__}: there is no module {target!r}",
                    hint=nearest(name, (n for n, _ in found.named_children()))
                    + (f" in {'.'.join(target.split('.')[:place])!r}" if place else ""),
                )
            found = inner
        return found

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a dotted path."""
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        found = owner.__dict__.get(name)
        if not isinstance(found, Parameter):
            raise UnknownNameError(
                f"{type(self).__name__}: there is no parameter {target!r}",
                hint=nearest(target, (n for n, _ in self.named_parameters())),
            )
        return found

    # ---- changing all of it ----------------------------------------------------------------------
    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module below and then on this one; return this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and below: dropout drops, batch norm uses the batch's statistics."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set `training` to False here and below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say whether the parameters get gradients; False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters: set them to None, or to zeros."""
        forget(self.parameters(), set_to_none)

    def to(self, dtype: Any) -> Self:
        """Convert parameters and buffers of floats to another float dtype, in place."""
        wanted = known_dtype(dtype)
        if wanted.kind != "f":
            raise DTypeError(f"{type(self).__name__}.to: the dtype must be a float, got {wanted}")
        for tensor in itertools.chain(self.parameters(), self.buffers()):
            if tensor.dtype.kind == "f" and tensor.dtype != wanted:
                tensor.data = tensor.data.astype(wanted)
                tensor.grad = None if tensor.grad is None else Tensor(tensor.grad.data.astype(wanted))
        return self

    def float(self) -> Self:
        """Convert to float32, in place."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert to float64, in place."""
        return self.to(np.float64)

    # ---- state -----------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Tensor]:
        """Return parameters and buffers by their dotted paths, in PyTorch's order.

        The tensors share the module's memory and have no history.
        """
        return {name: tensor.detach() for name, tensor in self._named_state("")}

    def load_state_dict(self, state_dict: Any, strict: bool = True) -> KeyClash:
        """Copy tensors or arrays (NumPy's, PyTorch's) into parameters and buffers, by name, in place.

        All is checked before anything is written. With `strict=False`, missing and unexpected names
        are returned instead of raised; shapes must fit in any case. Raises CheckpointError.
        """
        title = f"load_state_dict({type(self).__name__})"
        return load_state(title, dict(self._named_state("")), state_dict, strict)

    def _named_state(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Yield what the state holds; a shared tensor under each of its names."""
        for name, tensor in itertools.chain(self.own_parameters(), self.own_buffers(persistent=True)):
            yield prefix + name, tensor
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield from value._named_state(f"{prefix}{name}.")

    # ---- looks -----------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """Return what the repr shows between the parentheses."""
        return ""

    def __repr__(self) -> str:
        return "\n".join(_lines(self, "", ""))


class HookHandle:
    """What `register_forward_hook` returns: `remove()` takes the hook away."""

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Hook]) -> None:
        self._hooks, self.number = hooks, next(self._numbers)

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._hooks.pop(self.number, None)
        parts.last = object()


def _once(root: Module, own: Callable[[Module], Iterator[tuple[str, Any]]]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for path, module in root.named_modules():
        for name, tensor in own(module):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield (f"{path}.{name}" if path else name), tensor


def _lines(module: Module, label: str, indent: str) -> list[str]:
    """Return PyTorch's tree of the module, with the number of parameters behind each line."""
    count = sum(parameter.size for parameter in module.parameters())
    note = f"  # {count:,} parameter{'s' if count > 1 else ''}" if count else ""
    head = f"{indent}{label}{type(module).__name__}({module.extra_repr()}"
    inner = [line for n, each in module.named_children() for line in _lines(each, f"({n}): ", indent + "  ")]
    return [head, *inner, f"{indent}){note}"] if inner else [f"{head}){note}"]


def _label(module: Module, scope: Scope | None) -> str:
    """Return the path of `module` below the module that calls it, '' where it is not found there."""
    while scope is not None and scope.kind != "module":
        scope = scope.parent
    if scope is None or not isinstance(scope.owner, Module):
        return ""
    paths: WeakKeyDictionary[Module, str] = scope.owner._paths
    if module not in paths:
        paths.update({each: path for path, each in scope.owner.named_modules()})
    return paths.get(module, "")


def _unprepared(module: Module, name: str) -> ArgumentError:
    kind = type(module).__name__
    what = "" if name.startswith("_") else f"{name!r} "
    return ArgumentError(
        f"{kind}: {what}is used before Module.__init__ has run",
        hint=f"call super().__init__() first in {kind}.__init__",
    )


def _replaced(module: Module, name: str, kind: str, hint: str) -> DTypeError:
    wanted = "an nn.Parameter" if kind == "parameter" else "a tensor"
    return DTypeError(
        f"{type(module).__name__}: {name!r} is a {kind} and only {wanted} or None can replace it", hint=hint
    )
