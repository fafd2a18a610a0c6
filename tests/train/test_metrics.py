"""Metrics against scikit-learn, and against counting by hand at the ends of their range."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.errors import ArgumentError, ShapeError
from chainrule.train.evaluation import measure
from chainrule.train.metrics import accuracy, class_scores, confusion_matrix, top_k_accuracy
from chainrule.train.tally import Tally


@pytest.mark.parametrize(("samples", "classes"), [(500, 7), (40, 3), (1, 2)])
def test_against_scikit_learn(samples: int, classes: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(samples)
    scores, labels = rng.normal(size=(samples, classes)), rng.integers(0, classes, samples)
    predicted, every = scores.argmax(axis=1), range(classes)
    matrix = confusion_matrix(scores, labels, classes)
    assert np.array_equal(matrix, metrics.confusion_matrix(labels, predicted, labels=every))
    assert accuracy(scores, labels) == metrics.accuracy_score(labels, predicted)
    found = class_scores(matrix)
    wanted = metrics.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=np.nan)
    for name, values in zip(("precision", "recall", "f1", "samples"), wanted, strict=True):
        np.testing.assert_allclose([getattr(each, name) for each in found], values)
    for k in range(1, classes if samples > 1 else 1):
        wanted_top = metrics.top_k_accuracy_score(labels, scores, k=k, labels=every)
        assert top_k_accuracy(scores, labels, k) == pytest.approx(wanted_top)


def test_a_class_without_samples_has_no_recall() -> None:
    lonely = class_scores(confusion_matrix([0, 0], [0, 0], 2), ["a", "b"])[1]
    assert lonely.name == "b" and lonely.samples == 0
    assert all(math.isnan(value) for value in (lonely.precision, lonely.recall, lonely.f1))


def test_ties_go_to_the_lower_class() -> None:
    assert top_k_accuracy([[1.0, 1.0, 1.0]], [1], k=1) == 0
    assert top_k_accuracy([[1.0, 1.0, 1.0]], [1], k=2) == 1


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: accuracy([0, 1], [0]), ShapeError, r"one label for each prediction, got \(1,\) for \(2,\)"),
        (lambda: top_k_accuracy([[1, 2]], [0], k=3), ArgumentError, "k must be from 1 to 2, got 3"),
        (lambda: top_k_accuracy([1, 2], [0, 1], k=1), ShapeError, r"scores must be \(n, classes\)"),
        (lambda: confusion_matrix([0], [5], 2), ArgumentError, "labels must be from 0 to 1, got 5 to 5"),
    ],
)
def test_wrong_inputs(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()  # pyright: ignore


def test_a_tally_over_batches_is_the_measure_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(50, 8)), rng.integers(0, 8, 50)
    losses = rng.random(50)
    tally = Tally()
    for start in range(0, 50, 16):
        part = slice(start, start + 16)
        tally.add(float(losses[part].mean()), scores[part], labels[part], penalty=0.25)
        tally = Tally(**tally.state())  # as after a resume
    whole = measure(scores, labels, float(losses.mean()))
    assert tally.means() == pytest.approx({"loss": whole.loss, "accuracy": whole.accuracy, "penalty": 0.25})
    assert whole.top5 == top_k_accuracy(scores, labels, 5)


def test_a_regression_has_an_error_and_no_accuracy() -> None:
    y = np.array([[1.0], [2.0], [4.0]], np.float32)
    found = measure(y + np.float32(0.5), y, loss=0.25)
    assert found.means() == pytest.approx({"loss": 0.25, "rmse": 0.5, "r2": 1 - 0.75 / 4.6666667})
    tally = Tally()
    tally.add(0.25, y + np.float32(0.5), y)
    assert tally.means() == pytest.approx({"loss": 0.25, "rmse": 0.5})
    assert found.per_class() == []


def test_an_evaluation_is_plain_data_without_nan() -> None:
    import json

    plain = measure(np.array([[1.0, 0.0, 0.0]]), np.array([0]), 0.1, ("a", "b", "c")).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["classes"][1] == {"name": "b", "precision": None, "recall": None, "f1": None, "samples": 0}
