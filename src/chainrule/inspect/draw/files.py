"""A scene into a file: SVG, PNG or PDF, whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chainrule.errors import ArgumentError
from chainrule.inspect.draw.raster import pdf, png
from chainrule.inspect.draw.scene import Scene
from chainrule.inspect.draw.svg import svg

_FORMATS: dict[str, Callable[[Scene], bytes]] = {
    ".svg": lambda scene: svg(scene).encode(),
    ".png": png,
    ".pdf": pdf,
}


def check_format(path: str | os.PathLike[str]) -> Path:
    """Return the path; ArgumentError if its ending is none that can be drawn."""
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ArgumentError(
            f"draw: {path.name!r} must end in {', '.join(_FORMATS)}",
            hint="a page, .html, is written by graph.show(path), on the command line by -o too",
        )
    return path


def save(scene: Scene, path: Path) -> Path:
    """Write a scene in the format that the path's ending says; return the path."""
    return write(path, _FORMATS[path.suffix.lower()](scene))


def write(path: Path, content: bytes) -> Path:
    """Give `path` the content in one step, by way of a temporary file beside it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):  # a folder that may only be read has been told by now
            temporary.unlink(missing_ok=True)
    return path
