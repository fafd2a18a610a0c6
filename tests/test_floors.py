"""The shape of the source, read from its syntax trees: floors, imports, sizes, docstrings, names.

Each check is a function from a source tree (a folder that holds the package's own folder) to the
list of its offenders. The checks run on the real tree, and on small planted trees in which each
of them must find exactly the one thing that is wrong.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
NAME = "chainrule"

FLOORS: tuple[set[str], ...] = (
    {"errors", "files"},
    {"scalar", "figures"},
    {"core"},
    {"ops"},
    {"nn", "optim", "inspect", "compiler"},
    {"features", "data"},
    {"train"},
    {"estimators", "interop"},
    {"__init__"},
    {"cli", "playground"},
    {"__main__"},
)
ANYWHERE = {NAME, "numpy"} | set(sys.stdlib_module_names)
AT_THE_TOP_OF = {"llvmlite": {"compiler"}, "rich": {"cli"}, "typer": {"cli"}}
THROUGH_NEED = {"matplotlib", "PIL", "safetensors", "sklearn"}
PICKLERS = {"pickle", "_pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}

FILE_LINES, FUNCTION_LINES = 400, 50
# "path" or "path:function" -> the reason why it may be longer. An entry without need fails.
LONGER_FOR_A_REASON: dict[str, str] = {}


class Import(NamedTuple):
    """One imported module: where it stands, and whether at the top, in a function, or by name."""

    target: str
    line: int
    how: str


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules(tree: Path) -> dict[str, Path]:
    """Dotted name -> file, for every module of the package in `tree`."""
    found = {}
    for path in sorted((tree / NAME).rglob("*.py")):
        parts = path.relative_to(tree).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[Import]:
    """Every import of a file, `need("x")` and `import_module("x")` included."""
    inside = {
        id(node)
        for function in ast.walk(parsed(path))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(parsed(path)):
        how = "function" if id(node) in inside else "top"
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, how) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(full if full in known else base, node.lineno, how)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "id", getattr(node.func, "attr", None))
            if called in {"need", "import_module", "__import__"}:
                yield Import(str(node.args[0].value), node.lineno, "named")


def every_import(tree: Path) -> Iterator[tuple[str, str, Import]]:
    """(module, `file:line`, import) over the whole package."""
    known = modules(tree)
    for module, path in known.items():
        for found in imports(path, known):
            yield module, f"{path.relative_to(tree)}:{found.line}", found


def package(module: str) -> str:
    """The first part below the root: `chainrule.core.op` -> core; the root itself -> __init__."""
    return [*module.split("."), "__init__"][1]


def floor(module: str) -> int:
    """The height of a module's package, -1 where the floors do not name it."""
    return next((height for height, names in enumerate(FLOORS) if package(module) in names), -1)


def homeless(tree: Path) -> list[str]:
    return [f"{module}: on no floor; add it to FLOORS" for module in modules(tree) if floor(module) < 0]


def upward_imports(tree: Path) -> list[str]:
    return [
        f"{place}: {package(module)} imports {found.target}, which is not on a lower floor"
        for module, place, found in every_import(tree)
        if found.target.split(".")[0] == NAME
        and package(module) != package(found.target)
        and not floor(found.target) < floor(module)
        and not (module == NAME and found.how == "named")
    ]


def relative_imports(tree: Path) -> list[str]:
    return [f"{place}: relative import" for _, place, found in every_import(tree) if found.target[:1] == "."]


def cycles(tree: Path) -> list[str]:
    """Import cycles between modules, each told once, from its first module in the alphabet."""
    edges: dict[str, set[str]] = {module: set() for module in modules(tree)}
    for module, _, found in every_import(tree):
        if found.target in edges and found.how != "named":
            edges[module].add(found.target)

    def back_to(start: str, trail: list[str], seen: set[str]) -> list[str] | None:
        for target in sorted(edges[trail[-1]]):
            if target == start:
                return trail
            if target > start and target not in seen:
                seen.add(target)
                if found := back_to(start, [*trail, target], seen):
                    return found
        return None

    loops = ((start, back_to(start, [start], set())) for start in edges)
    return [" -> ".join([*loop, start]) for start, loop in loops if loop]


def imports_in_functions(tree: Path) -> list[str]:
    return [
        f"{place}: imports {found.target} inside a function; use errors.need for an optional package"
        for _, place, found in every_import(tree)
        if found.how == "function"
    ]


def foreign_imports(tree: Path) -> list[str]:
    offenders = []
    for module, place, found in every_import(tree):
        top = found.target.split(".")[0]
        allowed = (
            top in ANYWHERE
            or package(module) in AT_THE_TOP_OF.get(top, ())
            or (found.how == "named" and top in THROUGH_NEED)
        )
        if top and not allowed:
            offenders.append(f"{place}: {found.target} may not be imported here ({found.how})")
    return offenders


def pickles(tree: Path) -> list[str]:
    imported = [
        f"{place}: imports {found.target}; only data/cifar*.py reads pickles"
        for module, place, found in every_import(tree)
        if found.target.split(".")[0] in PICKLERS and not module.startswith(f"{NAME}.data.cifar")
    ]
    allowed = [
        f"{path.relative_to(tree)}:{node.value.lineno}: allows pickles"
        for path in modules(tree).values()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle"
        if getattr(node.value, "value", None) is not False
    ]
    return imported + allowed


def missing_docstrings(tree: Path) -> list[str]:
    bare = (path for path in modules(tree).values() if not ast.get_docstring(parsed(path)))
    return [f"{path.relative_to(tree)}: no docstring" for path in bare]


def vague_names(tree: Path) -> list[str]:
    names = (path.relative_to(tree) for path in (tree / NAME).rglob("*") if path.stem in VAGUE)
    return [f"{path}: a name that says nothing" for path in names]


def lengths(path: Path, tree: Path) -> Iterator[tuple[str, int, int]]:
    """(key, lines, limit) of a file and of each of its functions."""
    key = str(path.relative_to(tree))
    yield key, len(path.read_text(encoding="utf-8").splitlines()), FILE_LINES
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{key}:{node.name}", node.end_lineno - node.lineno + 1, FUNCTION_LINES  # pyright: ignore


def too_long(tree: Path, reasons: dict[str, str] | None = None) -> list[str]:
    reasons = LONGER_FOR_A_REASON if reasons is None else reasons
    folders = (tree / NAME, *(tree.parent / name for name in ("tests", "benchmarks", "examples")))
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    long = {
        key: f"{key}: {lines} lines, more than {limit}"
        for path in files
        for key, lines, limit in lengths(path, tree.parent)
        if lines > limit
    }
    unexplained = [text for key, text in long.items() if not reasons.get(key)]
    return unexplained + [f"{key}: short again; remove its entry" for key in reasons if key not in long]


CHECKS: tuple[Callable[[Path], list[str]], ...] = (
    homeless,
    upward_imports,
    relative_imports,
    cycles,
    imports_in_functions,
    foreign_imports,
    pickles,
    missing_docstrings,
    vague_names,
    too_long,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_source(check: Callable[[Path], list[str]]) -> None:
    offenders = check(ROOT / "src")
    assert not offenders, "\n".join(["", *offenders])


PLANTED = [
    (homeless, {"engine/a.py": ""}, ["chainrule.engine.a:"]),
    (upward_imports, {"core/a.py": "import chainrule.nn.b"}, ["core/a.py:2: core imports chainrule.nn.b"]),
    (upward_imports, {"nn/a.py": "from chainrule import optim", "optim/__init__.py": ""}, ["nn/a.py:2"]),
    (upward_imports, {"nn/a.py": "import chainrule as cr"}, ["nn/a.py:2: nn imports chainrule,"]),
    (upward_imports, {"ops/a.py": "x = need('chainrule.compiler', for_='')"}, ["ops/a.py:2: ops imports"]),
    (relative_imports, {"nn/a.py": "from . import b"}, ["nn/a.py:2"]),
    (relative_imports, {"nn/a.py": "from ..core import b"}, ["nn/a.py:2"]),
    (
        cycles,
        {
            "core/a.py": "import chainrule.core.b",
            "core/b.py": "from chainrule.core import c",
            "core/c.py": "from chainrule.core.a import x",
        },
        ["chainrule.core.a -> chainrule.core.b -> chainrule.core.c -> chainrule.core.a"],
    ),
    (
        cycles,
        {"nn/__init__.py": "from chainrule.nn.a import x", "nn/a.py": "from chainrule.nn import y"},
        ["chainrule.nn -> chainrule.nn.a -> chainrule.nn"],
    ),
    (
        imports_in_functions,
        {"nn/a.py": "def f():\n    if 1: import json"},
        ["nn/a.py:3: imports json"],
    ),
    (foreign_imports, {"data/a.py": "from PIL import Image"}, ["data/a.py:2: PIL"]),
    (foreign_imports, {"train/a.py": "import rich.progress"}, ["train/a.py:2: rich.progress"]),
    (foreign_imports, {"nn/a.py": "import llvmlite.binding"}, ["nn/a.py:2: llvmlite.binding"]),
    (foreign_imports, {"nn/a.py": "x = need('pandas', for_='')"}, ["nn/a.py:2: pandas"]),
    (pickles, {"train/a.py": "from pickle import dumps"}, ["train/a.py:2: imports pickle"]),
    (pickles, {"data/a.py": "numpy.load('x', allow_pickle=True)"}, ["data/a.py:2: allows pickles"]),
    (missing_docstrings, {"nn/a.py": None}, ["nn/a.py: no docstring"]),
    (vague_names, {"nn/utils.py": ""}, ["nn/utils.py"]),
    (vague_names, {"helpers/a.py": ""}, ["helpers"]),
    (too_long, {"nn/a.py": "\n" * 400}, ["src/chainrule/nn/a.py: 401 lines"]),
    (too_long, {"nn/a.py": "class A:\n    def f(self):" + "\n        1" * 50}, ["nn/a.py:f: 51 lines"]),
]


def plant(folder: Path, files: Mapping[str, str | None]) -> Path:
    """Write a package whose files open with a docstring, except those given as None."""
    for name, body in {"__init__.py": "", **files}.items():
        path = folder / "src" / NAME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if body is None else f'"""Module."""\n{body}')
    return folder / "src"


@pytest.mark.parametrize(("check", "files", "expected"), PLANTED)
def test_planted_offender_is_found(
    check: Callable[[Path], list[str]], files: dict[str, str | None], expected: list[str], tmp_path: Path
) -> None:
    found = check(plant(tmp_path, files))
    assert len(found) == len(expected), found
    assert all(text in line for text, line in zip(expected, found, strict=True)), found


def test_good_tree_passes_every_check(tmp_path: Path) -> None:
    good = {
        "__init__.py": "from chainrule.core.a import f\nimport_module('chainrule.cli.main')",
        "core/a.py": "import json\nimport numpy\nfrom chainrule.core.b import g\n\ndef f(): ...",
        "core/b.py": "from chainrule import scalar",
        "scalar/__init__.py": "from chainrule.errors import need",
        "errors.py": "",
        "compiler/a.py": "import llvmlite.ir",
        "data/cifar.py": "import pickle\nImage = need('PIL.Image', for_='reading images')",
        "cli/main.py": "import rich\nimport typer\nimport chainrule as cr",
    }
    tree = plant(tmp_path, good)
    assert {check.__name__: check(tree) for check in CHECKS} == {check.__name__: [] for check in CHECKS}


def test_stale_or_empty_reasons_are_found(tmp_path: Path) -> None:
    tree = plant(tmp_path, {"nn/a.py": "\n" * 400, "nn/b.py": ""})
    assert not too_long(tree, {"src/chainrule/nn/a.py": "a table"})
    assert len(too_long(tree, {"src/chainrule/nn/a.py": ""})) == 1
    assert (
        "nn/b.py: short again"
        in too_long(tree, {"src/chainrule/nn/a.py": "a table", "src/chainrule/nn/b.py": "none"}).pop()
    )
