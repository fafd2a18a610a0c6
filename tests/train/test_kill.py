"""A run that is killed at any moment goes on to the same weights, to the last bit.

The run is the command line in a process of its own: digits with dropout and random crops, saved
after every iteration, so that many kills fall into the writing of a checkpoint.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chainrule.train import checkpoint

pytest.importorskip("typer")
pytest.importorskip("sklearn")

COMMAND = [
    *(sys.executable, "-m", "chainrule", "train", "digits", "--resume", "--epochs", "4", "--hidden", "24"),
    *("--dropout", "0.2", "--augment", "crop:1", "--save-every", "0", "--penalty", "l2:1e-4"),
]
EVERY = range(20)
FAST = (8,)


def start(folder: Path) -> subprocess.Popen[str]:
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, "--out", str(folder)],
        env={**os.environ, **single},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Undisturbed(NamedTuple):
    """The run that nobody disturbed: what it left, and how long it took."""

    result: dict[str, Any]
    seconds: float


def result(folder: Path) -> dict[str, Any]:
    last, best = (checkpoint.load(folder / f"{name}.safetensors") for name in ("last", "best"))
    arrays = {"last": last["trainer"]["model"], "best": best["model"]}
    weights = {f"{of}.{name}": a.tobytes() for of, model in arrays.items() for name, a in model.items()}
    timeless = [{k: v for k, v in row.items() if k != "seconds"} for row in last["trainer"]["history"]]
    return {**weights, "history": timeless, "random": last["trainer"]["random"], "best": last["best"]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    began = time.monotonic()
    run = start(folder)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert out.splitlines()[-1].startswith("test accuracy 0.")
    return Undisturbed(result(folder), time.monotonic() - began)


@pytest.mark.parametrize(
    "moment", [pytest.param(each, marks=[] if each in FAST else [pytest.mark.slow]) for each in EVERY]
)
def test_kill_and_resume(moment: int, undisturbed: Undisturbed, tmp_path: Path) -> None:
    folder, draw = tmp_path / "run", random.Random(moment)
    run = start(folder)
    # One of the twenty equal parts of the run, and a random moment within it.
    time.sleep(undisturbed.seconds * (moment + draw.random()) / len(EVERY))
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    again = start(folder)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert out.splitlines()[-1].startswith("test accuracy 0.")
    assert result(folder) == undisturbed.result
    assert not list(folder.glob(".*")), "half-written files are left"


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_a_polite_stop_saves_and_says_how_to_go_on(
    number: int, status: int, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run = start(folder)
    deadline = time.monotonic() + 60
    while not (folder / "last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == status, (out, err)
    assert "stopped and saved; go on with: chainrule train --resume --out" in err
    assert "Traceback" not in err
    again = start(folder)
    again.communicate(timeout=120)
    assert again.returncode == 0
    assert result(folder) == undisturbed.result
