"""Builds the pages of the lecture: runs them, writes back what they print and draw, makes notebooks.

`python -m docs.build` builds all of docs/lecture, `python -m docs.build 05 docs/engine.md` some pages.
A page is its own source: its blocks are run (`docs/pages.py`), and an output block is replaced where
it no longer agrees with what was printed; a picture that the page shows is replaced by the file of
that name that its code has drawn. A notebook is the page in another format, outputs included. The
project's own style of plots is used for the pages, and no page needs it.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from docs.pages import Block, agree, blocks, outputs

DOCS = Path(__file__).resolve().parent
LECTURE = sorted((DOCS / "lecture").glob("[0-9]*.md"))
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^):]+\.(?:svg|png))\)")
MIME = {".svg": "image/svg+xml", ".png": "image/png"}


def rewritten(text: str, filename: str, fresh: bool = False) -> str:
    """Run a page and return it with the outputs that it has now; with `fresh` to the last digit."""
    lines = text.splitlines()
    changed = [(block, printed) for block, printed in outputs(text, filename) if block.is_output]
    for block, printed in reversed(changed):
        if agree(block.code, printed) or (block.shows(printed) and not fresh):
            continue
        fence = lines[block.line - 2]
        indent = fence[: len(fence) - len(fence.lstrip())]
        now = [(indent + line).rstrip() for line in printed.rstrip().splitlines()]
        lines[block.line - 1 : block.end - 1] = now
    return "\n".join(lines) + "\n" * text.endswith("\n")


def picture_files(text: str, page: Path) -> list[Path]:
    """The picture files that a page shows."""
    prose = re.sub(r"^ *(`{3,}).*?^ *\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [(page.parent / name).resolve() for _, name in PICTURE.findall(prose)]


# ---- notebooks -----------------------------------------------------------------------------------
def notebook(text: str, page: Path) -> dict[str, Any]:
    """A page as a Jupyter notebook (nbformat 4.5) with the outputs that the page shows."""
    cells = [
        {"id": f"{page.stem[:40]}-{number}", **cell}
        for number, cell in enumerate(_cells(text.splitlines(), page))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _cells(lines: list[str], page: Path) -> Iterator[dict[str, Any]]:
    """Cells in the order of the page; its prose, formulas and pictures between code are one cell."""
    prose: list[str] = []
    cell, count, done = None, 0, 0
    for block in blocks("\n".join(lines)):
        prose += lines[done : block.line - 2]
        done = block.end
        if block.is_output and cell:
            cell["outputs"].append(_output(block))
            prose += ["", "$$", *block.code.splitlines(), "$$"] * (block.info[0] == "math")
        elif block.runs and "no-run" not in block.info:
            yield from _told(prose, page)
            prose, count = [], count + 1
            cell = _code(block, count)
            yield cell
        else:
            prose += lines[block.line - 2 : block.end]
    yield from _told([*prose, *lines[done:]], page)


def _code(block: Block, count: int) -> dict[str, Any]:
    tags = {"tags": ["raises-exception"]} if "raises" in block.info else {}
    source = block.code.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": count, "metadata": tags, "outputs": [], "source": source}


def _output(block: Block) -> dict[str, Any]:
    if "raises" in block.below:
        kind, _, message = block.code.partition(": ")
        return {
            "output_type": "error",
            "ename": kind,
            "evalue": message,
            "traceback": block.code.splitlines(),
        }
    return {"output_type": "stream", "name": "stdout", "text": block.code.splitlines(keepends=True)}


def _told(prose: list[str], page: Path) -> Iterator[dict[str, Any]]:
    """One cell of text with its pictures attached; nothing for blank lines."""
    text = "\n".join(prose).strip()
    if not text:
        return
    files = {file.name: file for file in picture_files(text, page)}
    text = PICTURE.sub(lambda found: f"![{found[1]}](attachment:{Path(found[2]).name})", text)
    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}
    if files:
        cell["attachments"] = {
            name: {MIME[file.suffix]: base64.b64encode(file.read_bytes()).decode()}
            for name, file in files.items()
        }
    yield cell


# ---- building ------------------------------------------------------------------------------------
def build(page: Path, fresh: bool = False) -> None:
    """Run a page in an empty folder; update its outputs and pictures, and the lecture's notebook."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as desk, contextlib.chdir(desk):
        text = rewritten(text, str(page), fresh)
        for picture in picture_files(text, page):
            picture.parent.mkdir(exist_ok=True)
            shutil.copy(picture.name, picture)
    page.write_text(text, encoding="utf-8")
    if page in LECTURE:
        made = json.dumps(notebook(text, page), ensure_ascii=False, indent=1)
        page.with_suffix(".ipynb").write_text(made + "\n", encoding="utf-8")


def pages(names: Sequence[str]) -> list[Path]:
    """The pages with these paths, or of the lecture those whose names begin so; all of it for none."""
    found = [
        page
        for name in names
        for page in ([Path(name).resolve()] if name.endswith(".md") else LECTURE)
        if name.endswith(".md") or page.name.startswith(name)
    ]
    return found if names else LECTURE


def main() -> None:
    """Build the pages named on the command line, and tell how long each took."""
    parser = argparse.ArgumentParser(prog="python -m docs.build", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "page", nargs="*", help="the number of a page of the lecture, or the path of any page"
    )
    parser.add_argument("--fresh", action="store_true", help="rewrite also what agrees within its tolerance")
    arguments = parser.parse_args()
    os.environ.update(MPLBACKEND="Agg", SOURCE_DATE_EPOCH="0")
    with contextlib.suppress(ImportError):
        importlib.import_module("matplotlib").rc_file(DOCS / "lecture" / "matplotlibrc")
    for page in pages(arguments.page):
        begin = time.perf_counter()
        build(page, arguments.fresh)
        print(f"{page.relative_to(DOCS.parent)}  {time.perf_counter() - begin:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
