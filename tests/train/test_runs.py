"""Settings, networks by name, reports, and what is believed of a run folder that came from elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Dataset, Splits
from chainrule.errors import ArgumentError, ChainruleError, CheckpointError, DataError, UnknownNameError
from chainrule.train import Predictor, build_model, checkpoint, experiment, plots
from chainrule.train.assembly import assemble
from chainrule.train.recipes import recipe
from chainrule.train.run import Run
from chainrule.train.settings import Settings

NAMES = ("<b>a</b>", "$x^2$", "ü & co")


def splits(seed: int = 0, shape: tuple[int, ...] = (1, 6, 6)) -> Splits:
    rng = np.random.default_rng(seed)

    def part(count: int) -> Dataset:
        y = np.arange(count) % 3
        x = rng.integers(0, 60, (count, *shape)).astype(np.uint8)
        x.reshape(count, -1)[np.arange(count), y] = 255
        return Dataset(x, y, NAMES)

    return Splits(part(60), part(12), part(12), "made <up>")


SETTINGS = Settings("made", hidden=(8,), epochs=3, batch_size=16, rate=0.02)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path / "run")
    experiment.begin(made, SETTINGS, splits()).run()
    return made


# ---- settings and networks ------------------------------------------------------------------------
WRONG_SETTINGS = [
    ({"model": "mpl"}, UnknownNameError, "did you mean 'mlp'"),
    ({"activation": "rellu"}, UnknownNameError, "did you mean 'relu'"),
    ({"loss": "softmx"}, UnknownNameError, "softmax"),
    ({"optimizer": "adamx"}, UnknownNameError, "adam"),
    ({"schedule": "onecycle"}, UnknownNameError, "one-cycle"),
    ({"penalty": "l3:1"}, UnknownNameError, "penalty: there is none called 'l3'"),
    ({"penalty": "l2:much"}, ArgumentError, "should read like l2:0.5"),
    ({"augment": ("flop",)}, UnknownNameError, "flip"),
    ({"epochs": -1}, ArgumentError, "epochs: must be from 0, got -1"),
    ({"rate": 0.0}, ArgumentError, "rate: must be above 0"),
    ({"rate": float("nan")}, ArgumentError, "rate"),
    ({"dropout": 1.0}, ArgumentError, r"dropout: must be in \[0, 1\)"),
    ({"hidden": (0,)}, ArgumentError, "hidden"),
    ({"batch_size": 0}, ArgumentError, "batch_size"),
]


@pytest.mark.parametrize(("change", "kind", "message"), WRONG_SETTINGS)
def test_wrong_settings(change: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        replace(SETTINGS, **change)


def test_settings_survive_json() -> None:
    settings = replace(SETTINGS, augment=("flip", "crop:2"), hidden=(3, 4), options={"size": [4, 4]})
    assert Settings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
    for wrong in ({}, {**settings.as_dict(), "extra": 1}, {**settings.as_dict(), "epochs": "many"}):
        with pytest.raises(CheckpointError):
            Settings.from_dict(wrong)


@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 9), (3, 1, 1), (1, 33, 20)])
def test_networks_fit_any_image(model: str, shape: tuple[int, ...]) -> None:
    net = build_model(model, shape, 4, hidden=(6, 5), activation="tanh", dropout=0.1)
    assert net(cr.Tensor(np.zeros((2, *shape), np.float32))).shape == (2, 4)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_networks_fit_tables(model: str) -> None:
    assert build_model(model, (7,), 2)(cr.Tensor(np.zeros((3, 7), np.float32))).shape == (3, 2)
    with pytest.raises(ArgumentError, match="a cnn needs images"):
        build_model("cnn", (7,), 2)


def test_a_network_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from chainrule import nn\n"
        "def build(shape, outputs): return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * 4, outputs))\n"
        "def wrong(shape, outputs): return 3\n"
    )
    file = tmp_path / "net.py"
    assert build_model(f"{file}:build", (3, 2, 2), 5)(
        cr.Tensor(np.zeros((1, 3, 2, 2), np.float32))
    ).shape == (1, 5)
    for given, message in (
        (f"{file}", "does not say which function"),
        (f"{file}:", "does not say which function"),
        (f"{file}:biuld", "did you mean 'build'"),
        (f"{file}:wrong", "must return a Module, it returned int"),
        (f"{tmp_path}/none.py:build", "there is no file"),
    ):
        with pytest.raises(ChainruleError, match=message):
            build_model(given, (3, 2, 2), 5)


def test_a_choice_of_the_user_wins_over_the_recipe() -> None:
    every = recipe(splits(), {"model": "mlp", "epochs": 2, "optimizer": "sgd"})
    assert every["model"] == "mlp" and every["epochs"] == 2 and every["rate"] == 0.05
    assert recipe(splits(), {})["model"] == "cnn" and recipe(splits(shape=(6,)), {})["hidden"] == (64, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "mse"}, "is a classification, which takes the loss softmax or hinge, not mse"),
        ({"augment": ("crop",)}, "'crop' needs one number"),
        ({"penalty": "l2:0.1:2"}, "wrong count of numbers"),
    ],
)
def test_settings_that_do_not_go_with_the_data(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        assemble(replace(SETTINGS, **change), splits())


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "hinge"},
        {"optimizer": "sgd", "rate": 0.05, "schedule": "cosine"},
        {"optimizer": "rmsprop", "rate": 0.003, "schedule": "constant"},
        {"optimizer": "adagrad", "penalty": "elastic:1e-4:0.5"},
        {"optimizer": "adam", "penalty": "l1:1e-4", "augment": ("cutout:1",)},
        {"model": "cnn", "dropout": 0.1},
    ],
)
def test_every_choice_learns(change: dict[str, Any], tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=12, **change)
    outcome = experiment.begin(Run(tmp_path), settings, splits()).run()
    assert (
        outcome.tested is not None and outcome.tested.accuracy is not None and outcome.tested.accuracy > 0.8
    )


# ---- the folder ------------------------------------------------------------------------------------
class Page(HTMLParser):
    """Counts the elements of a page and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        assert not any(value and value.startswith(("http", "//", "file")) for _, value in attrs)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_folder_holds_what_it_should(run: Run) -> None:
    pytest.importorskip("matplotlib")
    wanted = "best.safetensors config.json confusion.png curves.png history.csv history.json last.safetensors"
    assert sorted(path.name for path in run.folder.iterdir()) == [
        *wanted.split(),
        "report.html",
        "result.json",
    ]
    for name in ("curves.png", "confusion.png"):
        assert (run.folder / name).read_bytes().startswith(b"\x89PNG")
    result = json.loads((run.folder / "result.json").read_text())
    assert result["epochs"] == 3 and len(result["test"]["confusion"]) == 3


def test_the_report_is_one_page_with_every_word_escaped(run: Run) -> None:
    page = Page()
    page.feed((run.folder / "report.html").read_text(encoding="utf-8"))
    assert not page.open and page.seen["img"] == 2 and "b" not in page.seen
    assert all(name in page.text for name in NAMES) and "made <up>" in page.text


def test_without_matplotlib_the_run_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    outcome = experiment.begin(Run(tmp_path / "run"), SETTINGS, splits()).run()
    assert (
        outcome.tested is not None and "no figures" in outcome.notes[0] and "pip install" in outcome.notes[0]
    )
    assert (tmp_path / "run" / "report.html").exists()


def go_on(run: Run, epochs: int | None = None, data: Splits | None = None) -> experiment.Experiment:
    return experiment.go_on(run, epochs, read=lambda _: data or splits())


def test_figures_bear_names_in_any_script() -> None:
    assert plots.confusion(np.eye(2, dtype=int), ("猫", "собака")).startswith(b"\x89PNG")


def test_a_finished_run_stays_as_it_is(run: Run) -> None:
    before = run.last.read_bytes()
    again = go_on(run)
    assert again.finished
    again.run()
    assert run.last.read_bytes() == before


def test_a_longer_run_is_the_run_that_was_long_from_the_start(tmp_path: Path) -> None:
    constant = replace(SETTINGS, schedule="constant")
    whole, parts = Run(tmp_path / "whole"), Run(tmp_path / "parts")
    experiment.begin(whole, replace(constant, epochs=5), splits()).run()
    experiment.begin(parts, constant, splits()).run()
    go_on(parts, epochs=5).run()
    models = [checkpoint.load(each.last)["trainer"]["model"] for each in (whole, parts)]
    assert all(models[0][name].tobytes() == models[1][name].tobytes() for name in models[0])
    assert parts.config()["settings"]["epochs"] == 5


def test_what_cannot_go_on(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="one-cycle schedule ends after its 3 epochs"):
        go_on(run, epochs=9)
    with pytest.raises(ArgumentError, match="longer, not shorter"):
        go_on(run, epochs=2)
    with pytest.raises(CheckpointError, match="the data have changed since this run began"):
        go_on(run, data=splits(seed=1))
    with pytest.raises(CheckpointError, match="there is no run in this folder"):
        go_on(Run(tmp_path / "nothing"))
    run.last.write_bytes(run.last.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"last\.safetensors: damaged"):
        go_on(run)


def test_a_new_run_removes_the_files_of_the_old_one_only(run: Run) -> None:
    (run.folder / "notes.txt").write_text("mine")
    experiment.begin(run, SETTINGS, splits())
    assert sorted(path.name for path in run.folder.iterdir()) == ["config.json", "notes.txt"]


# ---- the model in it ------------------------------------------------------------------------------
def test_a_predictor_prepares_as_in_training(run: Run) -> None:
    test = splits().test
    assert test is not None
    predictor = Predictor.open(run.folder)
    chances = predictor.probabilities(test.x)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    result = json.loads((run.folder / "result.json").read_text())["test"]
    assert (
        (chances.argmax(axis=1) == test.y).mean() == result["accuracy"] == predictor.evaluate(test).accuracy
    )


def test_classes_are_matched_by_name(run: Run) -> None:
    test = splits().test
    assert test is not None
    predictor = Predictor.open(run.best)
    turned = Dataset(test.x, 2 - test.y, NAMES[::-1])
    assert predictor.evaluate(turned).accuracy == predictor.evaluate(test).accuracy
    with pytest.raises(DataError, match="the class 'other' is unknown to the model"):
        predictor.evaluate(Dataset(test.x, test.y, ("other", *NAMES[1:])))
    with pytest.raises(DataError, match=r"the model takes samples \(1, 6, 6\), these are \(36,\)"):
        predictor.evaluate(Dataset(test.x.reshape(12, -1), test.y, NAMES))


def hostile(config: dict[str, Any], key: str) -> None:
    changes: dict[str, Any] = {
        "huge layer": lambda: config["settings"].update(hidden=[10**12]),
        "huge sample": lambda: config["data"].update(sample_shape=[1, 10**6, 10**6]),
        "negative sample": lambda: config["data"].update(sample_shape=[-1, 6, 6]),
        "words for numbers": lambda: config["data"].update(outputs="many"),
        "no data": lambda: config.update(data={}),
        "no settings": lambda: config.update(settings={}),
        "another optimiser": lambda: config["settings"].update(optimizer="evil"),
        "code": lambda: config["settings"].update(model="/tmp/evil.py:build"),
        "no normaliser": lambda: config.update(normalizer={}),
        "other network": lambda: config["settings"].update(hidden=[9]),
        "list": lambda: config.update(data=[1]),
    }
    changes[key]()


@pytest.mark.parametrize(
    "key",
    "huge layer,huge sample,negative sample,words for numbers,no data,no settings,another optimiser,code,"
    "no normaliser,other network,list".split(","),
)
def test_a_hostile_configuration_is_refused(key: str, run: Run) -> None:
    state = checkpoint.load(run.best)
    hostile(state["config"], key)
    checkpoint.save(run.best, state)
    with pytest.raises(CheckpointError):
        Predictor.open(run.folder)


def test_a_checkpoint_of_a_bare_trainer_is_no_run(tmp_path: Path) -> None:
    made = assemble(SETTINGS, splits()).trainer
    checkpoint.save(tmp_path / "bare.safetensors", made.state())
    with pytest.raises(CheckpointError, match="holds no configuration"):
        Predictor.open(tmp_path / "bare.safetensors")
