"""Every error of the library, in one layout.

The first line alone says which operation failed and what clashed; the lines below it give the
signature, what was received, the user's own line, and a hint with the right code. Each kind is
also a subclass of the built-in exception that fits, so that ordinary `except` clauses work.
This module knows no tensors: callers describe what they got in words.
"""

from __future__ import annotations

import difflib
import importlib
import linecache
import os.path
import sys
from collections.abc import Iterable
from types import ModuleType

__all__ = [
    "ArgumentError",
    "ChainruleError",
    "CheckError",
    "CheckpointError",
    "DTypeError",
    "DataError",
    "GraphError",
    "IndexRangeError",
    "MissingDependencyError",
    "NonFiniteError",
    "ShapeError",
    "TraceError",
    "UnknownNameError",
    "missing_name",
    "nearest",
    "need",
]

_PACKAGE = os.path.dirname(__file__)
_OTHERS = ("site-packages", "/lib/python")


class ChainruleError(Exception):
    """Base of all errors: a headline, then labelled lines.

    `headline` is complete by itself; `signature`, `got` and `hint` are shown when given, and the
    line of the user's code that led here is found on the stack.
    """

    def __init__(
        self, headline: str, *, signature: str = "", got: str = "", hint: str = "", at: str | None = None
    ) -> None:
        self.headline = headline
        self.signature = signature
        self.got = got
        self.hint = hint
        self.at = user_line() if at is None else at
        parts = (("signature", signature), ("got", got), ("at", self.at), ("hint", hint))
        lines = [f"  {label:<9}  {text}" for label, text in parts if text]
        super().__init__("\n".join([headline, *lines]))


class ShapeError(ChainruleError, ValueError):
    """Shapes, axes or sizes that do not fit together."""


class DTypeError(ChainruleError, TypeError):
    """A value of a type that the operation does not take."""


class CheckError(ChainruleError, AssertionError):
    """A check that did not hold: a gradient that does not agree with the numerical one, say."""


class GraphError(ChainruleError, RuntimeError):
    """A misuse of the computational graph: no gradient to give, or a value changed too late."""


class NonFiniteError(ChainruleError, ArithmeticError):
    """A loss or a gradient that became infinite or nan."""


class TraceError(ChainruleError, RuntimeError):
    """Python code that cannot be compiled because it depends on the values of tensors."""


class DataError(ChainruleError, ValueError):
    """Files, images, tables or labels that cannot be used as they are."""


class CheckpointError(ChainruleError, ValueError):
    """Saved weights or run folders that are damaged or belong to something else."""


class ArgumentError(ChainruleError, ValueError):
    """An argument outside the values it may take."""


class IndexRangeError(ChainruleError, IndexError):
    """An index beyond the end of an axis."""


class UnknownNameError(ChainruleError, AttributeError):
    """A name that does not exist; the hint gives the nearest one that does."""


class MissingDependencyError(ChainruleError, ImportError):
    """An optional package that a feature needs is not installed."""


def user_line() -> str:
    """Return `file.py:line  code` of the innermost frame outside of libraries, or ''."""
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.endswith("/bin/chainrule"):
            return ""
        if not path.startswith((_PACKAGE, "<")) and not any(each in path for each in _OTHERS):
            code = linecache.getline(path, frame.f_lineno).strip()
            return f"{os.path.basename(path)}:{frame.f_lineno}  {code}".rstrip()
        frame = frame.f_back
    return ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known spelling, or lists what exists."""
    choices = sorted(known)
    alike = [each for each in choices if each.lower() == name.lower()]
    close = alike or difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    listed = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return f"known: {listed}" if choices else ""


def missing_name(where: str, name: str, known: Iterable[str], hint: str = "") -> AttributeError:
    """Return what a module's `__getattr__` raises: Python's own names are asked for in silence."""
    if name.startswith("__"):
        return AttributeError(name)
    public = [each for each in known if not each.startswith("_")]
    return UnknownNameError(f"{where}: there is no {name!r}", hint=hint or nearest(name, public))


def need(module: str, for_: str) -> ModuleType:
    """Import an optional dependency, or say what needs it and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f"{for_}: the package {package!r} is not installed ({error})",
            hint="pip install 'chainrule[all]'",
        ) from error
