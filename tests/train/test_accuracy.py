"""The accuracies that the recipes promise, on the real data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.train import experiment
from chainrule.train.assembly import read_data
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
