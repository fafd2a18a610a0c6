"""What the documentation says is executed: docstring examples, python blocks of pages, links, pictures.

`docs/pages.py` says what a block of a page means. Pages are README.md, those in docs/, and those
beside benchmarks and examples; each runs in a new working directory. What it says that it needs,
`<!-- needs: shared_data, slow -->`, are test markers; with `shared_data` the real data sets are found
in ../shared/data, as from a clone, and CIFAR-10 where `load("cifar10")` looks. The notebooks of the
lecture are those that `docs/build.py` makes of its pages.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from docs.build import LECTURE, notebook, picture_files, rewritten
from docs.pages import needs, outputs

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for path in (ROOT / "src").rglob("*.py") if path.stem != "__main__")
PAGES = sorted(
    path
    for places in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(places)
)
OPTIONAL = {"matplotlib", "PIL", "rich", "safetensors", "sklearn", "typer"}

LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE
)


def run_page(text: str, filename: str) -> int:
    """Execute a page and return the number of blocks that ran or were compared."""
    done = 0
    for block, printed in outputs(text, filename):
        told = f"{filename}:{block.line}: expected\n{block.code}\nprinted\n{printed}"
        assert block.runs or block.shows(printed), told
        done += 1
    return done


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


def words(picture: Path) -> list[str]:
    """Its texts but for fractions, whose last digits may differ from machine to machine."""
    if picture.suffix != ".svg":
        return []
    texts = re.findall(r">([^<>]+)</text>", picture.read_text(encoding="utf-8"))
    return [text for text in texts if not re.search(r"\d\.\d", text)]


@pytest.mark.parametrize("page", [page_parameter(page) for page in PAGES])
def test_page_runs(
    page: Path, desk: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text(encoding="utf-8")
    if "torch" in needs(text):
        pytest.importorskip("torch")
    if "shared_data" in needs(text):
        (desk.parent / "shared").symlink_to(request.getfixturevalue("shared_data").parent)
    if '"cifar10"' in text and "shared_data" in needs(text):
        monkeypatch.setenv("CHAINRULE_DATA", str(request.getfixturevalue("cifar10_folder").parent))
    try:
        run_page(text, str(page))
        for shown in picture_files(text, page) if page.is_relative_to(ROOT / "docs") else []:
            drawn = desk / shown.name
            assert drawn.is_file(), f"{page} shows {shown.name}, which its code does not draw"
            assert words(drawn) == words(shown), shown.name
    finally:
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    assert not (broken := broken_links(page.read_text(encoding="utf-8"), page, ROOT)), broken


def test_every_page_is_reached_from_the_readme() -> None:
    assert not (lost := unreachable(PAGES, ROOT / "README.md")), lost


@pytest.mark.parametrize("page", LECTURE, ids=lambda page: page.stem)
def test_notebooks_are_made_of_their_pages(page: Path) -> None:
    made = notebook(page.read_text(encoding="utf-8"), page)
    assert json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8")) == made, (
        f"out of date: python -m docs.build {page.stem}"
    )
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.from_dict(made))


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
        (page_of("python", "print(2.3)", "text approx=20", "2.0"), 2),
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
        (page_of("python", "print(2.6)", "text approx=20", "2.0"), "expected"),
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


def test_outputs_are_written_back_where_they_differ() -> None:
    page = page_of("python", "print(2.001)", "text approx", "2.0", "python", "print(3)", "math", "4")
    assert rewritten(page, "page.md") == page.replace("4", "3")
    page = "- item\n\n  " + page_of("python", "print('a\\nb')", "text", "").replace("\n", "\n  ")
    assert rewritten(page, "page.md") == page.replace("text\n  \n", "text\n  a\n  b\n")


def test_a_notebook_holds_code_outputs_formulas_and_pictures(tmp_path: Path) -> None:
    (tmp_path / "p.svg").write_text("<svg/>")
    page = "# T\n\n" + page_of("python", "print(1)", "text", "1", "python", "f()", "math", "x", "sh", "ls")
    cells = notebook(page + "\n![p](p.svg)", tmp_path / "page.md")["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code", "markdown"]
    assert [output["text"] for cell in cells[1:3] for output in cell["outputs"]] == [["1"], ["x"]]
    assert "".join(cells[3]["source"]) == "$$\nx\n$$\n```sh\nls\n```\n![p](attachment:p.svg)"
    assert cells[3]["attachments"] == {"p.svg": {"image/svg+xml": "PHN2Zy8+"}}


def test_an_exception_in_a_notebook_is_one(tmp_path: Path) -> None:
    page = page_of("python raises", "{}['a']", "text", "KeyError: 'a'")
    (cell,) = notebook(page, tmp_path / "page.md")["cells"]
    assert cell["metadata"] == {"tags": ["raises-exception"]}
    assert [(each["ename"], each["evalue"]) for each in cell["outputs"]] == [("KeyError", "'a'")]


def test_outputs_that_agree_are_rewritten_only_afresh() -> None:
    page = page_of("python", "print(2.001)", "text approx", "2.0", "python", "print(3)", "text", "...")
    assert rewritten(page, "page.md") == page
    assert rewritten(page, "page.md", fresh=True) == page.replace("2.0\n", "2.001\n")


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
