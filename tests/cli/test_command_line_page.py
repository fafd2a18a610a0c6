"""docs/command-line.md: its `sh` blocks run in order, and a `text` block below is what they print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from test_docs import agree, blocks

for package in ("typer", "rich", "sklearn", "PIL", "matplotlib"):
    pytest.importorskip(package)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"


@pytest.mark.slow
def test_every_command_on_the_page(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    printed, ran, compared = "", 0, 0
    for block in blocks(PAGE.read_text(encoding="utf-8")):
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
            assert agree(block.code, printed, "approx" in block.info), f"line {block.line}: {printed}"
            compared += 1
    assert ran > 5 and compared > 5
