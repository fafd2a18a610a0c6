"""Pieces: compiled modules, of another program, from the cache, or made now, several at a time.

A piece is found by a digest of everything that its code depends on: its key, the processor, LLVM
and the sources of the compiler itself. What a key means is not known here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from weakref import WeakValueDictionary

import llvmlite
import llvmlite.binding as llvm

from chainrule.compiler.cpu.cache import Cache, cache
from chainrule.compiler.cpu.machine import Piece, build
from chainrule.compiler.cpu.making import making
from chainrule.compiler.cpu.target import Target
from chainrule.core.threads import get_num_threads

_SOURCES = ("compiler", "scalar", "core", "ops")  # the packages that decide what the code looks like
_loaded: WeakValueDictionary[str, Piece] = WeakValueDictionary()  # of the libraries that there are


def digest(key: str, target: Target) -> str:
    """Return under which name the code for a key is kept."""
    return hashlib.sha256(f"{_fingerprint()} {target} {key}".encode()).hexdigest()


@dataclass(frozen=True)
class Order:
    """What is wanted: something that writes the IR of a module, and whether its speed matters little."""

    write: Callable[[], str]
    plain: bool = False


def pieces(orders: Mapping[str, Order], target: Target) -> list[Piece]:
    """Return a compiled module for each order, which stands under its digest."""
    with making:
        return _pieces(orders, target)


def _pieces(orders: Mapping[str, Order], target: Target) -> list[Piece]:
    kept = cache()
    found = {name: _loaded.get(name) or _load(kept, name) for name in orders}
    # All is written before any is compiled: Python at work would keep the compiling threads waiting.
    texts = {name: orders[name].write() for name, piece in found.items() if piece is None}
    workers = ThreadPoolExecutor(get_num_threads(), "chainrule-compiler")
    try:
        made = {
            name: workers.submit(_make, kept, name, text, target, orders[name].plain)
            for name, text in sorted(texts.items(), key=lambda item: -len(item[1]))
        }
        done = {name: piece or made[name].result() for name, piece in found.items()}
    finally:
        workers.shutdown(cancel_futures=True)
    _loaded.update(done)
    return list(done.values())


def _load(kept: Cache | None, name: str) -> Piece | None:
    data = kept and kept.get(name)
    return Piece.from_bytes(data) if data else None


def _make(kept: Cache | None, name: str, text: str, target: Target, plain: bool) -> Piece:
    piece = build(text, target, plain=plain)
    if kept:
        kept.put(name, piece.to_bytes())
    return piece


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Return a digest of what writes and compiles the code."""
    made = hashlib.sha256(f"{llvmlite.__version__} {llvm.llvm_version_info}".encode())
    package = str(Path(__file__).parents[2])
    for folder in _SOURCES:
        for path in sorted(_files(os.path.join(package, folder))):
            with open(path, "rb") as file:
                made.update(path[len(package) :].encode() + b"\0" + file.read())
    return made.hexdigest()


def _files(folder: str) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _files(entry.path)
        elif entry.name.endswith(".py"):
            yield entry.path
