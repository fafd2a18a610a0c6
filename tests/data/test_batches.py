from __future__ import annotations

import json

import numpy as np
import pytest

from chainrule.core.stream import Stream
from chainrule.data import Batches, Dataset, Normalizer
from chainrule.errors import ArgumentError, ChainruleError, CheckpointError, DataError, ShapeError

X = np.arange(10)[:, None] * np.ones((1, 3))
Y = np.arange(10)


def _images(n: int = 12, dtype: type = np.uint8) -> np.ndarray:
    return (Stream(5).uniform((n, 3, 9, 7)) * 255).astype(dtype)


def _labels(batches) -> list[list[int]]:
    return [y.tolist() for _, y in batches]


def test_an_epoch_deals_every_sample_once_with_its_label():
    batches = Batches(X, Y, 3, seed=2)
    dealt = list(batches)
    assert [len(x) for x, _ in dealt] == [3, 3, 3, 1] and len(batches) == 4
    assert sorted(np.concatenate([y for _, y in dealt])) == list(range(10))
    assert all((x[:, 0] == y).all() for x, y in dealt)
    assert _labels(Batches(X, Y, 3, shuffle=False))[0] == [0, 1, 2]


@pytest.mark.parametrize(("size", "drop", "n"), [(5, False, 2), (4, False, 3), (4, True, 2), (64, False, 1)])
def test_the_length_is_the_number_of_iterations(size, drop, n):
    batches = Batches(X, Y, size, drop_last=drop)
    assert len(batches) == len(list(batches)) == n


def test_the_order_is_a_function_of_seed_and_epoch():
    first, second = Batches(X, Y, 4, seed=7), Batches(X, Y, 4, seed=7)
    epochs = [_labels(first) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2] and first.epoch == 3
    second.epoch = 2
    assert _labels(second) == epochs[2]
    assert np.concatenate(epochs[2]).tolist() == Stream(7, stream=3).permutation(10).tolist()
    assert _labels(Batches(X, Y, 4, seed=8)) != epochs[0]


def test_a_run_killed_in_mid_epoch_goes_on_with_the_same_batches():
    def noisy(x, stream):
        return x + stream.normal(x.shape)

    whole = list(Batches(X, Y, 3, seed=1, transform=noisy).iterate(epoch=5))
    rest = list(Batches(X, Y, 3, seed=1, transform=noisy).iterate(epoch=5, start=2))
    assert len(rest) == 2
    for (x, y), (same_x, same_y) in zip(whole[2:], rest, strict=True):
        assert (x == same_x).all() and (y == same_y).all()
    assert (whole[0][0] != whole[1][0]).all()


def test_the_stream_of_an_iteration_is_a_function_of_seed_epoch_and_iteration():
    batches = Batches(X, Y, 3, seed=1)
    states = [batches.stream(epoch, i).state for epoch in range(2) for i in range(len(batches))]
    assert len(set(states)) == len(states)
    assert batches.stream(5, 2).state == Batches(X[::-1], Y, 3, seed=1).stream(5, 2).state
    assert batches.stream(5, 2).state != Batches(X, Y, 3, seed=2).stream(5, 2).state
    drawn = []
    noted = Batches(X, Y, 3, seed=1, transform=lambda x, stream: drawn.append(stream.state) or x)
    list(noted.iterate(epoch=1))
    assert drawn == states[len(batches) :]


def test_a_pass_left_early_is_not_dealt_again():
    batches = Batches(X, Y, 3)
    next(iter(batches))
    assert batches.epoch == 1


def test_transforms_are_applied_in_turn():
    scale = Normalizer().fit(X)
    batches = Batches(X, Y, 10, shuffle=False, transform=[scale, lambda x, stream: x + 1])
    ((x, _),) = list(batches)
    np.testing.assert_allclose(x, scale(X) + 1)


@pytest.mark.parametrize(
    ("arguments", "options", "kind"),
    [
        ((X, Y, 0), {}, ArgumentError),
        ((X, Y, 2.5), {}, ArgumentError),
        ((X, Y, True), {}, ArgumentError),
        ((X, Y[:3], 2), {}, DataError),
        ((X[:0], Y[:0], 2), {}, DataError),
        ((X, Y, 11), {"drop_last": True}, DataError),
        ((X, Y, 2), {"seed": -1}, ArgumentError),
        ((X, Y, 2), {"transform": 3}, ChainruleError),
        ((X, Y, 2), {"transform": [3]}, ArgumentError),
        ((Dataset(X, Y), Y, 2), {}, DataError),
        (([[1], [2, 3]], [0, 1], 2), {}, DataError),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, kind):
    with pytest.raises(kind):
        Batches(*arguments, **options)


@pytest.mark.parametrize(("epoch", "start"), [(-1, 0), (0, -1), (0, 5)])
def test_iterations_that_do_not_exist_are_refused(epoch, start):
    with pytest.raises(ArgumentError):
        Batches(X, Y, 3).iterate(epoch, start)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_normalised_channels_have_mean_zero_and_deviation_one(dtype):
    x = _images(dtype=dtype)
    scale = Normalizer().fit(x)
    out = scale(x)
    assert out.dtype == np.float32 and out.shape == x.shape
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(scale.inverse(out), x, atol=1e-3)
    assert not np.shares_memory(out, x)


def test_chunks_give_the_statistics_of_the_whole(monkeypatch):
    x = _images()
    whole = Normalizer().fit(x)
    monkeypatch.setattr("chainrule.data.normalize._CHUNK", 300)
    np.testing.assert_allclose(Normalizer().fit(x).std, whole.std, rtol=1e-12)
    np.testing.assert_allclose(whole.std, x.astype(float).std((0, 2, 3)), rtol=1e-12)


def test_constant_features_and_large_offsets_are_safe():
    table = np.stack([np.full(99, 0.1), 1.6e9 + np.arange(99.0), np.zeros(99)], axis=1)
    out = Normalizer().fit(table)(table)
    np.testing.assert_allclose(out[:, [0, 2]], 0, atol=1e-6)
    np.testing.assert_allclose(out[:, 1].std(), 1, rtol=1e-5)
    single = table.astype(np.float32)[:, :1]
    assert np.abs(Normalizer().fit(single)(single)).max() < 1e-6


def test_the_state_survives_json():
    scale = Normalizer().fit(_images())
    again = Normalizer.from_state(json.loads(json.dumps(scale.state())))
    assert (again(_images()) == scale(_images())).all()


@pytest.mark.parametrize("std", [None, "x", [0.0], [1.0, 1.0], 1.0, [float("nan")]])
def test_a_damaged_state_is_refused(std):
    with pytest.raises(CheckpointError):
        Normalizer.from_state({"mean": [0.0]} if std is None else {"mean": [0.0], "std": std})


def test_a_normaliser_says_what_is_wrong():
    with pytest.raises(DataError, match="not fitted"):
        Normalizer()(X)
    with pytest.raises(ShapeError, match="axis 1 must be 3"):
        Normalizer().fit(X)(X[:, :2])
    with pytest.raises(DataError, match="not finite"):
        Normalizer().fit(np.array([[np.nan], [1.0]]))
    with pytest.raises(DataError):
        Normalizer().fit(np.arange(3))
