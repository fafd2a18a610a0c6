"""Colour histograms against NumPy's own, against exact hues, and what is refused."""

from __future__ import annotations

import colorsys
from fractions import Fraction

import numpy as np
import pytest

from chainrule.errors import ArgumentError, ChainruleError, DataError, DTypeError, ShapeError
from chainrule.features import color_histogram

rng = np.random.default_rng(0)
PHOTOS = rng.integers(0, 256, (3, 3, 21, 26)).astype(np.uint8)


@pytest.mark.parametrize("bins", [1, 8, 5, 256, (2, 3, 7)])
def test_shares_are_numpys(bins: int | tuple[int, ...]) -> None:
    sizes = bins if isinstance(bins, tuple) else (bins,) * 3
    pixels = PHOTOS[1].reshape(3, -1)
    counts = [np.histogram(channel, size, (0, 255))[0] for channel, size in zip(pixels, sizes, strict=True)]
    assert np.allclose(color_histogram(PHOTOS, bins)[1], np.concatenate(counts) / pixels.shape[1])
    if bins != 256:
        joint = np.histogramdd(pixels.T.astype(float), sizes, [(0, 255)] * 3)[0] / pixels.shape[1]
        assert np.allclose(color_histogram(PHOTOS, bins, joint=True)[1], joint.reshape(-1))


@pytest.mark.parametrize("bins", [6, 8, 12])
def test_hues_on_the_edge_of_two_bins_go_up(bins: int) -> None:
    levels = [0, 60, 120, 180, 240]
    colours = np.array([(r, g, b) for r in levels for g in levels for b in levels], np.uint8)
    wanted = np.zeros((3, bins))
    for colour in colours.tolist():
        # colorsys is exact on fractions but for a hue below 0, which it takes modulo 1.
        for part, value in enumerate(colorsys.rgb_to_hsv(*(Fraction(level, 255) for level in colour))):
            wanted[part, min(int(value * bins), bins - 1)] += 1 / len(colours)
    image = colours.T[:, None]
    assert np.allclose(color_histogram(image, bins, "hsv"), wanted.reshape(-1))
    assert np.allclose(color_histogram(image, bins, "hue"), wanted[0])


@pytest.mark.parametrize("space", ["rgb", "hsv", "hue"])
def test_size_and_place_of_pixels_do_not_matter(space: str) -> None:
    larger = PHOTOS.repeat(3, axis=2).repeat(2, axis=3)
    assert np.allclose(color_histogram(larger, 6, space), color_histogram(PHOTOS, 6, space))
    assert np.allclose(color_histogram(PHOTOS[:, :, ::-1], 6, space), color_histogram(PHOTOS, 6, space))


@pytest.mark.parametrize("joint", [False, True])
def test_regions_are_images_of_their_own(joint: bool) -> None:
    found = color_histogram(PHOTOS, 3, "hsv", grid=(3, 2), joint=joint).reshape(3, 3, 2, -1)
    for row in range(3):
        for column in range(2):
            part = PHOTOS[:, :, 7 * row : 7 * row + 7, 13 * column : 13 * column + 13]
            assert np.allclose(found[:, row, column], color_histogram(part, 3, "hsv", joint=joint))
    uneven = color_histogram(PHOTOS, 4, grid=(5, 4)).reshape(3, 20, 3, 4)
    assert np.allclose(uneven.sum(axis=-1), 1)


def test_types_and_layouts() -> None:
    wanted = color_histogram(PHOTOS, 8)
    many = np.repeat(PHOTOS, 100, axis=0)  # more than one chunk
    assert np.array_equal(color_histogram(many, 8)[::100], wanted)
    assert np.array_equal(color_histogram(PHOTOS[2], 8), wanted[2])
    assert np.array_equal(color_histogram(np.moveaxis(PHOTOS, 1, -1), 8, channel_axis=-1), wanted)
    for dtype in (np.float32, np.float64):
        found = color_histogram((PHOTOS / 255).astype(dtype), 8)
        assert found.dtype == dtype and np.allclose(found, wanted)
    grey = color_histogram(PHOTOS[:, 0], 8, channel_axis=None)
    assert np.array_equal(grey, wanted[:, :8]) and np.array_equal(grey[0], color_histogram(PHOTOS[0, 0], 8))
    assert color_histogram(PHOTOS[:, :1], 4, "hsv")[0, [0, 4]].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("images", "arguments", "kind", "words"),
    [
        (PHOTOS, {"space": "HSV"}, ArgumentError, "color_histogram: no space 'HSV'"),
        (PHOTOS, {"bins": 0}, ArgumentError, "bins must be a number from 1 up, or 3 of them for 'rgb'"),
        (PHOTOS, {"bins": (4, 4)}, ArgumentError, "got (4, 4)"),
        (PHOTOS, {"bins": (8, 4, 4), "space": "hue"}, ArgumentError, "or 1 of them for 'hue'"),
        (PHOTOS, {"grid": 4}, ArgumentError, "grid must be (rows, columns)"),
        (PHOTOS, {"grid": (22, 1)}, ShapeError, "regions without pixels in 21 x 26 images"),
        (PHOTOS[:, :2], {}, ShapeError, "must have 1 or 3 channels, got 2"),
        (np.zeros((2, 4, 9, 9), np.uint8), {}, ShapeError, "images[:, :3]"),
        (np.zeros((2, 9, 9, 3), np.uint8), {}, ShapeError, "channel_axis=-1"),
        (PHOTOS.astype(int), {}, DTypeError, "whole numbers must be uint8 (0 to 255), got int64"),
        (PHOTOS * 1.0, {}, DataError, "must lie between 0 and 1, got 0 to 255"),
        (PHOTOS * 1.0, {}, DataError, "images / 255"),
        (np.full((3, 4, 4), np.nan), {}, DataError, "must lie between 0 and 1, got nan"),
    ],
)
def test_wrong_arguments(images: np.ndarray, arguments: dict, kind: type[ChainruleError], words: str) -> None:
    with pytest.raises(kind) as raised:
        color_histogram(images, **arguments)
    assert words in str(raised.value)
