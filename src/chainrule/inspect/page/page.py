"""From a drawing to an HTML page, to a file, to a notebook, to a browser.

The template, its style and its script lie beside this file; what fills them is `contents`'.
"""

from __future__ import annotations

import json
import os
import tempfile
import webbrowser
from html import escape
from importlib.resources import files
from pathlib import Path

from chainrule.errors import ArgumentError
from chainrule.files import replace_with
from chainrule.inspect.draw import Drawing
from chainrule.inspect.draw.folding import Fold
from chainrule.inspect.page.contents import contents


class Page:
    """A page as a file at `path`; shows itself in a notebook."""

    def __init__(self, html: str, path: Path) -> None:
        self.html, self.path = html, path

    def open(self) -> Page:
        """Open the page in the browser; return it."""
        webbrowser.open(self.path.resolve().as_uri())
        return self

    def _repr_html_(self) -> str:
        style = "width:100%;height:620px;border:1px solid #ccd2da;border-radius:6px"
        return f'<iframe srcdoc="{escape(self.html)}" style="{style}"></iframe>'

    def __repr__(self) -> str:
        return f"<page {self.path}: open it in a browser, or .open()>"


def page(drawing: Drawing, path: str | os.PathLike[str] | None = None, fold: Fold = "auto") -> Page:
    """Write the page of a drawing to `path`, or to a temporary file if None.

    Raises ArgumentError where `path` does not end in .html.
    """
    target = Path(tempfile.mkdtemp(prefix="chainrule-")) / "graph.html" if path is None else Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(
            f"show: {target.name!r} must end in .html", hint="graph.draw(path) writes .svg, .png, .pdf"
        )
    html = _filled(contents(drawing, drawing.opened(fold)))
    replace_with(target, lambda file: file.write(html.encode()))
    return Page(html, target)


def _filled(data: object) -> str:
    """Return the template with everything that belongs into it."""
    folder = files("chainrule.inspect.page")
    template, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    # "<" is written so that no name in the data can end the script element that holds them.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace(
        "<", "\\u003c"
    )
    for name, part in (("style", style), ("script", script), ("data", text)):
        template = template.replace(f"<!--{name}-->", part, 1)
    return template
