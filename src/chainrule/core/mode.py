"""What is going on in this thread: is the graph recorded, and inside which module or composite.

The only mutable state of the engine besides the tensors; each thread has its own.
"""

from __future__ import annotations

import threading
from contextlib import ContextDecorator
from typing import Any


class Scope:
    """One level of nesting: a module's call, or a composite op that can be opened and closed."""

    __slots__ = ("_path", "kind", "label", "owner", "parent")

    def __init__(self, kind: str, label: str, owner: object, parent: Scope | None) -> None:
        self.kind, self.label, self.owner, self.parent = kind, label, owner, parent
        self._path: str | None = None

    def chain(self) -> list[Scope]:
        """Return the enclosing scopes, outermost first, this one last."""
        levels: list[Scope] = []
        level: Scope | None = self
        while level is not None:
            levels.append(level)
            level = level.parent
        return levels[::-1]


def module_path(scope: Scope | None) -> str:
    """Return the dotted names of the enclosing modules, such as 'features.conv1'; '' outside of all."""
    if scope is None:
        return ""
    if scope._path is None:  # many ops in one module ask for it
        above = module_path(scope.parent)
        own = scope.label if scope.kind == "module" else ""
        scope._path = f"{above}.{own}" if above and own else above or own
    return scope._path


class Mode(threading.local):
    """The state of one thread."""

    recording: bool = True
    outside: Any = None  # what `recording` was outside of the last `no_grad`, and `outside` there
    scope: Scope | None = None
    trace: Any = None  # the Trace that writes down what happens, while a function is compiled


mode = Mode()


class no_grad(ContextDecorator):
    """Record nothing: a context, or a decorator, inside which results have no gradient.

    >>> import chainrule as cr
    >>> w = cr.tensor([1.0, 2.0], requires_grad=True)
    >>> with cr.no_grad():
    ...     y = w * 2
    >>> y.requires_grad
    False
    """

    _target = False

    def __enter__(self) -> None:
        mode.outside = mode.recording, mode.outside  # not in self: as a decorator, one serves all threads
        mode.recording = self._target

    def __exit__(self, *_: Any) -> None:
        mode.recording, mode.outside = mode.outside


class enable_grad(no_grad):
    """Record again inside a `no_grad` context."""

    _target = True
