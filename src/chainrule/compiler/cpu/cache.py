"""Cache: a folder of files that were expensive to make, each under a key.

It holds machine code, so it trusts nothing that others could have written: folder and files must
belong to the user and be writable by nobody else, and a checksum binds a file to its key. Several
processes may use it at once. Whatever goes wrong, it only seems to be empty. What the files mean
is not known here.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_VARIABLE = "CHAINRULE_CACHE"
_LIMIT = 256 << 20  # bytes; when there are more, the files longest not used go
_KEPT = 0.75  # of the limit, when files had to go
_HOUR = 3600.0
_SUM = hashlib.sha256().digest_size


class Cache:
    """Files in one folder; `limit` is the size in bytes that all of them may have together."""

    def __init__(self, folder: str | Path, limit: int = _LIMIT) -> None:
        self.folder, self.limit = Path(folder), limit
        self._unchecked = limit  # bytes written since the sizes were last added up
        self._complained = False

    def get(self, key: str) -> bytes | None:
        """Return what was put under a key, or None."""
        try:
            if not _private(os.stat(self.folder), stat.S_ISDIR):
                self._complain("others may write to it")
                return None
            content = self._read(key)
        except OSError:
            return None
        data = content[_SUM:]
        return data if content[:_SUM] == _checksum(key, data) else None

    def _read(self, key: str) -> bytes:
        path = self.folder / key
        with open(
            os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb"
        ) as file:
            status = os.fstat(file.fileno())
            if not _private(status, stat.S_ISREG):
                return b""
            if time.time() - status.st_mtime > _HOUR:
                os.utime(path)  # the time of the last use
            return file.read()

    def put(self, key: str, data: bytes) -> None:
        """Keep data under a key, in place of what was there."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _private(os.stat(self.folder), stat.S_ISDIR):
                self._complain("others may write to it")
                return
            self._write(key, data)
            self._unchecked += len(data)
            if self._unchecked > self.limit // 16:
                self._unchecked = 0
                self._tidy()
        except OSError as error:
            self._complain(error.strerror or str(error))

    def _write(self, key: str, data: bytes) -> None:
        """Write a file under another name, and only when it is whole give it its own."""
        number, name = tempfile.mkstemp(dir=self.folder, prefix=".")
        try:
            with open(number, "wb") as file:
                file.write(_checksum(key, data) + data)
            os.replace(name, self.folder / key)
        except BaseException:
            os.unlink(name)
            raise

    def _tidy(self) -> None:
        """Remove the files longest not used while there is too much, and what broken writes left."""
        found: list[tuple[float, int, str]] = []
        for entry in os.scandir(self.folder):
            with suppress(FileNotFoundError):  # another process was quicker
                status = entry.stat(follow_symlinks=False)
                if not entry.name.startswith("."):
                    found.append((status.st_mtime, status.st_size, entry.path))
                elif time.time() - status.st_mtime > _HOUR:
                    os.unlink(entry.path)
        total = sum(size for _, size, _ in found)
        if total <= self.limit:
            return
        for _, size, path in sorted(found):
            if total <= self.limit * _KEPT:
                break
            with suppress(FileNotFoundError):
                os.unlink(path)
            total -= size

    def _complain(self, reason: str) -> None:
        if not self._complained:
            self._complained = True
            warnings.warn(
                f"the cache for compiled programs, {self.folder}, is not used: {reason} "
                f"({_VARIABLE} names another folder, or none)",
                RuntimeWarning,
                stacklevel=2,
            )


_opened: dict[str, Cache] = {}


def cache() -> Cache | None:
    """Return the cache that the environment asks for; None where it asks for none.

    `CHAINRULE_CACHE` is the folder, or empty; unset, it is the system's place for such things.
    """
    folder = os.environ.get(_VARIABLE)
    if folder is None:
        folder = _usual()
    if not folder:
        return None
    return _opened.setdefault(folder, Cache(folder))


def _usual() -> str:
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(base, "chainrule") if os.path.isabs(base) else ""


def _private(status: os.stat_result, kind: Callable[[int], bool]) -> bool:
    """Tell whether something is of a kind, the user's own, and writable by nobody else."""
    if not kind(status.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True  # Windows: folders in the user's profile are the user's
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _checksum(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + data).digest()
