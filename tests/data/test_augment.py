"""Augmentation: what each class does to images, the same in NumPy's arrays, tensors and native code."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.data import Cutout, HorizontalFlip, Normalizer, RandomCrop, TensorTransform
from chainrule.errors import ArgumentError, ShapeError


def _images(n: int = 12, dtype: type = np.uint8, channels: int = 3) -> np.ndarray:
    return (Stream(5).uniform((n, channels, 9, 7)) * 255).astype(dtype)


def _cropped(x: np.ndarray, stream: Stream, side: int) -> np.ndarray:
    n, _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (side, side), (side, side)), constant_values=9)
    top, left = stream.integers(0, 2 * side + 1, (2, n))
    return np.stack([p[:, t : t + height, c : c + width] for p, t, c in zip(padded, top, left, strict=True)])


def _flipped(x: np.ndarray, stream: Stream) -> np.ndarray:
    mirrored = stream.uniform((len(x),)) < 0.5
    return np.stack([image[:, :, ::-1] if turn else image for image, turn in zip(x, mirrored, strict=True)])


def _cut(x: np.ndarray, stream: Stream, size: int) -> np.ndarray:
    x = x.copy()
    rows, columns = (stream.integers(0, length, (len(x),)) for length in x.shape[2:])
    for image, row, column in zip(x, rows, columns, strict=True):
        top, left = row - size // 2, column - size // 2
        image[:, max(top, 0) : top + size, max(left, 0) : left + size] = 9
    return x


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("transform", "loop"),
    [
        (RandomCrop(2, fill=9), lambda x, stream: _cropped(x, stream, 2)),
        (RandomCrop(11, fill=9), lambda x, stream: _cropped(x, stream, 11)),
        (HorizontalFlip(), _flipped),
        (Cutout(4, fill=9), lambda x, stream: _cut(x, stream, 4)),
        (Cutout(5, fill=9), lambda x, stream: _cut(x, stream, 5)),
    ],
    ids=["crop-2", "crop-11", "flip", "cutout-4", "cutout-5"],
)
def test_augmentation_equals_a_loop_over_images(transform, loop, dtype):
    x = _images(40, dtype)
    before = x.copy()
    out = transform(x, Stream(3))
    np.testing.assert_array_equal(out, loop(x, Stream(3)))
    assert out.dtype == dtype and (x == before).all() and not np.shares_memory(out, x)
    assert (out != transform(x, Stream(4))).any()


@pytest.mark.parametrize(
    "make", [lambda: RandomCrop(0), lambda: Cutout(-1), lambda: HorizontalFlip(1.5), lambda: Cutout(2.0)]
)
def test_augmentation_refuses_senseless_sizes(make):
    with pytest.raises(ArgumentError):
        make()


@pytest.mark.parametrize("fill", [300, -1, 0.5])
@pytest.mark.parametrize("kind", [RandomCrop, Cutout])
def test_a_fill_that_the_images_cannot_hold_is_refused(kind, fill):
    with pytest.raises(ArgumentError, match="is no value of uint8 images"):
        kind(2, fill=fill)(_images(), Stream(0))
    kind(2, fill=fill)(_images(dtype=np.float32), Stream(0))


@pytest.mark.parametrize("transform", [RandomCrop(1), HorizontalFlip(), Cutout(1)])
def test_augmentation_is_for_images(transform):
    with pytest.raises(ShapeError, match="needs images"):
        transform(np.zeros((4, 3)), Stream(0))


CHAINS = {
    "crop": [RandomCrop(2, fill=7)],
    "crop beyond": [RandomCrop(11)],
    "flip": [HorizontalFlip()],
    "no flip": [HorizontalFlip(0.0)],
    "all flip": [HorizontalFlip(1.0)],
    "cutout": [Cutout(4, fill=7)],
    "all": [HorizontalFlip(0.3), RandomCrop(3), Cutout(3)],
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize(("n", "channels"), [(1, 3), (5, 1), (17, 3)])
def test_arrays_tensors_and_native_code_see_the_same_pixels(chain, dtype, n, channels):
    x = _images(n, dtype, channels)
    scale = Normalizer().fit(x)

    def views(x, stream):
        for transform in chain:
            x = transform(x, stream)
        return x, scale(x)

    streams = [Stream(3) for _ in range(3)]
    arrays = views(x, streams[0])
    eager = [each.data for each in views(Tensor(x), streams[1])]
    native = [each.data for each in cr.compile(views)(x, streams[2])]
    assert arrays[0].dtype == dtype and arrays[1].dtype == np.float32
    for one, two, three in zip(arrays, eager, native, strict=True):
        assert one.dtype == two.dtype == three.dtype and one.flags.c_contiguous
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    assert streams[0].state == streams[1].state == streams[2].state


def test_the_borders_of_chance():
    x = _images()
    np.testing.assert_array_equal(HorizontalFlip(0.0)(x, Stream(1)), x)
    np.testing.assert_array_equal(HorizontalFlip(1.0)(x, Stream(1)), x[..., ::-1])


def test_compiled_views_follow_their_attributes():
    flip, scale, x = HorizontalFlip(0.0), Normalizer().fit(_images()), _images()
    views = cr.compile(lambda x: scale(flip(x)))
    np.testing.assert_array_equal(views(x).data, scale(x))
    flip.p = 1.0
    np.testing.assert_array_equal(views(x).data, scale(x[..., ::-1]))
    scale.fit(x // 2)
    np.testing.assert_array_equal(views(x).data, scale(x[..., ::-1]))
    views(x)
    assert views.traces == 3


class Brighter(TensorTransform):
    """A view of a user's own."""

    def changed(self, x, stream):
        return x * cr.random.uniform((len(x), 1, 1, 1), 0.5, 1.5, stream=stream)


def test_views_of_a_user_are_written_in_ops_once():
    x = _images(dtype=np.float32)
    made = Brighter()(x, Stream(2))
    assert isinstance(made, np.ndarray) and (made[0] != made[1]).any()
    np.testing.assert_array_equal(made, cr.compile(Brighter())(x, Stream(2)).data)
    cr.random.seed(9)
    np.testing.assert_array_equal(Brighter()(x), Brighter()(x, Stream(9)))
