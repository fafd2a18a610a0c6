"""What the documentation says is executed: docstring examples, python blocks of pages, links.

In a page (README.md, docs/ and the pages beside benchmarks and examples):

- ```` ```python ```` blocks run top to bottom in one namespace, in a new working directory;
- ```` ```python no-run ```` is only compiled; ```` ```python raises ```` must end in an exception;
- a ```` ```text ```` or ```` ```output ```` block right below a python block is what that block prints (and
  the exception's `Kind: message`), with `...` for anything; after `text approx`, numbers may
  differ by one percent;
- `<!-- needs: shared_data -->` in the first lines puts the test markers named there on the page;
  with `shared_data` the real data sets are found in ../shared/data, as from a clone.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import io
import math
import re
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for path in (ROOT / "src").rglob("*.py") if path.stem != "__main__")
PAGES = sorted(
    path
    for places in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(places)
)
OPTIONAL = {"matplotlib", "PIL", "rich", "safetensors", "sklearn", "typer"}

FENCE = re.compile(r"^ *(`{3,}|~{3,})([^`]*)$")
NEEDS = re.compile(r"<!-- needs: ([\w, ]+) -->")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE
)


class Block(NamedTuple):
    """A fenced block; `below` is the info string of the block right above it, '' if text lies between."""

    info: list[str]
    code: str
    line: int
    below: str


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
        found.append(Block(fence[2].split(), code, start + 1, below))
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


def agree(expected: str, printed: str, approx: bool = False) -> bool:
    """Compare two texts but for white space, `...`, and (with `approx`) one percent in the numbers."""
    pieces = " ".join(expected.split()).split("...")
    literal = [[re.escape(text) for text in (NUMBER.split(piece) if approx else [piece])] for piece in pieces]
    pattern = ".*?".join(f"({NUMBER.pattern})".join(texts) for texts in literal)
    match = re.fullmatch(pattern, " ".join(printed.split()))
    wanted = [number for piece in pieces for number in NUMBER.findall(piece)] if approx else []
    return bool(match) and all(
        math.isclose(float(want), float(got), rel_tol=1e-2, abs_tol=1e-6)
        for want, got in zip(wanted, match.groups(), strict=True)
    )


def run_page(text: str, filename: str) -> int:
    """Execute a page and return the number of blocks that ran or were compared."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed, done = "", 0
    for block in blocks(text):
        kind = block.info[:1]
        above = block.below.split()
        if kind == ["python"]:
            printed = execute(block, filename, namespace)
        elif kind in (["text"], ["output"]) and above[:1] == ["python"] and "no-run" not in above:
            told = f"{filename}:{block.line}: expected\n{block.code}\nprinted\n{printed}"
            assert agree(block.code, printed, "approx" in block.info), told
        else:
            continue
        done += 1
    return done


def needs(text: str) -> list[str]:
    found = NEEDS.search("\n".join(text.splitlines()[:5]))
    return re.split(r"[ ,]+", found[1].strip()) if found else []


def links(text: str, page: Path) -> dict[str, Path]:
    """The relative links of a page, and the files that they name."""
    prose = re.sub(r"^ *(`{3,}).*?^ *\1\s*$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = (next(filter(None, match.groups())) for match in LINK.finditer(prose))
    local = [target for target in targets if not re.match(r"[a-z][a-z+.-]*:|#", target)]
    return {target: (page.parent / target.partition("#")[0]).resolve() for target in local}


def broken_links(text: str, page: Path, root: Path) -> list[str]:
    """Relative links that lead to no file inside the project."""
    files = links(text, page)
    return [
        name for name, file in files.items() if not (file.exists() and file.is_relative_to(root.resolve()))
    ]


def unreachable(pages: list[Path], start: Path) -> list[str]:
    """Pages to which no chain of links leads from the first one."""
    reached = [start.resolve()]
    for page in reached:
        if page.suffix == ".md" and page.exists():
            found = links(page.read_text(encoding="utf-8"), page).values()
            reached += [file for file in dict.fromkeys(found) if file not in reached]
    return [str(page) for page in pages if page.resolve() not in reached]


def docstring_examples(source: Path, name: str, scope: dict[str, Any]) -> list[doctest.DocTest]:
    """The examples of every docstring in a file, of decorated and nested functions too."""
    parser, found = doctest.DocTestParser(), []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node, clean=False)
            if text and ">>>" in text:
                title = f"{name}.{getattr(node, 'name', '')}".rstrip(".")
                line = node.body[0].lineno - 1
                found.append(parser.get_doctest(text, dict(scope), title, str(source), line))
    return found


def run_examples(tests: list[doctest.DocTest]) -> str:
    """Run them and return the report of the failures, '' when there are none."""
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test, out=report.append)
    return "".join(report)


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new working directory, and plots that need no screen."""
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return folder


def module_name(source: Path) -> str:
    parts = source.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("source", SOURCES, ids=module_name)
def test_docstrings(source: Path) -> None:
    try:
        module = importlib.import_module(module_name(source))
    except ImportError as error:
        if (
            not isinstance(cause := error.__cause__ or error, ModuleNotFoundError)
            or cause.name not in OPTIONAL
        ):
            raise
        pytest.skip(str(error))
    report = run_examples(docstring_examples(source, module.__name__, vars(module)))
    assert not report, report


def page_parameter(page: Path) -> Any:
    marks = [getattr(pytest.mark, name) for name in needs(page.read_text(encoding="utf-8"))]
    return pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks)


@pytest.mark.parametrize("page", [page_parameter(page) for page in PAGES])
def test_page_runs(page: Path, desk: Path, request: pytest.FixtureRequest) -> None:
    text = page.read_text(encoding="utf-8")
    if "torch" in needs(text):
        pytest.importorskip("torch")
    if "shared_data" in needs(text):
        (desk.parent / "shared").symlink_to(request.getfixturevalue("shared_data").parent)
    try:
        run_page(text, str(page))
    finally:
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    assert not (broken := broken_links(page.read_text(encoding="utf-8"), page, ROOT)), broken


def test_every_page_is_reached_from_the_readme() -> None:
    assert not (lost := unreachable(PAGES, ROOT / "README.md")), lost


def page_of(*parts: str) -> str:
    """A page from alternating info strings and bodies."""
    return "\n".join(f"```{info}\n{body}\n```" for info, body in zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize(
    ("page", "done"),
    [
        (page_of("python", "x = 2", "python", "print(x)", "text", "2"), 3),
        (page_of("python", "print('a b\\nc')", "output", "a  b c"), 2),
        (page_of("python", "print(0.5, 1234)", "text", "0.5 ..."), 2),
        (page_of("python", "print('loss 2.003e+1')", "text approx", "loss 20.0"), 2),
        (page_of("python no-run", "import nowhere", "text", "not compared"), 1),
        (page_of("python raises", "{}['a']", "text", "KeyError: 'a'"), 2),
        (page_of("sh", "exit 1", "text", "not compared"), 0),
        (page_of("python", "1") + "\nprose\n" + page_of("text", "not compared"), 1),
        ("- item\n\n  " + page_of("python", "if 1:\n    x = 1").replace("\n", "\n  "), 1),
        ("````text\n```python\nnot run\n```\n````", 0),
    ],
)
def test_right_pages_pass(page: str, done: int) -> None:
    assert run_page(page, "page.md") == done


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (page_of("python", "print(2.001)", "text", "2.0"), "page.md:5: expected"),
        (page_of("python", "print(2.1)", "text approx", "2.0"), "expected"),
        (page_of("python", "print(1, 2)", "text approx", "1"), "expected"),
        (page_of("python", "1 / 0"), "division"),
        (page_of("python no-run", "print("), "page.md, line 2"),
        (page_of("python raises", "1"), "should raise"),
        (page_of("python", "1", "text", "nothing was printed"), "printed"),
        ("```python\n1", "never closed"),
    ],
)
def test_wrong_pages_fail(page: str, message: str) -> None:
    with pytest.raises((AssertionError, SyntaxError, ZeroDivisionError), match=message):
        run_page(page, "page.md")


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "here.md").touch()
    text = (
        "[a](here.md#x) [b](gone.md) [c](https://x.y) [d](#e)\n[f]: lost.md\n`[g](code.md)`\n![h](../up.png)"
    )
    assert broken_links(text, tmp_path / "page.md", tmp_path) == ["gone.md", "lost.md", "../up.png"]


def test_unreachable_pages_are_found(tmp_path: Path) -> None:
    pages = [tmp_path / name for name in ("README.md", "a.md", "b.md", "lost.md")]
    for page, text in zip(pages, ("[a](a.md)", "[b](b.md#x)", "[up](README.md)", "[a](a.md)"), strict=True):
        page.write_text(text)
    assert unreachable(pages, pages[0]) == [str(pages[3])]


def test_examples_of_decorated_functions_run(tmp_path: Path) -> None:
    source = tmp_path / "m.py"
    source.write_text('@hide\ndef f():\n    """\n    >>> k + 1\n    3\n    """\n')
    (right,) = docstring_examples(source, "m", {"k": 2})
    (wrong,) = docstring_examples(source, "m", {"k": 3})
    assert not run_examples([right])
    assert "line 4, in m.f" in run_examples([wrong])
