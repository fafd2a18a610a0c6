"""What a page of the documentation is: fenced blocks that are run in order, and what they print.

- ```` ```python ```` blocks run top to bottom in one namespace, in the working directory;
- ```` ```python no-run ```` is only compiled; ```` ```python raises ```` must end in an exception;
- a ```` ```text ````, ```` ```output ```` or ```` ```math ```` block right below a python block is what that
  block prints (and the exception's `Kind: message`), with `...` for anything; after `text approx`
  numbers may differ by one percent, after `text approx=20` by twenty;
- `<!-- needs: shared_data -->` in the first lines says what else the page needs.

`tests/test_docs.py` holds every page to that, `docs/build.py` writes outputs back into pages. This
module knows neither tests nor files.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

FENCE = re.compile(r"^ *(`{3,}|~{3,})([^`]*)$")
NEEDS = re.compile(r"<!-- needs: ([\w, ]+) -->")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
PRINTED = ({"text"}, {"output"}, {"math"})


class Block(NamedTuple):
    """A fenced block whose code is in the lines from `line` on, counted from 1, and before `end`.

    `below` is the info string of the block right above it, '' if text lies between.
    """

    info: list[str]
    code: str
    line: int
    end: int
    below: str

    @property
    def runs(self) -> bool:
        """Whether it is Python."""
        return self.info[:1] == ["python"]

    @property
    def is_output(self) -> bool:
        """Whether the block is what the python block right above it prints."""
        above = self.below.split()
        return set(self.info[:1]) in PRINTED and above[:1] == ["python"] and "no-run" not in above

    def shows(self, printed: str) -> bool:
        """Whether this output block agrees with what was printed."""
        given = [word.partition("=")[2] or "1" for word in self.info if word.partition("=")[0] == "approx"]
        return agree(self.code, printed, float(given[0]) / 100 if given else None)


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page; a fence that is never closed is an error."""
    found: list[Block] = []
    lines, number, below = text.splitlines(), 0, ""
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if not fence:
            below = below if not lines[number].strip() else ""
            number += 1
            continue
        start = number + 1
        closing = (n for n in range(start, len(lines)) if lines[n].strip() == fence[1])
        number = next(closing, -1)
        assert number >= 0, f"line {start}: this block is never closed"
        code = textwrap.dedent("\n".join(lines[start:number]))
        found.append(Block(fence[2].split(), code, start + 1, number + 1, below))
        below, number = fence[2].strip(), number + 1
    return found


def execute(block: Block, filename: str, namespace: dict[str, Any]) -> str:
    """Run one python block and return what it printed."""
    padded = "\n" * (block.line - 1) + block.code
    program = compile(padded, filename, "exec", dont_inherit=True)
    if "no-run" in block.info:
        return ""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        if "raises" not in block.info:
            exec(program, namespace)
        else:
            try:
                exec(program, namespace)
            except Exception as error:
                print(f"{type(error).__name__}: {error}")
            else:
                raise AssertionError(f"{filename}:{block.line}: should raise, but did not")
    return out.getvalue()


def agree(expected: str, printed: str, approx: float | None = None) -> bool:
    """Compare two texts but for white space, `...`, and this share of the numbers if one is given."""
    pieces = " ".join(expected.split()).split("...")
    literal = [
        [re.escape(text) for text in ([piece] if approx is None else NUMBER.split(piece))] for piece in pieces
    ]
    pattern = ".*?".join(f"({NUMBER.pattern})".join(texts) for texts in literal)
    match = re.fullmatch(pattern, " ".join(printed.split()))
    wanted = [number for piece in pieces for number in NUMBER.findall(piece)] if approx is not None else []
    return bool(match) and all(
        math.isclose(float(want), float(got), rel_tol=approx or 0.0, abs_tol=1e-6)
        for want, got in zip(wanted, match.groups(), strict=True)
    )


def outputs(text: str, filename: str) -> Iterator[tuple[Block, str]]:
    """Run a page, and yield each python block and each output block with what was printed."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(text):
        if block.runs:
            printed = execute(block, filename, namespace)
        if block.runs or block.is_output:
            yield block, printed


def needs(text: str) -> list[str]:
    """What a page says that it needs: names of test markers."""
    found = NEEDS.search("\n".join(text.splitlines()[:5]))
    return re.split(r"[ ,]+", found[1].strip()) if found else []
