"""The command line from the outside: arguments in; lines, files and an exit status out."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from chainrule.cli import main as entry

for package in ("typer", "rich", "sklearn", "PIL"):
    pytest.importorskip(package)


class Said(NamedTuple):
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


Chainrule = Callable[..., Said]


@pytest.fixture
def chainrule(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Chainrule:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["chainrule", *map(str, arguments)])
        capfd.readouterr()
        status = 0
        try:
            entry.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Said(status, *capfd.readouterr())

    return call


SMALL = ("--hidden", "16", "--epochs", "3")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of two classes, of several sizes and kinds, with a broken one."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, tone in (("dark", 40), ("light é", 200)):
        folder = tmp_path / "shots" / name
        folder.mkdir(parents=True)
        for number in range(20):
            side = 9 + number % 3
            pixels = rng.integers(tone - 30, tone + 30, (side, side + 2, 3)).astype(np.uint8)
            Image.fromarray(pixels).convert("P" if number % 5 == 0 else "RGB").save(
                folder / f"{number:02}.png"
            )
    return tmp_path / "shots"


# ---- train ----------------------------------------------------------------------------------------
def test_digits_without_any_choice(chainrule: Chainrule) -> None:
    said = chainrule("train")
    assert said.status == 0 and not said.err
    assert said.out.splitlines()[0] == "no DATA given: training on digits"
    words = said.last.rpartition(" ")
    assert words[0] == "test accuracy" and float(words[2]) >= 0.96
    assert Path("runs/digits-mlp-1/best.safetensors").exists()


def test_a_small_run_and_every_verb_on_it(chainrule: Chainrule) -> None:
    said = chainrule("train", "digits", *SMALL, "--out", "run", "--quiet")
    assert said.status == 0 and len(said.out.splitlines()) == 1
    accuracy = float(said.last.removeprefix("test accuracy "))
    assert float(chainrule("evaluate", "run").last.removeprefix("test accuracy ")) == accuracy
    measured = json.loads(chainrule("evaluate", "run", "--split", "train", "--json").out)
    assert measured["split"] == "train" and measured["samples"] == 1294 and len(measured["classes"]) == 10
    told = json.loads(chainrule("info", "run", "--json").out)
    assert (
        told["epochs_done"] == 3 and told["settings"]["hidden"] == [16] and told["data"]["name"] == "digits"
    )
    assert "3 of 3 epochs" in chainrule("info", "run").out


def test_json_is_all_that_is_printed(chainrule: Chainrule) -> None:
    said = chainrule("train", "xor", "--samples", "100", "--epochs", "2", "--json")
    result = json.loads(said.out)
    assert result["run"] == "runs/xor-mlp-1" and len(result["history"]) == 2 and "accuracy" in result["test"]


def test_run_folders_are_counted_and_never_overwritten_unasked(chainrule: Chainrule) -> None:
    for number in (1, 2):
        assert chainrule("train", "moons", "--epochs", "1").status == 0
        assert Path(f"runs/moons-mlp-{number}").is_dir()
    again = ("train", "moons", "--epochs", "1", "--out", "runs/moons-mlp-1")
    refused = chainrule(*again)
    assert refused.status == 2 and "is not empty" in refused.err and "--resume" in refused.err
    assert chainrule(*again, "--overwrite").status == 0
    assert "exclude each other" in chainrule(*again, "--overwrite", "--resume").err


def test_resume(chainrule: Chainrule) -> None:
    one = ("train", "moons", "--samples", "90", "--schedule", "constant", "--out", "run", "--resume")
    assert "needs to know the run" in chainrule("train", "moons", "--resume").err
    assert chainrule(*one, "--epochs", "2").status == 0
    again = chainrule("train", "--out", "run", "--resume")
    assert again.status == 0 and "is finished: 2 of 2 epochs are done" in again.out
    assert again.last.startswith("test accuracy ")
    longer = chainrule("train", "--out", "run", "--resume", "--epochs", "4")
    assert longer.status == 0 and "goes on: 2 of 4 epochs" in longer.out and "epoch 3/4" in longer.out
    for change, message in (
        (("--rate", "0.5"), "has rate 0.003, not 0.5"),
        (("--samples", "50"), "has options"),
        (("--epochs", "1"), "longer, not shorter"),
        (("spiral",), "has data 'moons', not 'spiral'"),
    ):
        said = chainrule("train", *change, "--out", "run", "--resume")
        assert said.status == 2 and message in said.err


def test_a_network_of_the_user(chainrule: Chainrule, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from chainrule import nn\n"
        "def build(shape, outputs):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, outputs))\n"
    )
    assert chainrule("train", "blobs", "--model", "net.py:build", "--epochs", "2", "--out", "run").status == 0
    refused = chainrule("evaluate", "run")
    assert (
        refused.status == 1 and "is not run unasked" in refused.err and "--model net.py:build" in refused.err
    )
    assert chainrule("evaluate", "run", "--model", "net.py:build").status == 0
    assert chainrule("train", "--resume", "--out", "run", "--model", "net.py:build").status == 0


def test_a_regression(chainrule: Chainrule, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    rows = np.column_stack([x, 5000 + 300 * x[:, 0] - 200 * x[:, 1]])
    lines = ["a,b,price", *(",".join(f"{value:.6f}" for value in row) for row in rows)]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    said = chainrule("train", "p.csv", "--task", "regression", "--hidden", "16", "--out", "run")
    assert said.status == 0 and float(said.last.removeprefix("test rmse ")) < 40
    (tmp_path / "new.csv").write_text("a,b\n0,0\n1,0\n")
    answers = json.loads(chainrule("predict", "run", "new.csv", "--json").out)
    np.testing.assert_allclose([each["predicted"][0] for each in answers], [5000, 5300], rtol=0.02)


LEFT_OUT = "left out: broken.png: not a readable image (no known image format)\n"


# ---- pictures -------------------------------------------------------------------------------------
def test_pictures_from_training_to_prediction(chainrule: Chainrule, pictures: Path) -> None:
    said = chainrule("train", pictures, "--model", "mlp", "--epochs", "8", "--size", "8", "--out", "run")
    assert said.status == 0 and float(said.last.removeprefix("test accuracy ")) == 1
    shown = chainrule("predict", "run", pictures / "dark" / "03.png", pictures / "light é", "--top", "2")
    lines = shown.out.splitlines()
    assert shown.status == 0 and len(lines) == 21
    assert ": dark 0." in lines[0] and all(": light é " in line and ", dark " in line for line in lines[1:])
    broken = pictures / "dark" / "broken.png"
    broken.write_bytes(b"no picture")
    refused = chainrule("predict", "run", broken)
    assert refused.status == 1 and "broken.png: not a readable image" in refused.err
    (pictures / "dark" / "._03.png").write_bytes(b"what a Mac leaves beside a picture")
    (pictures / "linked").symlink_to(pictures / "light é")
    assert len(chainrule("predict", "run", pictures / "linked").out.splitlines()) == 20
    (pictures / "linked").unlink()
    skipped = chainrule("predict", "run", pictures / "dark", "--bad-images", "skip", "--json")
    assert len(json.loads(skipped.out)) == 20 and skipped.err == LEFT_OUT
    assert (
        "1 channel"
        not in chainrule("evaluate", "run", pictures, "--split", "all", "--bad-images", "skip").err
    )
    for other, message in (("nothing.png", "no such file"), (pictures.parent / "run", "holds no images")):
        if other != "nothing.png":
            for picture in Path(other).glob("*.png"):
                picture.unlink()
        said = chainrule("predict", "run", other)
        assert said.status == 1 and message in said.err


def test_a_broken_picture_stops_training_or_is_left_out(chainrule: Chainrule, pictures: Path) -> None:
    (pictures / "dark" / "broken.png").write_bytes(b"no picture")
    small = ("train", pictures, "--model", "linear", "--epochs", "1")
    refused = chainrule(*small)
    assert refused.status == 1 and "broken.png" in refused.err and not Path("runs").exists()
    said = chainrule(*small, "--bad-images", "skip")
    assert said.status == 0 and "left out:" in said.out and "broken.png" in said.out
    assert "broken.png" in chainrule("info", pictures, "--bad-images", "skip").out


def test_runs_and_data_that_are_not_where_they_were(chainrule: Chainrule, pictures: Path) -> None:
    chainrule("train", pictures, "--model", "linear", "--epochs", "1", "--out", "runs/one")
    assert "did you mean 'one'?" in chainrule("evaluate", "runs/noe").err
    assert "did you mean 'one'?" in chainrule("explain", "runs/noe").err
    moved = pictures.rename(pictures.with_name("elsewhere"))
    said = chainrule("evaluate", "runs/one")
    assert said.status == 1 and f"no more at {pictures}" in said.err and "evaluate runs/one DATA" in said.err
    assert chainrule("evaluate", "runs/one", moved).status == 0


def test_archives_and_tables_for_prediction(chainrule: Chainrule, tmp_path: Path) -> None:
    chainrule("train", "blobs", "--epochs", "1", "--out", "run")
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 2), np.float32))
    assert chainrule("predict", "run", "a.npz").out.splitlines()[2].startswith("a.npz[2]: ")
    for name, text, message in (
        ("words.csv", "1,2\n3,x\n", "line 2 is not all numbers"),
        ("wide.csv", "1,2,3\n", r"takes samples (2,), these are (3,)"),
        ("empty.csv", "", "no rows of numbers"),
        ("ragged.csv", "1,2\n3\n", "rows differ in length"),
        ("bad.npz", "PK", "not a readable archive"),
        ("nan.csv", "1,nan\n", "no rows of numbers"),
        ("photo.png", "", "the model takes tables"),
    ):
        (tmp_path / name).write_text(text)
        said = chainrule("predict", "run", name)
        assert said.status == 1 and f"{name}: " in said.err and message in said.err


# ---- errors and surroundings ----------------------------------------------------------------------
WRONG = [
    (("train", "dgits"), 1, "did you mean 'digits'?"),
    (("train", "digits", "--model", "mpl"), 2, "did you mean 'mlp'?"),
    (("train", "digits", "--hidden", "a,b"), 2, "--hidden: must be sizes"),
    (("train", "digits", "--size", "1x2x3"), 2, "--size: must be one number"),
    (("train", "digits", "--size", "8"), 2, "digits has no option 'size'"),
    (("train", "digits", "--epochs", "many"), 2, "--epochs"),
    (("train", "digits", "--epochs", "-1"), 2, "epochs: must be from 0"),
    (("train", "digits", "--rate", "1e9", "--optimizer", "sgd", "--schedule", "constant"), 1, "(layer '"),
    (("train", "digits", "--wings", "2"), 2, "--wings"),
    (("evaluate", "nowhere"), 1, "nowhere: there is no such run folder"),
    (("predict", "nowhere", "a.png"), 1, "a run is made by `chainrule train"),
    (("check", "./nowhere"), 1, "nowhere: there is no such run folder"),
    (("info", "nowhere/x"), 1, "nothing lies at the path"),
    (("draw",), 2, "draw"),
    (("train", ""), 2, "the name is empty"),
    (("train", "--resume", "--out", "nowhere"), 2, "there is no run in 'nowhere'"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), WRONG)
def test_errors_are_told_in_words(
    arguments: tuple[str, ...], status: int, message: str, chainrule: Chainrule
) -> None:
    said = chainrule(*arguments)
    assert said.status == status and message in said.err and "Traceback" not in said.err


def test_hints_name_options_as_they_are_written_here(
    chainrule: Chainrule, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "dark" / "broken.png").write_bytes(b"no picture")
    assert "hint       --bad-images skip leaves" in chainrule("train", pictures).err
    (tmp_path / "prices.csv").write_text("a,b\n1,2.5\n2,3.5\n3,1.25\n")
    assert "hint       --task regression, or --label names" in chainrule("train", "prices.csv").err


def test_pictures_of_other_sizes_that_came_later_are_told(chainrule: Chainrule, tmp_path: Path) -> None:
    from PIL import Image

    for name, tone in (("dark", 40), ("light", 200)):
        (tmp_path / "equal" / name).mkdir(parents=True)
        for number in range(6):
            Image.new("RGB", (8, 8), (tone + number,) * 3).save(tmp_path / "equal" / name / f"{number}.png")
    chainrule("train", "equal", "--model", "linear", "--epochs", "1", "--out", "run")
    assert chainrule("check", "run").status == 0
    Image.new("RGB", (5, 5)).save(
        tmp_path / "equal" / "dark" / "small.png"
    )  # all are brought to one size now
    said = chainrule("check", "run")
    assert said.status == 1 and "the model takes samples (3, 8, 8), these are (3, 64, 64)" in said.err


def test_features_are_drawn_here_and_not_into_the_data(chainrule: Chainrule, pictures: Path) -> None:
    assert chainrule("features", pictures / "dark" / "03.png", "--cell", "2").out == "03-features.png\n"
    assert Path("03-features.png").exists() and not list(pictures.rglob("*-features.png"))


def test_debug_shows_the_traceback(chainrule: Chainrule) -> None:
    from chainrule.errors import DataError

    with pytest.raises(DataError):
        chainrule("train", "dgits", "--debug")


def test_help_and_version(chainrule: Chainrule) -> None:
    assert chainrule("--version").out.startswith("chainrule 0.")
    for verb in ("train", "evaluate", "predict", "info"):
        said = chainrule(verb, "--help")
        assert said.status == 0 and "Usage" in said.out
        assert verb in chainrule("--help").out


def test_a_full_disk(chainrule: Chainrule, monkeypatch: pytest.MonkeyPatch) -> None:
    chainrule("train", "moons", "--epochs", "1", "--schedule", "constant", "--out", "run")
    before = Path("run/last.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        said = chainrule("train", "--out", "run", "--resume", "--epochs", "2")
    assert said.status == 1 and "cannot be written (No space left on device)" in said.err
    assert Path("run/last.safetensors").read_bytes() == before


def test_a_folder_that_may_not_be_written(chainrule: Chainrule, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = chainrule("train", "moons", "--out", "file/run")
    assert said.status == 1 and "cannot be written" in said.err


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_its_packages_it_says_how_to_install_them(
    package: str, chainrule: Chainrule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = chainrule("--version")
    assert said.status == 1 and f"the package '{package}' is not installed" in said.err
    assert "pip install 'chainrule[all]'" in said.err


def test_as_a_module_and_into_a_closed_pipe(tmp_path: Path) -> None:
    command = f"{sys.executable} -m chainrule info digits | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.startswith("digits: classification") and "Traceback" not in done.stderr


def test_names_that_the_terminal_cannot_show(pictures: Path) -> None:
    known = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "100"}
    command = [sys.executable, "-m", "chainrule", "info", str(pictures)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=known)
    assert done.returncode == 0 and r"light \xe9" in done.stdout and not done.stderr


def test_a_bar_on_a_terminal() -> None:
    from rich.console import Console

    from chainrule import nn, optim
    from chainrule.cli.screen import watching
    from chainrule.train import Trainer

    console = Console(force_terminal=True, width=120, file=io.StringIO())
    model = nn.Linear(2, 2)
    trainer = Trainer(model, nn.functional.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    with watching(console, 2, quiet=False) as watchers:
        trainer.fit((np.eye(2, dtype=np.float32), [0, 1]), epochs=2, batch_size=1, watchers=watchers)
    shown = console.file.getvalue()  # pyright: ignore
    assert "epoch 2/2" in shown and "train loss" in shown and "4/4" in shown


def test_a_run_is_found_again_from_another_folder(
    chainrule: Chainrule, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = chainrule("train", "shots", "--model", "linear", "--epochs", "1", "--size", "6", "--out", "run")
    assert said.status == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert chainrule("evaluate", "../run").last == said.last
