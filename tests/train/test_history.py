"""The history of a training: its columns, its best rows, and its files."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from chainrule.errors import UnknownNameError
from chainrule.train import History

ROWS = [
    {"epoch": 1, "train_loss": 0.5, "train_accuracy": 0.7},
    {"epoch": 2, "train_loss": 0.25, "train_accuracy": 0.9, "validation_loss": 0.3},
    {"epoch": 3, "train_loss": 0.375, "train_accuracy": 0.8, "validation_loss": 0.2},
]


def test_columns_and_best_rows() -> None:
    history = History(ROWS)
    assert history.columns == ["epoch", "train_loss", "train_accuracy", "validation_loss"]
    assert math.isnan(history.column("validation_loss")[0])
    best = {name: history.best(name)["epoch"] for name in history.columns[1:]}
    assert best == {"train_loss": 2, "train_accuracy": 2, "validation_loss": 3}
    with pytest.raises(UnknownNameError, match="did you mean 'train_loss'"):
        history.column("trainloss")


def test_files_hold_every_number_exactly(tmp_path: Path) -> None:
    history = History([{"epoch": 1, "train_loss": 1 / 3}, {"epoch": 2, "train_loss": 0.1}])
    history.write(tmp_path / "h.csv")
    history.write(tmp_path / "h.json")
    assert json.loads((tmp_path / "h.json").read_text()) == history.rows
    with (tmp_path / "h.csv").open(newline="") as file:
        assert [float(row["train_loss"]) for row in csv.DictReader(file)] == [1 / 3, 0.1]


def test_it_reads_like_a_sequence_and_shows_a_table() -> None:
    history = History(ROWS)
    assert len(history) == 3 and history[-1] == ROWS[-1] and list(history) == ROWS
    assert str(history).splitlines()[1].split() == ["1", "0.5000", "0.7000"]
    assert str(History()) == "" and repr(History()) == "History(0 epochs)"
