"""`hog` without a reference: exactness of the short cuts, batches, 360 degrees, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ChainruleError, DataError, DTypeError, ShapeError
from chainrule.features import hog
from chainrule.features.gradients import Neighbours, rule_of_channels, strongest_gradient
from chainrule.features.orientation import exact_bins, orientation_bins

rng = np.random.default_rng(0)
PHOTOS = rng.integers(0, 256, (5, 3, 32, 40)).astype(np.uint8)
DOWN, RIGHT = np.mgrid[-255:256, -255:256].astype(np.int16)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("orientations", [1, 2, 3, 4, 7, 8, 9, 12, 36, 146])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bin_is_that_of_the_rule_or_not_sure(dtype: type, orientations: int, signed: bool) -> None:
    some = (DOWN != 0) | (RIGHT != 0)
    for scale in (1.0, 1 / 255):
        right, down = (RIGHT * scale).astype(dtype)[some], (DOWN * scale).astype(dtype)[some]
        found, unclear = orientation_bins(right, down, orientations, signed)
        wrong = found != exact_bins(right, down, orientations, signed)
        assert not (wrong & ~unclear).any()
        # The four directions of 0, 45, 90 and 135 degrees are common in images, and sure.
        common = (right == 0) | (down == 0) | (np.abs(right) == np.abs(down))
        assert orientations == 146 or not unclear[common].any()
        assert orientations == 146 or unclear.mean() < 0.01


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("orientations", [1, 2, 4, 8, 9, 12])
def test_a_bin_close_to_an_edge_is_not_sure(orientations: int, signed: bool) -> None:
    """Directions a few roundings away from every edge, in every quarter: only the rule knows."""
    edges = np.deg2rad(np.arange(orientations + 1) * ((360 if signed else 180) / orientations))
    for dtype in (np.float32, np.float64):
        for off in np.finfo(dtype).eps * np.array([-3, -1, -0.5, 0, 0.5, 1, 3]):
            for turn in (0, np.pi):
                right, down = (f(edges + turn + off).astype(dtype) for f in (np.cos, np.sin))
                found, unclear = orientation_bins(right, down, orientations, signed)
                assert (unclear | (found == exact_bins(right, down, orientations, signed))).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_the_channel_is_that_of_the_rule_or_not_sure(dtype: type) -> None:
    levels = rng.integers(0, 12, (40, 3, 30, 30)) * 20  # few, so that channels tie in many ways
    images = levels.astype(dtype) / (1 if dtype is np.uint8 else dtype(255))
    images = images.astype(dtype)
    neighbours = Neighbours(images, len(images))
    pixels = neighbours.fill(images)
    found = strongest_gradient(*neighbours.planes)
    right, down = rule_of_channels(*neighbours.at(np.arange(pixels)))
    wrong = (found.right[:pixels] != right) | (found.down[:pixels] != down)
    assert not (wrong & ~found.unclear[:pixels]).any()
    assert 0 < found.unclear[:pixels].mean() < 0.1
    grey = np.repeat(images[:, :1], 3, axis=1)
    neighbours.fill(grey)
    assert not strongest_gradient(*neighbours.planes).unclear.any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_batch_is_its_images_whatever_their_place_in_memory(dtype: type) -> None:
    images = np.repeat(PHOTOS.astype(dtype), 30, axis=0)  # more than one chunk
    images.flags.writeable = False
    features, pictures = hog(images, visualize=True)
    for place in (0, 49, 149):
        feature, picture = hog(images[place], visualize=True)
        assert np.array_equal(feature, features[place]) and np.array_equal(picture, pictures[place])
    turned = np.asfortranarray(images[::2])
    assert np.array_equal(hog(turned), features[::2])
    assert features.dtype == pictures.dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert hog(images[:0]).shape == (0, features.shape[1])


def test_pixels_beyond_the_last_cell_are_left_out() -> None:
    wider = np.concatenate([PHOTOS, np.zeros((5, 3, 32, 7), np.uint8)], axis=3)
    whole, cut = (hog(x, cells_per_block=(1, 1), feature_vector=False) for x in (wider, PHOTOS))
    assert np.array_equal(whole[:, :, :-1], cut[:, :, :-1])


def test_the_strongest_channel_counts() -> None:
    grey = np.zeros((3, 32, 40), np.uint8)
    grey[1] = PHOTOS[0, 1]
    assert np.array_equal(hog(grey), hog(grey[1]))


def test_over_360_degrees_a_negative_points_the_other_way() -> None:
    turned, upright = (
        hog(x, 8, signed=True, feature_vector=False, transform_sqrt=False) for x in (255 - PHOTOS, PHOTOS)
    )
    assert np.allclose(turned, np.roll(upright, 4, axis=-1), atol=1e-6)
    assert not np.allclose(turned, upright, atol=0.1)
    assert np.allclose(hog(255 - PHOTOS), hog(PHOTOS), atol=1e-6)


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_one_bad_pixel_is_found_in_any_channel_and_chunk(channel: int, value: float) -> None:
    images = np.repeat(PHOTOS.astype(np.float32), 30, axis=0)
    images[120, channel, 31, 17] = value
    with pytest.raises(DataError, match="nan or infinite"):
        hog(images)
    hog(images[:120])


def test_images_larger_than_a_piece_are_as_one() -> None:
    """Planes of 160,000 pixels go through in two pieces that overlap; cells do not see where."""
    image = rng.random((3, 400, 400))
    whole = hog(image, cells_per_block=(1, 1), feature_vector=False)
    for rows, columns in ((slice(48, 104), slice(296, 360)), (slice(304, 360), slice(240, 296))):
        part = hog(image[:, rows, columns], cells_per_block=(1, 1), feature_vector=False)
        inner = whole[rows.start // 8 : rows.stop // 8, columns.start // 8 : columns.stop // 8]
        assert np.allclose(inner[1:-1, 1:-1], part[1:-1, 1:-1], atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 40), (3, 40, 1), (1, 2, 2), (4, 2, 5)])
def test_images_without_an_inside_have_no_gradient_there(shape: tuple[int, int, int]) -> None:
    image = rng.integers(0, 256, shape).astype(np.uint8)
    found = hog(image, 4, (1, 1), (1, 1), feature_vector=False)
    assert found.shape == (*shape[1:], 1, 1, 4)
    # Where a side has no two neighbours, its difference is 0: bin 0 points right, bin 2 down.
    inside = [0 if size < 3 else 1 for size in shape[1:]]
    assert inside[1] or not found[..., 0].any()
    assert inside[0] or not found[..., 2].any()
    assert any(inside) or not found.any()


def test_tensors_are_images_too() -> None:
    assert np.array_equal(hog(cr.tensor(PHOTOS[0])), hog(PHOTOS[0]))


def test_features_of_constants_may_stand_in_a_compiled_function() -> None:
    shifted = cr.compile(lambda x: x + hog(PHOTOS[0]))
    assert np.allclose(shifted(cr.ones(1)).data, 1 + hog(PHOTOS[0]))


@pytest.mark.parametrize(
    ("images", "arguments", "kind", "words"),
    [
        (
            np.zeros(5),
            {},
            ShapeError,
            "hog: images must have 3 or 4 axes with channel_axis=-3, got shape (5,)",
        ),
        (np.zeros((2, 3, 9, 9, 9)), {}, ShapeError, "got shape (2, 3, 9, 9, 9)"),
        (np.zeros((2, 3, 32, 32)), {"channel_axis": None}, ShapeError, "must have 2 or 3 axes"),
        (np.zeros((2, 3, 32, 32)), {"channel_axis": 4}, ShapeError, "with channel_axis=4"),
        (np.zeros((3, 0, 32)), {}, ShapeError, "hog: images are empty"),
        (np.zeros((5, 32, 32, 3)), {}, ShapeError, "channel_axis=-1"),
        (np.zeros((3, 15, 32)), {}, ShapeError, "15 x 32 pixels is smaller than one block (16 x 16)"),
        (np.zeros((3, 32, 32), complex), {}, DTypeError, "hog: images must be numbers, got complex128"),
        (["a.jpg"], {}, DTypeError, "hog: images must be numbers"),
        ([np.zeros((3, 9, 9)), np.zeros((3, 8, 9))], {}, ShapeError, "images must be one array"),
        (np.full((3, 32, 32), np.inf), {}, DataError, "nan or infinite"),
        (np.full((3, 32, 32), -1), {"transform_sqrt": True}, DataError, "pixels of 0 or more, got -1"),
        (
            PHOTOS,
            {"orientations": 0},
            ArgumentError,
            "orientations must be an integer of at least 1, got 0",
        ),
        (PHOTOS, {"orientations": 4.5}, ArgumentError, "got 4.5"),
        (PHOTOS, {"pixels_per_cell": 8}, ArgumentError, "pixels_per_cell must be (rows, columns)"),
        (PHOTOS, {"cells_per_block": (2, 0)}, ArgumentError, "cells_per_block must be (rows, columns)"),
        (PHOTOS, {"block_norm": "L2-hys"}, ArgumentError, "did you mean 'L2-Hys'?"),
        (PHOTOS, {"channel_axis": "last"}, ArgumentError, "channel_axis must be a number or None"),
    ],
)
def test_wrong_arguments(images: object, arguments: dict, kind: type[ChainruleError], words: str) -> None:
    with pytest.raises(kind) as raised:
        hog(images, **arguments)
    assert words in str(raised.value)
