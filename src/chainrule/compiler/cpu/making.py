"""Making: code is made by one thread at a time, and no fork happens meanwhile.

The child of such a fork would have what is half made, and locks of threads that it has not. What is
made is not known here.
"""

from __future__ import annotations

# It takes a lock of its own at forks, which must come after the one below.
import concurrent.futures.thread  # noqa: F401  # pyright: ignore[reportUnusedImport]
import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from llvmlite.binding import ffi

_PATIENCE = 60.0  # seconds that a fork waits at most
T = TypeVar("T")

making = threading.RLock()


class made(Generic[T]):
    """An attribute that is made when it is first read, as `functools.cached_property`; by `making`."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make, self._name, self.__doc__ = make, make.__name__, make.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> made[T]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> T: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        with making:
            if self._name not in instance.__dict__:
                instance.__dict__[self._name] = self._make(instance)
        return instance.__dict__[self._name]


class _Forks:
    """Forks of this process: nothing is made while one happens, nor freed by llvmlite."""

    def __init__(self) -> None:
        self._waited = False

    def begin(self) -> None:
        """Wait until nothing is being made."""
        self._waited = making.acquire(timeout=_PATIENCE)
        ffi.lib._lock.__enter__()

    def end(self) -> None:
        """Let other threads make things again."""
        ffi.lib._lock.__exit__()
        if self._waited:
            making.release()

    def end_in_child(self) -> None:
        """Do so in a process in which there are no others."""
        self.end()
        if not self._waited:
            making._at_fork_reinit()  # pyright: ignore


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forks.begin, after_in_parent=_forks.end, after_in_child=_forks.end_in_child)
