"""The pages of the command line: `sh` blocks run in order, and a `text` block below is what they print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docs.pages import agree, blocks

for package in ("typer", "rich", "sklearn", "PIL", "matplotlib"):
    pytest.importorskip(package)

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["command-line.md", "comparing.md"])
def test_every_command_on_the_page(page: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    printed, ran, compared = "", 0, 0
    for block in blocks((DOCS / page).read_text(encoding="utf-8")):
        if block.info[:1] == ["sh"]:
            wanted = int(block.info[2]) if block.info[1:2] == ["exit"] else 0
            done = subprocess.run(
                ["bash", "-c", block.code],
                cwd=tmp_path,
                env=environment,
                text=True,
                capture_output=True,
                check=False,
            )
            printed = done.stdout + done.stderr
            assert done.returncode == wanted, f"line {block.line}: {printed}"
            ran += 1
        elif block.info[:1] == ["text"] and block.below.startswith("sh"):
            assert agree(block.code, printed), f"line {block.line}: {printed}"
            compared += 1
    assert ran > 4 and compared > 4
