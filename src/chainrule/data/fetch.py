"""Downloads that are either the right file or no file.

A file is written under a temporary name beside its place, checked against its checksum, and only
then given its name; mirrors are tried in turn. What happened at each of them is told at the end.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chainrule.errors import DataError

_CHUNK = 2**20
_SECONDS = 30.0


@dataclass(frozen=True)
class Remote:
    """A file on the net: its name, its checksum as "sha256:..." or "md5:...", and its mirrors."""

    name: str
    checksum: str
    urls: Sequence[str]


def fetch(remote: Remote, folder: Path) -> Path:
    """Download `remote` into `folder` and return its path.

    Raises DataError with each mirror's failure where none gives the right file; `folder` then
    holds nothing new.
    """
    target, failures = folder / remote.name, []
    for url in remote.urls:
        try:
            replace_with(target, lambda file, url=url: _receive(url, file, remote.checksum))
            return target
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            failures.append(f"{url}: {getattr(error, 'reason', error)}")
        except _WrongFile as error:
            failures.append(f"{url}: {error}")
        except OSError as error:
            raise DataError(f"{target}: cannot be written ({error.strerror})") from error
    raise DataError(f"{remote.name}: could not be downloaded", got="; ".join(failures))


def replace_with(target: Path, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a temporary file beside `target`, then give it that name in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def has_checksum(path: Path, checksum: str) -> bool:
    """Say whether the file at `path` has the checksum "sha256:..." or "md5:..."."""
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected


class _WrongFile(Exception):
    """The mirror answered, but not with the file."""


def _receive(url: str, file: BinaryIO, checksum: str) -> None:
    algorithm, _, expected = checksum.partition(":")
    digest, received = hashlib.new(algorithm, usedforsecurity=False), 0
    request = urllib.request.Request(url, headers={"User-Agent": "chainrule"})
    with urllib.request.urlopen(request, timeout=_SECONDS) as response:
        announced = response.headers.get("Content-Length")
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
    if announced is not None and received != int(announced):
        raise _WrongFile(f"broke off after {received} of {announced} bytes")
    if digest.hexdigest() != expected:
        raise _WrongFile(f"wrong {algorithm} checksum ({received} bytes)")
