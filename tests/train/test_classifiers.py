"""Networks by name, what they see, and the times they are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.data import Dataset, Normalizer, Splits, load
from chainrule.errors import ArgumentError, DataError
from chainrule.train import Predictor, build_model, experiment
from chainrule.train.assembly import assemble
from chainrule.train.budget import Stopwatch, epochs_within
from chainrule.train.preparation import Description, prepare, prepared
from chainrule.train.recipes import recipe
from chainrule.train.run import Run
from chainrule.train.settings import Settings
from chainrule.train.templates import template_weights, templates

RNG = np.random.default_rng(0)


def pictures(count: int, side: int = 16, channels: int = 3) -> Dataset:
    """Stripes along one axis or the other, in noise."""
    y = np.arange(count) % 2
    wave = 80 * np.sin(np.arange(side) * 1.5)
    x = np.where(y[:, None, None, None] == 1, wave[:, None], wave[None, :])
    x = (
        128
        + np.broadcast_to(x, (count, channels, side, side))
        + RNG.normal(0, 20, (count, channels, side, side))
    )
    return Dataset(np.clip(x, 0, 255).astype(np.uint8), y, ("level", "upright"))


def stripes() -> Splits:
    return Splits(pictures(60), pictures(20), pictures(30), "stripes")


def numbers(x: tuple[int, ...]) -> cr.Tensor:
    return cr.Tensor(RNG.normal(size=x).astype(np.float32))


# ---- networks ---------------------------------------------------------------------------------------
def test_resnet20_is_that_of_the_paper() -> None:
    net = build_model("resnet20", (3, 32, 32), 10)
    convolutions = [each for each in net.modules() if isinstance(each, nn.Conv2d)]
    assert sum(each.kernel_size == (3, 3) for each in convolutions) + 1 == 20
    assert sum(each.size for each in net.parameters()) == 272_474
    assert net(numbers((2, 3, 32, 32))).shape == (2, 10)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 5), (3, 1, 1), (1, 64, 40), (3, 128, 128)])
@pytest.mark.parametrize("pooling", ["max", "mean", "fractional"])
def test_a_cnn_fits_any_image(shape: tuple[int, ...], pooling: str) -> None:
    net = build_model("cnn", shape, 4, hidden=(), pooling=pooling)
    assert net(numbers((2, *shape))).shape == (2, 4)


def test_the_blocks_of_a_resnet_are_dropped_in_proportion_to_their_place() -> None:
    net = build_model("resnet8", (3, 16, 16), 4, stochastic_depth=0.6)
    assert [each.p for each in net.modules() if isinstance(each, nn.StochasticDepth)] == pytest.approx(
        [0.2, 0.4, 0.6]
    )


@pytest.mark.parametrize(("model", "usual"), [("cnn", True), ("mlp", False)])
def test_batch_norm_can_be_put_in_and_left_out(model: str, usual: bool) -> None:
    def normed(**choice: bool) -> bool:
        net = build_model(model, (3, 8, 8), 4, hidden=(6,), **choice)
        return any(isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d) for each in net.modules())

    assert normed() == usual and normed(batch_norm=True) and not normed(batch_norm=False)


@pytest.mark.parametrize(
    ("model", "choice", "message"),
    [
        ("mlp", {"stochastic_depth": 0.2}, "mlp has no branches"),
        ("cnn", {"stochastic_depth": 0.2}, "cnn has no branches"),
        ("mlp", {"pooling": "fractional"}, "mlp has none"),
        ("resnet20", {"pooling": "mean"}, "strides in its place"),
        ("resnet20", {"batch_norm": False}, "not built without"),
    ],
)
def test_what_a_network_cannot_have(model: str, choice: dict[str, float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        build_model(model, (3, 8, 8), 4, **choice)  # pyright: ignore[reportArgumentType]


# ---- nearest centroid -------------------------------------------------------------------------------
def test_a_centroid_model_finds_the_nearest_mean() -> None:
    splits = load("blobs", samples=300, seed=3)
    settings = Settings("blobs", model="centroid", epochs=0, hidden=())
    scores = assemble(settings, splits).trainer.predict(splits.test.x)
    scale = Normalizer().fit(splits.train.x)
    x, train = scale(splits.test.x), scale(splits.train.x)
    means = np.stack([train[splits.train.y == label].mean(axis=0) for label in range(len(splits.classes))])
    nearest = np.square(x[:, None] - means).sum(axis=2).argmin(axis=1)
    assert (scores.argmax(axis=1) == nearest).all()


def test_a_centroid_model_is_not_trained() -> None:
    with pytest.raises(ArgumentError, match="computed, not trained"):
        assemble(Settings("blobs", model="centroid", epochs=3), load("blobs"))
    assert recipe(load("blobs"), {"model": "centroid"})["epochs"] == 0


# ---- features ---------------------------------------------------------------------------------------
def test_features_are_standardised_on_the_training_split() -> None:
    preparation, walked = prepare(("hog:4", "color:4:2"), stripes())
    varies = walked.train.x.std(axis=0) > 0
    assert np.abs(walked.train.x.mean(axis=0)).max() < 1e-5
    np.testing.assert_allclose(walked.train.x[:, varies].std(axis=0), 1, rtol=1e-4)
    images = pictures(5).x
    again = prepared(("hog:4", "color:4:2"), (3, 16, 16), preparation.state())
    np.testing.assert_array_equal(again(images), preparation(images))


def test_mirror_images_are_described_too() -> None:
    _, plain = prepare(("hog:4",), stripes())
    _, doubled = prepare(("hog:4",), stripes(), mirrored=True)
    assert len(doubled.train) == 2 * len(plain.train) and len(doubled.test) == len(plain.test)
    with pytest.raises(ArgumentError, match="can be mirrored, nothing else"):
        assemble(Settings("stripes", features=("hog",), augment=("crop:2",)), stripes())


def test_a_run_on_features_is_used_on_images(tmp_path: Path) -> None:
    splits = stripes()
    settings = Settings(
        "stripes", model="linear", hidden=(), features=("hog:4", "color"), epochs=6, rate=0.01
    )
    outcome = experiment.begin(Run(tmp_path), settings, splits).run()
    found = Predictor.open(tmp_path).evaluate(splits.test)
    assert found.accuracy == outcome.tested.accuracy and found.accuracy > 0.9


@pytest.mark.parametrize(
    ("features", "shape", "message"),
    [
        (("sift",), (3, 16, 16), "none called 'sift'"),
        (("hog:x",), (3, 16, 16), "should read like hog:8"),
        (("hog:12",), (3, 16, 16), "needs two cells a side"),
        (("color:8:20",), (3, 16, 16), "more regions"),
        (("hue",), (1, 16, 16), "no hue"),
        (("hog",), (16,), "only images have them"),
    ],
)
def test_features_that_cannot_be(features: tuple[str, ...], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Description(features, shape)


# ---- what a network looks for -----------------------------------------------------------------------
def test_templates_are_the_weights_of_a_linear_classifier_of_pixels() -> None:
    pytest.importorskip("matplotlib")
    settings = Settings("stripes", model="centroid", epochs=0, hidden=())
    model = assemble(settings, stripes()).trainer.model
    weights = template_weights(settings, model, (3, 16, 16))
    assert weights is not None and weights.shape == (2, 3, 16, 16)
    assert weights[0].std(axis=2).mean() > 5 * weights[0].std(axis=1).mean()  # level: along the rows
    assert templates(weights, ("level", "upright")).startswith(b"\x89PNG")
    assert template_weights(replace(settings, features=("hog",)), model, (3, 16, 16)) is None


# ---- time -------------------------------------------------------------------------------------------
def test_the_time_of_an_iteration_is_the_usual_one() -> None:
    watch = Stopwatch(1.0)
    watch.taken = [2.0, 0.1, 0.1, 0.3]
    assert watch.first == 2.0 and watch.usual == 0.1


def test_more_time_means_more_epochs() -> None:
    splits, settings = load("moons", samples=400), Settings("moons", hidden=(4,), epochs=1)
    assert epochs_within(1e-3, settings, splits) == 0
    few, many = (epochs_within(seconds, settings, splits) for seconds in (10.0, 100.0))
    assert 0 < few < many


def test_a_class_without_samples_has_no_centroid() -> None:
    data = Dataset(np.zeros((4, 2), np.float32), [0, 1, 0, 1], ("a", "b", "c"))
    settings = Settings("made", model="centroid", epochs=0, hidden=())
    with pytest.raises(DataError, match="no training sample of the class 'c'"):
        assemble(settings, Splits(data, None, None, "made"))
