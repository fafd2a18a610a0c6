"""`chainrule draw`, and the pictures of `chainrule explain`, from the outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chainrule.cli import main as entry

for package in ("typer", "rich"):
    pytest.importorskip(package)

FIRST = ("(x + y) * z", "x=-2", "y=5", "z=-4")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["chainrule", *arguments])
        capfd.readouterr()
        status = 0
        try:
            entry.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return status, *capfd.readouterr()

    return run


@pytest.mark.parametrize("name", ["net.svg", "net.html"])
def test_an_expression_becomes_a_picture_with_its_gradients(call, tmp_path: Path, name: str) -> None:
    assert call("draw", *FIRST, "-o", name) == (0, f"{name}\n", "")
    text = (tmp_path / name).read_text()
    assert all(f">{number}<" in text.replace("\\u003c", "<") for number in ("−12", "−4", "3"))


def test_the_options_reach_the_drawing(call, tmp_path: Path) -> None:
    arguments = ("draw", "std(x)", "x=[1,2,4]", "--direction", "down")
    assert call(*arguments, "--fold", "std", "-o", "closed.svg")[0] == 0
    assert call(*arguments, "--fold", "none", "-o", "open.svg")[0] == 0
    closed, opened = ((tmp_path / name).read_text() for name in ("closed.svg", "open.svg"))
    assert ">std<" in closed and ">sqrt<" not in closed and ">sqrt<" in opened


def test_explain_writes_the_same_pictures(call, tmp_path: Path) -> None:
    assert call("draw", *FIRST, "-o", "one.svg")[0] == 0
    status, out, _ = call("explain", *FIRST, "--svg", "other.svg", "--html", "page.html")
    assert status == 0 and "upstream x local" in out
    assert (tmp_path / "one.svg").read_text() == (tmp_path / "other.svg").read_text()
    assert (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*FIRST, "-o", "net.gif"), "draw: 'net.gif' must end in .svg, .png, .pdf"),
        ((*FIRST, "-o", "nowhere/net.svg"), "draw: there is no folder 'nowhere'"),
        ((*FIRST, "--fold", "-1"), "draw: fold must be a depth of 0 or more, got -1"),
        ((*FIRST, "--fold", "sigmiod"), "draw: nothing to fold is called 'sigmiod'"),
        ((*FIRST, "--flod", "1"), "draw: '--flod' is not NAME=VALUE"),
        (("3",), "draw: '3' is a number, 3.0: there is no name to take a gradient by"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(call, arguments: tuple[str, ...], message: str) -> None:
    status, _, error = call("draw", *arguments)
    assert status == 2 and error.startswith(f"error: {message}")
