"""The files of a run: one rule for everything that is written.

A full disk or a missing permission becomes an error that names the file and says that what was saved
before is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from chainrule.errors import CheckpointError
from chainrule.files import replace_with


def write_file(path: Path, content: bytes | str) -> None:
    """Give `path` the given content in one step (text in UTF-8).

    Raises CheckpointError where that fails; the file is then what it was before.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_with(path, lambda file: file.write(data))
    except OSError as error:
        raise CheckpointError(
            f"{path.name}: cannot be written ({error.strerror or error})",
            got=f"{path}, {len(data)} bytes",
            hint="make room or choose another folder; what was saved before is unchanged",
        ) from error


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove what a kill left half-written in `folder`, of the files called `names`."""
    for name in names:
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)
