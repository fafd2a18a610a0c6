from __future__ import annotations

import numpy as np
import pytest

from chainrule.core.stream import Stream
from chainrule.data import Dataset, Splits, load, summary
from chainrule.data.splitting import Source, divide, stratified
from chainrule.errors import ArgumentError, ChainruleError, DataError

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_a_dataset_keeps_labels_as_int64_and_targets_as_float32():
    assert Dataset(X, np.array([0, 1, 1, 0], np.uint8), ("a", "b")).y.dtype == np.int64
    assert Dataset(X, [0, 1, 1, 0]).classes == ("0", "1")
    regression = Dataset(X, np.array([0.5, 1, 2, 3]))
    assert (regression.y.dtype, regression.classes) == (np.float32, ())
    assert "regression" in repr(regression)


def test_indexing_gives_a_sample_or_a_smaller_dataset():
    data = Dataset(X, [0, 1, 1, 0], ("a", "b"))
    x, y = data[-1]
    assert (x.tolist(), y) == ([9, 10, 11], 0)
    assert data[1:3].y.tolist() == [1, 1]
    assert data[data.y == 0].x.tolist() == [X[0].tolist(), X[3].tolist()]
    assert data.subset([3, 1]).y.tolist() == [0, 1]
    assert data.sample_shape == (3,)
    assert [int(label) for _, label in data] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("x", "y", "classes", "message"),
    [
        ([[1], [2, 3]], [0, 1], (), "x has rows of different lengths"),
        (X, [0, 1], ("a", "b"), "x has 4 samples but y has 2"),
        (X, [0, 1, 2, 0], ("a", "b"), "label 2 is outside 0..1"),
        (X, [0, -1, 1, 0], (), "label -1 is outside 0..1"),
        (X, [0, 0, 0, 0], ("a",), "only one class"),
        (X, [0, 1, 0, 1], ("a", "a"), "two classes are called 'a'"),
        (X[:0], [], (), "x is empty"),
        (np.zeros(4), [0, 1, 0, 1], (), "needs a first axis of samples"),
        (np.array([["a"]] * 4), [0, 1, 0, 1], (), "x must hold real numbers"),
        (X, [[1, 0]] * 4, ("a", "b"), "labels must be one number a sample"),
        (X, [0.5] * 4, ("a", "b"), "ask for integer labels"),
        (np.where(X == 7, np.nan, X), [0, 1, 0, 1], (), "not finite, first in sample 2"),
    ],
)
def test_contradictions_are_refused(x, y, classes, message):
    with pytest.raises(DataError, match=message):
        Dataset(x, y, classes)


def test_words_as_labels_become_classes_by_the_code_of_the_hint():
    with pytest.raises(DataError) as caught:
        Dataset(X, ["cat", "dog", "dog", "cat"])
    assert caught.value.headline == "Dataset: y must hold real numbers, not words"
    scope = {"np": np, "Dataset": Dataset, "x": X, "y": ["cat", "dog", "dog", "cat"]}
    line, made = caught.value.hint.split(", then ")
    exec(f"{line}\nmade = {made}", scope)
    assert scope["made"].classes == ("cat", "dog") and scope["made"].y.tolist() == [0, 1, 1, 0]


def test_an_index_too_far_is_an_index_error():
    data = Dataset(X, [0, 1, 1, 0])
    for wrong in (4, -5):
        with pytest.raises(IndexError, match="4 samples"):
            data[wrong]
    with pytest.raises(IndexError):
        data.subset([9])
    with pytest.raises(DataError, match="empty"):
        data[4:]


def test_splits_that_do_not_fit_are_refused():
    train = Dataset(X, [0, 1, 1, 0])
    with pytest.raises(DataError, match="test does not fit train"):
        Splits(train, None, Dataset(X[:, :2], [0, 1, 1, 0]), "odd")


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.25, 0.5, 0.99])
@pytest.mark.parametrize("counts", [(50, 50), (97, 2, 1), (1, 1, 1, 40), (4,) * 10])
def test_a_stratified_draw_is_fair_and_leaves_every_class_a_sample(counts, fraction):
    y = np.repeat(np.arange(len(counts)), counts)
    held = stratified(y, fraction, Stream(3))
    drawn = np.bincount(y[held], minlength=len(counts))
    fair = [min(fraction * count, count - 1) for count in counts]
    assert len(np.unique(held)) == len(held) == max(1, round(sum(fair)))
    assert all(abs(share - exact) < 1 for share, exact in zip(drawn, fair, strict=True))
    assert (drawn < counts).all()


def _source(counts: tuple[int, ...], **parts: Dataset) -> Source:
    y = np.repeat(np.arange(len(counts)), counts)
    return Source("made", Dataset(np.arange(len(y), dtype=np.float32)[:, None], y), **parts)


def test_drawn_splits_share_the_samples_and_depend_on_the_seed_alone():
    splits, again = (divide(_source((60, 40)), 0.1, 0.2, seed=1) for _ in range(2))
    values = [part.x[:, 0] for part in splits.parts.values()]
    assert np.sort(np.concatenate(values)).tolist() == list(range(100))
    assert [len(part) for part in values] == [72, 8, 20]
    for part, same in zip(splits.parts.values(), again.parts.values(), strict=True):
        assert (part.x == same.x).all()
    other = divide(_source((60, 40)), 0.1, 0.2, seed=2)
    assert other.test is not None and splits.test is not None
    assert (other.test.x != splits.test.x).any()


def test_the_test_split_does_not_depend_on_the_validation_fraction():
    tests = [divide(_source((60, 40)), fraction, 0.2, seed=0).test for fraction in (0, 0.3)]
    assert tests[0] is not None and tests[1] is not None
    assert (tests[0].x == tests[1].x).all()


def test_a_given_test_split_is_left_alone():
    given = Dataset(-np.ones((4, 1), np.float32), [0, 1, 0, 1])
    splits = divide(_source((30, 30), test=given), 0.1, 0.2, seed=0)
    assert splits.test is given
    assert splits.validation is not None and len(splits.train) == 54


def test_a_class_of_one_sample_stays_in_train_and_is_told():
    splits = divide(_source((30, 1)), 0.1, 0.2, seed=0)
    assert (splits.train.y == 1).sum() == 1
    assert any(note.endswith("to draw any of 1") for note in splits.notes)
    tiny = divide(_source((1, 1)), 0.5, 0.5, seed=0)
    assert (len(tiny.train), tiny.validation, tiny.test) == (2, None, None)
    assert len(tiny.notes) == 2


def test_wrong_fractions_and_one_present_class_are_refused():
    with pytest.raises(ArgumentError, match="fraction test"):
        divide(_source((5, 5)), 0.1, 1.5, seed=0)
    with pytest.raises(DataError, match="every training sample is of the class 'b'"):
        divide(Source("s", Dataset(X, [1, 1, 1, 1], ("a", "b"))), 0.1, 0.2, seed=0)


@pytest.mark.parametrize("name", ["spiral", "circles", "moons", "xor", "blobs"])
def test_toys_are_balanced_reproducible_and_what_they_say(name):
    first, second = (load(name, samples=120, noise=0.0, seed=4, validation=0, test=0).train for _ in range(2))
    assert (first.x == second.x).all() and first.x.dtype == np.float32 and first.x.shape == (120, 2)
    assert len(set(np.bincount(first.y))) == 1
    assert np.abs(first.x).max() <= 1.0
    assert (first.x != load(name, samples=120, noise=0.0, seed=5, validation=0, test=0).train.x).any()
    radius = np.hypot(*first.x.T)
    if name == "xor":
        assert ((first.x.prod(axis=1) < 0) == first.y).all()
    elif name == "circles":
        np.testing.assert_allclose(radius, np.where(first.y == 0, 1.0, 0.5), rtol=1e-6)
    elif name == "blobs":
        assert len(np.unique(first.x.round(5), axis=0)) == 3
    elif name == "spiral":
        turned = np.arctan2(first.x[:, 0], first.x[:, 1]) / (2 * np.pi) - first.y / 3 - radius
        np.testing.assert_allclose(turned, turned.round(), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"samples": 1},
        {"noise": -1.0},
        {"noise": float("nan")},
        {"classes": 1},
        {"samples": 2.5},
        {"inner": 1},
    ],
)
def test_toys_refuse_what_makes_no_sense(options):
    with pytest.raises(ArgumentError):
        load("circles" if "inner" in options else "spiral", **options)


def test_the_summary_counts_each_class_in_each_split():
    import json

    told = summary(load("digits"))
    assert json.loads(json.dumps(told)) == told
    counts = np.array([list(part["per_class"].values()) for part in told["parts"].values()])
    assert counts.sum() == 1797 and counts.sum(axis=0).min() == 174
    assert told["parts"]["train"]["x_range"] == [0, 255]
    assert summary(divide(Source("r", Dataset(X, X[:, 0])), 0.25, 0.25, 0))["task"] == "regression"


def test_every_error_is_of_the_library():
    with pytest.raises(ChainruleError):
        load("spiral", seed=-1)
