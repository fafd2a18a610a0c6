"""Image folders: every kind of file that people have, layouts that are right and layouts that are not."""

from __future__ import annotations

import errno
import io
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.stream import Stream
from chainrule.data import load, read_image
from chainrule.errors import ArgumentError, DataError

Image = pytest.importorskip("PIL.Image")

# Left half red, right half blue, and grey as Pillow weighs them (ITU-R 601-2).
RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(height: int = 4, width: int = 6) -> np.ndarray:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = RED, BLUE
    return pixels


def save(path: Path, pixels: np.ndarray | None = None, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(halves() if pixels is None else pixels).save(path, **options)
    return path


def photos(root: Path, *files: str, pixels: np.ndarray | None = None) -> Path:
    for file in files or ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        save(root / file, pixels)
    return root


def whole(root: Path, **options: object):
    return load(root, validation=0, test=0, **options)


def test_a_folder_without_splits_is_read_in_sorted_order(tmp_path):
    for index, name in enumerate(["b/10.png", "b/9.png", "a/z.png", "a/é 花.JPG", "c/1.bmp"]):
        save(tmp_path / name, np.full((3, 5), 40 * index, np.uint8))
    splits = whole(tmp_path)
    assert splits.classes == ("a", "b", "c") and splits.train.y.tolist() == [0, 0, 1, 1, 2]
    assert splits.train.x.shape == (5, 1, 3, 5) and splits.train.x.dtype == np.uint8
    assert [int(pixels.max()) for pixels in splits.train.x] == [80, 120, 0, 40, 160]
    assert splits.name == tmp_path.name


@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("Training", "val", "testing"), ("train", "valid", "test")]
)
def test_splits_are_told_by_the_names_of_folders(tmp_path, names):
    for count, name in enumerate(names, 1):
        photos(tmp_path / name, *(f"{kind}/{k}.png" for kind in ("cat", "dog") for k in range(count)))
    splits = load(tmp_path)
    assert [len(part) for part in splits.parts.values()] == [2, 4, 6] and splits.notes == ()


def test_only_missing_splits_are_drawn(tmp_path):
    photos(tmp_path / "train", *(f"{kind}/{k}.png" for kind in ("cat", "dog") for k in range(10)))
    photos(tmp_path / "test", "dog/1.png")
    (tmp_path / "notes").mkdir()
    splits = load(tmp_path, validation=0.2)
    assert [len(part) for part in splits.parts.values()] == [16, 4, 1]
    assert splits.test is not None and splits.test.y.tolist() == [1]
    assert "notes" in splits.notes[0]


def test_a_class_may_be_called_train(tmp_path):
    photos(tmp_path, "train/1.png", "bus/1.png")
    assert whole(tmp_path).classes == ("bus", "train")


def test_other_files_and_hidden_ones_are_passed_over(tmp_path):
    photos(tmp_path)
    for name in (".DS_Store", "cat/Thumbs.db", "cat/readme.txt", "dog/.hidden.png", "._cat", "labels.csv"):
        (tmp_path / name).write_bytes(b"no image")
    for name in (".git", "__MACOSX", ".ipynb_checkpoints"):
        (tmp_path / name).mkdir()
    assert len(whole(tmp_path).train) == 4


def encoded(kind: str) -> bytes:
    """The picture of `halves` as a file of some kind, or one that means the same."""
    picture, file = Image.fromarray(halves()), io.BytesIO()
    if kind == "palette":
        picture.convert("P", palette=Image.Palette.ADAPTIVE).save(file, "PNG")
    elif kind == "alpha":
        picture.putalpha(255)
        picture.save(file, "PNG")
    elif kind == "cmyk":
        picture.convert("CMYK").save(file, "TIFF")
    elif kind == "animated":
        picture.save(file, "GIF", save_all=True, append_images=[Image.new("RGB", picture.size, "green")] * 2)
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    else:
        picture.save(file, kind.upper())
    return file.getvalue()


@pytest.mark.parametrize("kind", "png bmp tiff ppm palette alpha cmyk animated turned".split())
def test_every_kind_of_colour_file_gives_the_same_pixels(tmp_path, kind):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(kind))
    np.testing.assert_array_equal(read_image(path), halves().transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("pixels", "mode"),
    [
        (np.array([[0, 128, 255]], np.uint8), "L"),
        (np.array([[0, 128 * 257, 65535]], np.uint16), "I;16"),
        (np.array([[0, 128 * 257 + 128, 65535]], np.uint16), "I;16"),
    ],
)
def test_grey_files_of_any_depth_are_one_channel(tmp_path, pixels, mode):
    assert Image.fromarray(pixels).mode == mode
    path = save(tmp_path / "grey.png", pixels)
    assert read_image(path).tolist() == [[[0, 128, 255]]]
    assert read_image(path, channels="rgb").tolist() == [[[0, 128, 255]]] * 3


def test_one_bit_and_grey_palettes_are_grey(tmp_path):
    checks = np.array([[0, 255], [255, 0]], np.uint8)
    Image.fromarray(checks).convert("1").save(tmp_path / "bits.png")
    Image.fromarray(checks).convert("P").save(tmp_path / "palette.png")
    for name in ("bits.png", "palette.png"):
        assert read_image(tmp_path / name).tolist() == [checks.tolist()]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(tmp_path, mode):
    Image.new(mode, (2, 1), (0,) * len(mode)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png") == 255).all()


def test_colour_is_kept_unless_all_are_grey(tmp_path):
    photos(tmp_path)
    save(tmp_path / "dog/3.png", halves()[..., 0])
    splits = whole(tmp_path)
    assert splits.train.x.shape == (5, 3, 4, 6)
    np.testing.assert_array_equal(splits.train.x[0], halves().transpose(2, 0, 1))
    grey = whole(tmp_path, channels="grey").train.x
    assert grey.shape == (5, 1, 4, 6) and grey[0, 0, 0].tolist() == [76] * 3 + [29] * 3


def test_sizes_differ_or_are_asked_for(tmp_path):
    photos(tmp_path)
    save(tmp_path / "dog/3.png", halves(8, 8))
    assert whole(tmp_path).sample_shape == (3, 64, 64)
    assert whole(tmp_path, size=5).sample_shape == (3, 5, 5)
    assert whole(tmp_path, size=(2, 7)).sample_shape == (3, 2, 7)


def test_shrinking_averages_areas_and_crops_the_centre(tmp_path):
    pixels = (Stream(2).uniform((12, 20)) * 255).astype(np.uint8)
    path = save(tmp_path / "noise.png", pixels)
    blocks = pixels[:, 4:16].reshape(4, 3, 4, 3).mean((1, 3))
    np.testing.assert_allclose(read_image(path, size=4)[0], blocks, atol=1.01)
    tall = save(tmp_path / "tall.png", pixels.T)
    np.testing.assert_allclose(read_image(tall, size=4)[0], blocks.T, atol=1.01)


def test_enlarging_keeps_a_flat_picture_flat(tmp_path):
    path = save(tmp_path / "flat.png", np.full((3, 2), 77, np.uint8))
    assert (read_image(path, size=(9, 11)) == 77).all()


def bomb() -> bytes:
    """A PNG whose header claims more pixels than any picture should have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 12000, 10000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


BROKEN = {
    "empty": b"",
    "text": b"this is no image",
    "bomb": bomb(),
    "cut off": None,
    "damaged": None,
}


def break_file(path: Path, how: str) -> None:
    data = save(path, np.asarray(Stream(3).integers(0, 256, (40, 40, 3)), np.uint8)).read_bytes()
    if how == "cut off":
        path.write_bytes(data[: len(data) // 2])
    elif how == "damaged":
        path.write_bytes(data[:60] + b"\x00" * 200 + data[260:])
    else:
        path.write_bytes(BROKEN[how] or b"")


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_image_is_named_or_skipped(tmp_path, how):
    photos(tmp_path)
    break_file(tmp_path / "dog" / "0 broken.png", how)
    with pytest.raises(DataError, match=r"^0 broken\.png: not a readable image \(.+\)") as caught:
        load(tmp_path)
    assert 'bad_images="skip"' in caught.value.hint and str(tmp_path / "dog") in caught.value.got
    splits = whole(tmp_path, bad_images="skip")
    assert len(splits.train) == 4 and splits.train.y.tolist() == [0, 0, 1, 1]
    ((path, reason),) = splits.skipped
    assert path.name == "0 broken.png" and reason.startswith("not a readable image")


def test_a_class_whose_images_are_all_broken_is_refused(tmp_path):
    photos(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "dog/1.png").write_bytes(b"")
    with pytest.raises(DataError, match="no readable images for the class 'dog'"):
        whole(tmp_path, bad_images="skip")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "the folder holds no images"),
        (["1.png"], "images but no folders for their classes"),
        (["cat/1.png"], "only one class folder, cat"),
        (["train/1.png", "test/1.png"], "images in test and train are not sorted"),
        (["train/1.png"], "images in train are not sorted"),
        (["test/cat/1.png", "val/dog/1.png"], "a folder 'test' but none called 'train'"),
        (
            ["train/cat/1.png", "train/dog/1.png", "test/dogs/1.png"],
            "test/dogs: the class 'dogs' does",
        ),
        (["train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "valid/cat/1.png"], "both mean validation"),
        (["cat/1.png", "dog/more/1.png"], "for the class 'dog'; images must lie in it directly"),
        (["cat/more/1.png", "dog/more/1.png"], "no readable images"),
    ],
)
def test_wrong_layouts_say_how_to_lay_files_out(tmp_path, files, message):
    root = tmp_path / "root"
    root.mkdir()
    for file in files:
        save(root / file)
    with pytest.raises(DataError, match=message) as caught:
        load(root)
    assert caught.value.hint or caught.value.got


def test_a_single_image_is_not_a_data_set(tmp_path):
    with pytest.raises(DataError, match="no known kind") as caught:
        load(save(tmp_path / "cat.jpg"))
    assert "one folder for each class" in caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        *({"size": size} for size in (0, (3,), "64", 10**6, 2.5, (4, -1))),
        {"channels": "gray"},
        {"bad_images": "ignore"},
        {"sise": 3},
    ],
)
def test_wrong_options_are_refused(tmp_path, options):
    with pytest.raises(ArgumentError):
        load(photos(tmp_path), **options)


def test_files_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    photos(tmp_path)
    really_open = Image.open

    def refusing(path, *args):
        # Modes of files would not stop the tests of a user who may read everything.
        if Path(path).parts[-2:] == ("dog", "1.png"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(path, *args)

    monkeypatch.setattr(Image, "open", refusing)
    with pytest.raises(DataError, match=r"1\.png: not a readable image \(Permission denied\)"):
        load(tmp_path)


def test_a_folder_that_may_not_be_listed_is_a_data_error(tmp_path, monkeypatch):
    photos(tmp_path)

    def refuse(self: Path):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        load(tmp_path)


@pytest.mark.shared_data
def test_real_photos(shared_data, tmp_path):
    for split in ("train", "test"):
        for kind in ("hat", "skirt"):
            shutil.copytree(shared_data / "clothing10" / split / kind, tmp_path / split / kind)
    splits = load(tmp_path, size=(48, 32))
    assert splits.classes == ("hat", "skirt") and splits.sample_shape == (3, 48, 32)
    assert splits.test is not None and len(splits.test) == len(list((tmp_path / "test").rglob("*.jpg")))
    assert 60 < splits.train.x.mean() < 220
