"""Layers that PyTorch lacks or draws otherwise, against plain NumPy: dropping, regions, maxout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F


def drop_layers(p: float) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Each dropping layer with the shape of its mask for an input of (200, 20, 3, 2)."""
    return [
        (nn.Dropout(p), (200, 20, 3, 2)),
        (nn.Dropout2d(p), (200, 20, 1, 1)),
        (nn.StochasticDepth(p, "row"), (200, 1, 1, 1)),
        (nn.StochasticDepth(p, "batch"), (1, 1, 1, 1)),
    ]


@pytest.mark.parametrize("p", [0.0, 0.3, 0.95, 1.0])
@pytest.mark.parametrize("place", range(4), ids=["Dropout", "Dropout2d", "row", "batch"])
def test_dropping(place: int, p: float) -> None:
    layer, mask_shape = drop_layers(p)[place]
    cr.random.seed(3)
    x = cr.tensor(
        np.random.default_rng(0).uniform(1, 2, (200, 20, 3, 2)), dtype=np.float32, requires_grad=True
    )
    y = layer(x)
    y.sum().backward()
    # inverted: what stays is divided by 1 - p, and the gradient is the same factor
    kept = y.data != 0
    np.testing.assert_allclose(y.data, np.where(kept, x.data / np.float32(1 - p or 1), 0), rtol=1e-6)
    np.testing.assert_allclose(x.grad.data, np.where(kept, 1 / (1 - p or 1), 0), rtol=1e-6)
    # whole units of the mask stay or go together
    corner = kept[tuple(slice(0, size) for size in mask_shape)]
    assert (kept == np.broadcast_to(corner, kept.shape)).all()
    if corner.size > 1:
        assert corner.mean() == pytest.approx(1 - p, abs=4 * np.sqrt(p * (1 - p) / corner.size) + 1e-9)
    # reproducible from the seed, new at each call, nothing in evaluation
    cr.random.seed(3)
    assert (layer(x).data == y.data).all()
    assert layer.eval()(x) is x


def test_a_batch_is_dropped_as_often_as_p_says() -> None:
    cr.random.seed(0)
    layer = nn.StochasticDepth(0.25, "batch")
    outcomes = [float(layer(cr.ones((2, 2))).data[0, 0]) for _ in range(400)]
    assert set(outcomes) == {0.0, np.float32(1 / 0.75)}
    assert np.mean(np.array(outcomes) == 0) == pytest.approx(0.25, abs=0.09)


def regions_max(x: Any, samples: Any, size: int, count: int) -> Any:
    """Fractional max pooling of (n, c, h, w), plane by plane, as Graham's formula reads."""
    out = np.zeros((*x.shape[:2], count, count), x.dtype)
    for n, c in np.ndindex(*x.shape[:2]):
        starts = []
        for axis, u in ((0, samples[n, c, 1]), (1, samples[n, c, 0])):
            alpha = np.float32(x.shape[2 + axis] - size) / np.float32(count - 1)
            first = [int((i + u) * alpha) - int(u * alpha) for i in range(count - 1)]
            starts.append([*first, x.shape[2 + axis] - size])
        for i, j in np.ndindex(count, count):
            row, column = starts[0][i], starts[1][j]
            out[n, c, i, j] = x[n, c, row : row + size, column : column + size].max()
    return out


def test_fractional_max_pooling_given_and_drawn() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 10, 9)).astype(np.float32)
    cr.random.seed(5)
    drawn = cr.random.uniform((3, 4, 2))
    given = nn.FractionalMaxPool2d(2, output_size=6, _random_samples=drawn)(x)
    np.testing.assert_array_equal(given.data, regions_max(x, drawn.data, 2, 6))
    cr.random.seed(5)
    layer = nn.FractionalMaxPool2d(2, output_size=6)
    first = layer(x)
    np.testing.assert_array_equal(first.data, given.data)
    assert (layer(x).data != first.data).any()
    assert nn.FractionalMaxPool2d(2, output_ratio=0.6)(x).shape == (3, 4, 6, 5)
    assert layer(np.zeros((0, 4, 10, 9), np.float32)).shape == (0, 4, 6, 6)


@pytest.mark.parametrize(("lead", "pieces"), [((4,), 2), ((), 3), ((2, 3), 1), ((0,), 2)])
def test_maxout_is_the_largest_of_its_linear_pieces(lead: tuple[int, ...], pieces: int) -> None:
    rng = np.random.default_rng(0)
    layer = nn.Maxout(5, 3, pieces)
    x = rng.normal(size=(*lead, 5)).astype(np.float32)
    weight, bias = layer.weight.data.reshape(3, pieces, 5), layer.bias.data.reshape(3, pieces)
    wanted = (np.einsum("...i,opi->...op", x, weight) + bias).max(axis=-1)
    np.testing.assert_allclose(layer(x).data, wanted, rtol=1e-5, atol=1e-6)


def test_maxout_of_two_pieces_can_be_relu_and_abs() -> None:
    layer = nn.Maxout(1, 2, pieces=2, bias=False)
    layer.weight.assign(np.array([[1.0], [0.0], [1.0], [-1.0]], np.float32))
    x = np.array([[-2.0], [3.0]], np.float32)
    np.testing.assert_array_equal(layer(x).data, np.concatenate([np.maximum(x, 0), np.abs(x)], axis=1))


def test_layers_are_the_same_for_the_same_seed() -> None:
    def made(seed: int) -> Any:
        cr.random.seed(seed)
        return nn.Conv2d(2, 3, 3).weight.data

    assert (made(1) == made(1)).all() and (made(1) != made(2)).any()


def test_double_input_promotes_and_double_layers_stay() -> None:
    x = np.ones((2, 3))
    assert nn.Linear(3, 2)(x).dtype == np.float64
    layer = nn.Sequential(
        nn.Linear(3, 4, dtype=np.float64), nn.BatchNorm1d(4, dtype=np.float64), nn.Dropout()
    )
    assert layer(x).dtype == np.float64 and layer[1].running_mean.dtype == np.float64
    assert nn.BatchNorm1d(3)(x).dtype == np.float64


def test_orthogonal_rows() -> None:
    weight = nn.init.orthogonal_(cr.zeros((4, 3, 2)), gain=2.0).data.reshape(4, 6)
    np.testing.assert_allclose(weight @ weight.T, 4 * np.eye(4), atol=1e-5)
    assert nn.init.eye_(cr.zeros((2, 3))).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_dropout_beyond_nine_tenths_is_legal() -> None:
    assert F.dropout(cr.ones(1000), p=0.99).data.max() == pytest.approx(100, rel=1e-5)
