"""`chainrule compare` from the outside: a table, a folder, a sentence; and being stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli import main as entry
from chainrule.train import Trainer, assembly

for package in ("typer", "rich"):
    pytest.importorskip(package)


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(assembly, "Trainer", partial(Trainer, compile=False))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["chainrule", *map(str, arguments)])
        capfd.readouterr()
        status = 0
        try:
            entry.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return status, *capfd.readouterr()

    return call


TWO = ("--rung", "centroid", "--rung", "linear", "--epochs", "3", "--budget", "60s")


def test_it_says_which_to_use(say, tmp_path: Path) -> None:
    status, out, _ = say("compare", "moons", *TWO)
    lines = out.splitlines()
    assert status == 0 and lines[0] == "moons: 240 train, 60 test; 60s -> runs/moons-compare-1"
    assert lines[1].startswith("nearest centroid: ") and lines[2].startswith("linear, softmax: ")
    assert "95 % interval" in out and lines[-1].startswith("With 240 training samples use ")
    assert (tmp_path / "runs/moons-compare-1/report.html").exists()


def test_json_is_all_that_is_printed(say) -> None:
    status, out, _ = say("compare", "moons", *TWO, "--json", "--out", "made")
    found = json.loads(out)
    assert status == 0 and [each["name"] for each in found["results"]] == ["centroid", "linear"]
    assert 0 <= found["results"][0]["interval"][0] <= found["results"][0]["test_accuracy"] <= 1


def test_tables_and_archives_are_compared(say, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    rows = "\n".join(
        f"{a + c:.3f},{b:.3f},{d:.3f},{'no' if c else 'yes'}" for (a, b, d), c in zip(x, 3 * y, strict=True)
    )
    (tmp_path / "table.csv").write_text("a,b,c,answer\n" + rows + "\n")
    np.savez(tmp_path / "made.npz", x=x + y[:, None], y=y)
    for data in ("table.csv", "made.npz"):
        status, out, err = say("compare", data, *TWO, "--quiet")
        assert status == 0 and out.startswith("With 48 training samples use "), err


def test_amounts_regularisers_and_searches(say) -> None:
    small = ("--budget", "60s", "--epochs", "2", "--seeds", "2")
    status, out, _ = say("compare", "moons", "--fractions", "50%,100%", *small)
    assert status == 0 and "Ahead by the mean over seeds" in out.splitlines()[-1]
    status, out, _ = say("compare", "moons", "--regularisers", *small)
    assert status == 0 and "batch norm" in out and "gap between training and test" in out.splitlines()[-1]
    status, out, _ = say("compare", "moons", "--searches", "--budget", "8s")
    assert status == 0 and "random local search" in out and out.splitlines()[-1].startswith("Lowest loss: ")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--budget", "soon"), "--budget: must be a time"),
        (("--fractions", "0%"), "--fractions: must be shares"),
        (("--searches", "--regularisers"), "one at a time"),
        (("--rung", "lineer"), "no rung 'lineer'"),
        (("--regularisers", "--fractions", "1%,2%"), "takes one of --fractions"),
        (("--optimizer", "adan"), "adam"),
    ],
)
def test_what_cannot_be_asked(say, given: tuple[str, ...], message: str) -> None:
    status, out, err = say("compare", "moons", *given)
    assert status == 2 and message in err and not out


def test_a_folder_with_files_is_kept(say, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.txt").write_text("mine")
    status, _, err = say("compare", "moons", *TWO, "--out", "kept")
    assert status == 2 and "is not empty" in err
    assert say("compare", "moons", *TWO, "--out", "kept", "--overwrite")[0] == 0
    assert (tmp_path / "kept" / "mine.txt").read_text() == "mine"


def test_a_folder_that_may_not_be_written_is_told_before_anything_is_trained(say, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, out, err = say("compare", "moons", *TWO, "--out", "file/made")
    assert status == 1 and "result.json: cannot be written" in err and "centroid" not in out


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "chainrule", "compare", "moons", "--out", "made", "--budget", "1h"]
    command += ["--rung", "centroid", "--rung", "mlp", "--epochs", "1000000"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "nearest centroid" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped; what was done is in made" in err
    assert "use nearest centroid" in out
    assert len(json.loads((tmp_path / "made" / "result.json").read_text())["results"]) == 1
