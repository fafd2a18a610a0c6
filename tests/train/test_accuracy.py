"""The accuracies that the recipes promise, on the real data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.data import Normalizer
from chainrule.train import experiment
from chainrule.train.assembly import read_data
from chainrule.train.comparison.problem import Problem
from chainrule.train.comparison.searches import run
from chainrule.train.recipes import recipe
from chainrule.train.run import Run
from chainrule.train.settings import Settings

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]


def reached(data: str, folder: Path, run: Path, **changes: Any) -> float:
    splits = read_data(data, {"folder": str(folder), "download": False}, 0.1, 0)
    settings = Settings(**recipe(splits, {"data": data, **changes}))
    outcome = experiment.begin(Run(run), settings, splits).run()
    assert outcome.tested is not None and outcome.tested.accuracy is not None
    return outcome.tested.accuracy


def test_mnist_in_ten_epochs(shared_data: Path, tmp_path: Path) -> None:
    assert reached("mnist", shared_data, tmp_path, hidden=(128,), epochs=10) >= 0.975


def test_fashion_mnist(shared_data: Path, tmp_path: Path) -> None:
    assert reached("fashion-mnist", shared_data, tmp_path) >= 0.88


def test_cifar10_two_layers_on_raw_pixels(cifar10_folder: Path, tmp_path: Path) -> None:
    # Half the recipe's width and epochs: its 56 % take five minutes.
    assert reached("cifar10", cifar10_folder, tmp_path, hidden=(256,), epochs=8) >= 0.52


@pytest.mark.parametrize(
    ("choices", "least"),
    [
        ({"model": "linear"}, 0.39),
        ({"model": "linear", "loss": "hinge"}, 0.39),
        ({"model": "linear", "features": ("hog", "color")}, 0.62),
        ({"features": ("hog:4", "hog:8", "color")}, 0.715),
    ],
)
def test_cifar10_classifiers(
    choices: dict[str, Any], least: float, cifar10_folder: Path, tmp_path: Path
) -> None:
    assert reached("cifar10", cifar10_folder, tmp_path, **choices) >= least


def test_photos_of_clothes_by_their_features(shared_data: Path, tmp_path: Path) -> None:
    # Two layers on features: the rung that `compare` trains in under a minute.
    settings = {"features": ("hog:8", "hog:16", "color")}
    splits = read_data(str(shared_data / "clothing10"), {}, 0.1, 0)
    made = Settings(**recipe(splits, {"data": "clothing10", **settings}))
    tested = experiment.begin(Run(tmp_path), made, splits).run().tested
    assert tested is not None and tested.accuracy is not None and tested.accuracy >= 0.70


def test_random_search_on_cifar10(cifar10_folder: Path) -> None:
    splits = read_data("cifar10", {"folder": str(cifar10_folder), "download": False}, 0.0, 0)
    problem = Problem(splits.train, Normalizer().fit(splits.train.x))
    assert splits.test is not None
    assert abs(run("random search", problem, splits.test, 600.0).accuracy - 0.155) <= 0.015
