"""`chainrule explain` from the outside."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main as entry

for package in ("typer", "rich"):
    pytest.importorskip(package)

FIRST = ("(x + y) * z", "x=-2", "y=5", "z=-4")


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, keys: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["chainrule", "explain", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(keys))
        capfd.readouterr()
        status = 0
        try:
            entry.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return status, *capfd.readouterr()

    return call


def test_the_table(explain) -> None:
    status, out, _ = explain(*FIRST)
    assert status == 0
    assert "multiply  -12  multiply = add * z = 3 * (-4) = -12" in out
    assert "            1  to add: 1 x -4 = -4" in out and "to z: 1 x 3 = 3" in out
    assert "x          -2  input\n           -4\n" in out


def test_json_is_whole(explain) -> None:
    _, out, _ = explain(*FIRST, "--json")
    found = json.loads(out)
    gradients = {gate["name"]: gate["upstream"] for gate in found["gates"]}
    assert gradients == {"x": -4, "y": -4, "z": 3, "add": -4, "multiply": 1}
    assert found["residual"] == 0 and found["explains"] == FIRST[0]


def test_matrices_and_minus_signs(explain) -> None:
    status, out, _ = explain("-(w @ x) * 2", "w=[[1,2],[3,4]]", "x=[1,-1]", "--gate", "matrix_product")
    assert status == 0 and "= sum over k of w[m,k] *" in out
    status, out, _ = explain("-max(x, y)", "x=1", "y=2")
    assert status == 0 and "to x: -1 x 0 = 0" in out and "to y: -1 x 1 = -1" in out


@pytest.mark.parametrize(
    "arguments", [("x / 0", "x=1"), ("log(x)", "x=0"), ("0 * x", "x=1e999"), ("sum(x)", "x=[]")]
)
def test_what_has_no_finite_answer_is_shown(explain, arguments: tuple[str, ...]) -> None:
    for form in ((), ("--json",), ("--step",)):
        status, out, err = explain(*arguments, *form)
        assert status == 0 and out and not err
    json.loads(explain(*arguments, "--json")[1], parse_constant=pytest.fail)


def test_a_walk_shows_only_what_is_known(explain) -> None:
    _, out, _ = explain(*FIRST, "--step", keys="\n\nb\nq\n")
    heads = [line.split("   ")[0] for line in out.splitlines() if line.startswith(("forward", "backward"))]
    assert heads == ["forward 1 of 2", "forward 2 of 2", "backward 1 of 2", "forward 2 of 2"]
    assert "upstream" not in out.partition("backward")[0]
    _, whole, _ = explain(*FIRST, "--step")
    assert "backward 2 of 2" in whole and whole.rstrip().splitlines()[-1].endswith("to z: 1 x 3 = 3")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("x + ", "x=2"), "column 4"), (("x", "y=2", "x=1"), "there is no 'y'"), (("x", "x=1", "x=2"), "twice"),
        (("x", "x=1", "--stp"), "did you mean '--step'"), (("x * y", "x=1"), "'y' has no value"),
        (("1 + 1",), "no name to take"), (("x", "x=two"), "column 1"), (("x @ y", "x=1", "y=2"), "matmul"),
        (("runs/nothing", "picture.png"), "no run"), (("x", "x=1", "--gate", "q"), "no gate 'q'"),
    ],
)  # fmt: skip
def test_mistakes(explain, arguments: tuple[str, ...], says: str) -> None:
    status, out, err = explain(*arguments)
    assert status == 2 and says in err and "Traceback" not in err and not out


def test_a_run_and_one_sample(explain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(
        sys, "argv", f"chainrule train digits --epochs 1 --hidden 8 --out {tmp_path}/run -q".split()
    )
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert not stop.value.code
    np.savez("three.npz", x=cr.random.uniform((2, 1, 8, 8)).data)
    status, out, _ = explain("run", "three.npz", "--label", "3", "--row", "1", "--json")
    found = json.loads(out)
    assert status == 0 and found["residual"] < 1e-6 and len(found["gates"]) <= 40
    gates = {gate["name"]: gate for gate in found["gates"]}
    assert (
        gates["1.weight"]["upstream"]["shape"] == [8, 64]
        and gates[found["gates"][-1]["name"]]["upstream"] == 1
    )
    status, out, _ = explain("run", "three.npz")
    assert status == 0 and out.startswith("the score of class ")
    for arguments, says in ((("--row", "2"), "no sample 2"), (("--label", "x"), "no class 'x'")):
        status, _, err = explain("run", "three.npz", *arguments)
        assert status in (1, 2) and says in err
    assert os.listdir(tmp_path)
