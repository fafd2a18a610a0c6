"""Files that are whole or not there: what goes wrong leaves the old one, and names it."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest

from chainrule.files import replace_with


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    for content in (b"old", b"new"):
        replace_with(target, lambda file, content=content: file.write(content))
        assert target.read_bytes() == content
    assert os.listdir(tmp_path) == [target.name]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_is_told_with_its_name(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "weights.bin"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match=r"weights\.bin") as caught:
        replace_with(target, lambda file: file.write(b"new"))
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(target)
    assert target.read_bytes() == b"old" and os.listdir(tmp_path) == [target.name]


def test_what_a_reader_finds_wrong_is_told_in_its_own_words(tmp_path: Path) -> None:
    def unpack(_: object) -> None:
        raise gzip.BadGzipFile("CRC check failed")

    with pytest.raises(gzip.BadGzipFile, match="CRC check failed"):
        replace_with(tmp_path / "images", unpack)
    assert not os.listdir(tmp_path)
