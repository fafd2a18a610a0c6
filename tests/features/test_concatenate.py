"""`Concatenate` and the transformers: what is learnt and from what, memory, scikit-learn, refusals."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from chainrule.data import Batches, Dataset
from chainrule.errors import ArgumentError, ChainruleError, DataError, ShapeError
from chainrule.features import HOG, ColorHistogram, Concatenate, color_histogram, hog
from chainrule.features.moments import Moments

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (70, 3, 16, 24)).astype(np.uint8)
TRAIN, TEST = IMAGES[:50], IMAGES[50:]


def both(**arguments: object) -> Concatenate:
    return Concatenate([hog, ColorHistogram(bins=4, space="hsv")], **arguments)


def test_test_images_are_measured_by_the_training_split() -> None:
    features = both(batch_size=16).fit(TRAIN)
    raw = np.concatenate([hog(IMAGES), color_histogram(IMAGES, 4, "hsv")], axis=1).astype(float)
    mean, deviation = raw[:50].mean(axis=0), raw[:50].std(axis=0)
    assert np.allclose(features.transform(TEST), (raw[50:] - mean) / deviation, atol=1e-4)
    assert np.allclose(both(standardize=False).fit(TRAIN).transform(TEST), raw[50:], atol=1e-6)
    assert np.allclose(both().fit_transform(TRAIN).std(axis=0), 1, atol=1e-4)


def test_a_feature_that_does_not_vary_is_only_shifted() -> None:
    features = Concatenate([lambda x: np.stack([np.full(len(x), 0.1), x[:, 0, 0, 0]], axis=1)]).fit(TRAIN)
    assert features.transform(TRAIN)[:, 0].tolist() == [0.0] * 50
    assert features.scale_[0] == 1


def test_moments_keep_their_digits() -> None:
    values = 1e8 + rng.normal(size=(1000, 3)) * [1, 5, 0]
    moments = Moments()
    for start in range(0, 1000, 7):
        moments.add(values[start : start + 7])
    assert moments.mean == pytest.approx(values.mean(axis=0), rel=1e-14)
    assert moments.scale()[:2] == pytest.approx(values.std(axis=0)[:2], rel=1e-6) and moments.scale()[2] == 1


def test_batches_are_as_good_as_an_array() -> None:
    whole = both(batch_size=20).fit(TRAIN)
    pieces = both().fit(TRAIN[start : start + 20] for start in range(0, 50, 20))
    assert np.array_equal(whole.mean_, pieces.mean_) and np.array_equal(whole.scale_, pieces.scale_)
    streamed = list(whole.stream(Batches(TEST, np.zeros(20, int), 8, shuffle=False)))
    assert [len(each) for each in streamed] == [8, 8, 4]
    assert np.allclose(np.concatenate(streamed), whole.transform(TEST), atol=1e-5)
    assert whole.transform(iter([TEST])).shape == whole.transform(TEST).shape
    assert whole.transform(TEST[:0]).shape == (0, whole.n_features_out_)


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    def source(count: int) -> Iterator[np.ndarray]:
        return (np.full((64, 3, 16, 16), number % 251, np.uint8) for number in range(count))

    def peak(count: int) -> int:
        features = both().fit(source(2))
        tracemalloc.start()
        for _ in features.fit(source(count)).stream(source(count)):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(40) < 1.2 * peak(4)


def test_every_feature_has_a_name_of_its_own() -> None:
    parts = [
        HOG(),
        HOG(4, (4, 4), (1, 1)),
        ColorHistogram(3, "hsv", (2, 2), joint=True),
        partial(hog, orientations=2),
    ]
    features = Concatenate(parts).fit(TRAIN)
    names = features.get_feature_names_out()
    assert len(names) == len(set(names)) == features.n_features_out_ == features.transform(TEST).shape[1]
    for name in ("hog__hog_block_0_1_cell_1_1_bin_8", "hog-2__hog_block_3_5_cell_0_0_bin_3", "hog-3__0"):
        assert name in names
    assert "colorhistogram__hsv_region_1_0_hue_2_saturation_0_value_1" in names
    place = list(names).index("hog-2__hog_block_3_5_cell_0_0_bin_3") - HOG().fit(TRAIN).n_features_out_
    assert place == (3 * 6 + 5) * 4 + 3


def test_grey_images_have_grey_names() -> None:
    names = ColorHistogram(bins=2).fit(TRAIN[:, :1]).get_feature_names_out()
    assert names.tolist() == ["rgb_region_0_0_grey_0", "rgb_region_0_0_grey_1"]


def test_parameters_are_read_and_set_by_name() -> None:
    features = Concatenate([HOG(), ColorHistogram()])
    assert features.get_params()["hog__orientations"] == 9
    assert features.set_params(hog__orientations=4, standardize=False) is features
    assert (
        repr(features) == "Concatenate(features=[HOG(orientations=4), ColorHistogram()], standardize=False)"
    )
    with pytest.raises(ArgumentError, match=r"no parameter 'hog__bins'"):
        features.set_params(hog__bins=3)


def test_scikit_learn_clones_pipes_and_searches() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.utils.validation import check_is_fitted

    features = Concatenate([HOG(), color_histogram]).fit(TRAIN)
    copy = clone(features)
    assert repr(copy) == repr(features) and copy.features[0] is not features.features[0]
    check_is_fitted(features)
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    labels = (TRAIN[:, 0].mean(axis=(1, 2)) > 127).astype(int)
    search = GridSearchCV(
        make_pipeline(copy, RidgeClassifier()), {"concatenate__hog__orientations": [4, 9]}, cv=2
    )
    assert search.fit(TRAIN, labels).predict(TEST).shape == (20,)


def test_a_transformer_of_scikit_learn_is_a_feature_and_sees_all_training_images() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    pipeline, preprocessing = (
        pytest.importorskip("sklearn.pipeline"),
        pytest.importorskip("sklearn.preprocessing"),
    )
    flat = preprocessing.FunctionTransformer(lambda x: x.reshape(len(x), -1) / 255)
    pca = pipeline.make_pipeline(flat, decomposition.PCA(30))
    assert Concatenate([pca, hog], batch_size=10).fit(TRAIN).transform(TEST).shape[1] > 30


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: both().transform(TEST), DataError, "Concatenate.transform: not fitted yet"),
        (lambda: both().stream(TEST), DataError, "Concatenate.stream: not fitted yet"),
        (lambda: HOG().get_feature_names_out(), DataError, "HOG.get_feature_names_out: not fitted yet"),
        (lambda: both().fit(TRAIN[:0]), DataError, "Concatenate.fit: there are no images"),
        (lambda: both().fit(Dataset(TRAIN, np.zeros(50, int))), DataError, "must be an array or batches"),
        (lambda: HOG().fit(TRAIN[0]), DataError, "HOG.fit: needs a batch of images, got shape (3, 16, 24)"),
        (lambda: Concatenate([]).fit(TRAIN), ArgumentError, "must be a list of at least one, got []"),
        (lambda: Concatenate(hog).fit(TRAIN), ArgumentError, "Concatenate: features must be a list"),
        (
            lambda: Concatenate([HOG]).fit(TRAIN),
            ArgumentError,
            "must be a transformer or a function of images",
        ),
        (
            lambda: both(batch_size=0).fit(TRAIN),
            ArgumentError,
            "batch_size must be an integer of at least 1, got 0",
        ),
        (lambda: Concatenate([np.mean]).fit(TRAIN), ShapeError, "mean gave () for 50 images"),
        (lambda: both().fit(TRAIN).transform(TEST.repeat(2, 2)), ShapeError, "when fitted"),
    ],
)
def test_refusals(call: object, kind: type[ChainruleError], words: str) -> None:
    with pytest.raises(kind) as raised:
        call()
    assert words in str(raised.value)
