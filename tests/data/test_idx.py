"""The MNIST family: idx files, damaged ones, and where named sets are looked for."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from tests.data.official_files import idx_bytes, write_idx

from chainrule.core.stream import Stream
from chainrule.data import load
from chainrule.data.idx import IDX_FILES, read_idx
from chainrule.errors import ArgumentError, DataError


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_read_packed_or_plain(tmp_path, packed):
    splits = load(write_idx(tmp_path / "letters", packed))
    assert splits.name == "letters" and splits.classes == ("0", "1", "2", "3")
    assert splits.train.x.shape == (36, 1, 5, 6) and splits.train.x.dtype == np.uint8
    assert splits.test is not None and splits.test.y.tolist() == (np.arange(10) % 4).tolist()
    assert (splits.test.x[:, 0] == Stream(1).integers(0, 256, (10, 5, 6))).all()
    assert splits.train.x.flags.writeable


_GOOD = idx_bytes(np.arange(12).reshape(3, 4))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "magic"),
        (b"\x00\x00\x08", "magic"),
        (_GOOD[:6], "ends in its header"),
        (idx_bytes(np.arange(3)), "magic number is 2049, not 2050"),
        (_GOOD[:-1], "only 11 follow"),
        (_GOOD + b"x", "more follow"),
        (struct.pack(">III", 0x802, 2**32 - 1, 2**32 - 1), "claims an array"),
        (struct.pack(">III", 0x802, 0, 4), "claims an array"),
        (gzip.compress(_GOOD)[:-12], "cut off or damaged"),
        (gzip.compress(_GOOD)[:12] + b"\xff" * 9, "cut off or damaged"),
        (b"\x1f\x8bnonsense", "cut off or damaged"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "data",  # gzip stamps the time
)
def test_damaged_idx_files_are_named_with_the_problem(tmp_path, data, problem):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"^train-images-idx3-ubyte: .*{problem}"):
        read_idx(path, axes=2)


def test_a_missing_idx_file_is_named(tmp_path):
    folder = write_idx(tmp_path / "mnist")
    (folder / f"{IDX_FILES[1]}.gz").unlink()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz is missing"):
        load(folder)


def test_named_sets_are_found_in_the_folder_or_its_subfolder(tmp_path, monkeypatch):
    write_idx(tmp_path / "a" / "mnist")
    write_idx(tmp_path / "b")
    for folder in ("a", "b"):
        assert load("MNIST", folder=tmp_path / folder, download=False).name == "mnist"
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "a"))
    assert len(load("mnist", validation=0).train) == 40
    with pytest.raises(DataError, match=r"fashion-mnist: .*not in .*a.fashion-mnist") as caught:
        load("fashion-mnist", download=False)
    assert "train-images-idx3-ubyte.gz" in caught.value.hint
    with pytest.raises(ArgumentError, match="is a file"):
        load("mnist", folder=__file__)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "first", "mean"), [("mnist", 7, 33.318421), ("fashion-mnist", 9, 72.940352)]
)
def test_the_real_idx_files(shared_data, name, first, mean):
    splits = load(name, folder=shared_data, download=False, validation=0)
    assert splits.test is not None
    assert (len(splits.train), len(splits.test), splits.test.y[0]) == (60000, 10000, first)
    np.testing.assert_allclose(splits.train.x.mean(), mean, rtol=1e-6)
    assert load(shared_data / name).classes == splits.classes


@pytest.mark.shared_data
def test_the_files_of_another_set_are_not_taken_for_the_named_one(shared_data):
    with pytest.raises(DataError, match="fashion-mnist: its files are not in"):
        load("fashion-mnist", folder=shared_data / "mnist", download=False)
