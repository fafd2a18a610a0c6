"""Downloads that are either the right file or no file.

A file is checked against its checksum before it is given its name; mirrors are tried in turn. What
happened at each of them is told at the end.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from chainrule.errors import DataError
from chainrule.files import replace_with

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
            folder.mkdir(parents=True, exist_ok=True)
            replace_with(target, lambda file, url=url: _receive(url, file, remote.checksum))
            return target
        except _Failure as error:
            failures.append(f"{url}: {error}")
        except OSError as error:
            raise DataError(f"{target}: cannot be written ({error.strerror})") from error
    raise DataError(f"{remote.name}: could not be downloaded", got="; ".join(failures))


def has_checksum(path: Path, checksum: str) -> bool:
    """Say whether the file at `path` has the checksum "sha256:..." or "md5:..."."""
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: _digest(algorithm)).hexdigest() == expected


class _Failure(Exception):
    """The mirror did not answer, or not with the file."""


def _receive(url: str, file: BinaryIO, checksum: str) -> None:
    algorithm, _, expected = checksum.partition(":")
    digest = _digest(algorithm)
    for chunk in _chunks(url):
        file.write(chunk)
        digest.update(chunk)
    if digest.hexdigest() != expected:
        raise _Failure(f"wrong {algorithm} checksum ({file.tell()} bytes)")


def _chunks(url: str) -> Iterator[bytes]:
    """Yield what the mirror sends; every failure of the net is a `_Failure`, none of the disk is."""
    received = 0
    request = urllib.request.Request(url, headers={"User-Agent": "chainrule"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            announced = response.headers.get("Content-Length", "")
            while chunk := response.read(_CHUNK):
                received += len(chunk)
                yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _Failure(getattr(error, "reason", None) or error) from error
    if announced.isdecimal() and received != int(announced):
        raise _Failure(f"broke off after {received} of {announced} bytes")


def _digest(algorithm: str) -> Any:
    return hashlib.new(algorithm, usedforsecurity=False)
