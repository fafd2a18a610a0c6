"""`hog` gives scikit-image's numbers: for every argument it has, on noise, on ties, on real photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.features.argument_sets import argument_sets, differences

from chainrule.data import read_image
from chainrule.features import color_histogram, hog

pytest.importorskip("skimage")
pytestmark = pytest.mark.skimage

TOLERANCE = {"uint8": 1e-5, "float64": 1e-5, "float32": 1e-4, "float16": 1e-4, "uint16": 1e-5, "bool": 1e-5}
rng = np.random.default_rng(0)
NOISE = rng.integers(0, 256, (2, 3, 41, 38)).astype(np.uint8)
IMAGES = {
    "noise": NOISE,
    "few levels, so that channels tie": NOISE // 64 * 64,
    "grey": NOISE[:, :1],
    "grey told three times": np.repeat(NOISE[:, :1] // 16 * 16, 3, axis=1),
    "flat": np.full((1, 3, 40, 40), 7, np.uint8),
    "two channels": NOISE[:, :2],
}


def of_type(images: np.ndarray, dtype: str) -> np.ndarray:
    """8-bit images in another type: floats from 0 to 1, wider whole numbers as wide as they go."""
    if dtype == "bool":
        return images > 127
    if dtype.startswith("float"):
        return (images / 255).astype(dtype)
    return images.astype(dtype) * (np.iinfo(dtype).max // 255)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", IMAGES)
def test_made_images(kind: str, dtype: str) -> None:
    for arguments in argument_sets(8, seed=len(kind) + len(dtype)):
        found = differences(of_type(IMAGES[kind], dtype), arguments)
        assert max(found) <= TOLERANCE[dtype], (arguments, found)


@pytest.mark.shared_data
@pytest.mark.parametrize("dtype", ["uint8", "float64", "float32"])
def test_two_hundred_argument_sets_on_real_photos(shared_data: Path, dtype: str) -> None:
    paths = sorted((shared_data / "clothing10" / "test").rglob("*.jpg"))[::17]
    draw = np.random.default_rng(1)
    for number, arguments in enumerate(argument_sets(200, seed=2)):
        size = tuple(draw.integers(36, 130, 2).tolist())
        channels = "grey" if number % 5 == 0 else "rgb"
        photo = read_image(paths[number % len(paths)], size=size, channels=channels)
        found = differences(of_type(photo[None], dtype), arguments)
        assert max(found) <= TOLERANCE[dtype], (arguments, size, found)


def test_a_single_image_in_any_layout() -> None:
    from skimage.feature import hog as reference

    image = np.moveaxis(NOISE[0], 0, -1)
    wanted = reference(image, channel_axis=-1, cells_per_block=(2, 2))
    assert np.allclose(hog(image, channel_axis=-1), wanted, atol=1e-6)
    assert np.allclose(hog(NOISE[0]), wanted, atol=1e-6)
    assert np.allclose(hog(np.moveaxis(NOISE, 1, -1), channel_axis=-1)[0], wanted, atol=1e-6)
    assert np.allclose(hog(NOISE[0, 0]), reference(NOISE[0, 0], cells_per_block=(2, 2)), atol=1e-6)


def test_hue_saturation_and_value() -> None:
    from skimage.color import rgb2hsv

    hsv = rgb2hsv(np.moveaxis(NOISE[0], 0, -1))
    # 7 bins: no edge but 0 is a fraction that 8-bit colours often hit.
    wanted = [np.histogram(hsv[..., part], 7, (0, 1))[0] / hsv[..., 0].size for part in range(3)]
    assert np.abs(color_histogram(NOISE[0], 7, "hsv") - np.concatenate(wanted)).max() < 2.5 / hsv[..., 0].size
