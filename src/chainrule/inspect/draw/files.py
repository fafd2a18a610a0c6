"""A scene into a file: SVG, PNG or PDF, whole or not at all.

The ending of the name says which; a page in HTML is written by `inspect.page`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from chainrule.errors import ArgumentError
from chainrule.files import replace_with
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
    content = _FORMATS[path.suffix.lower()](scene)
    replace_with(path, lambda file: file.write(content))
    return path
