"""Checkpoint files: what goes in comes out, and nothing but a whole, genuine file is believed."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, CheckpointError
from chainrule.train import checkpoint

STATE: dict[str, Any] = {
    "model": {"0.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T, "none": np.zeros((0, 2))},
    "optimizer": {"state": {0: {"step": np.array(3.0)}, 7: {}}, "param_groups": [{"betas": (0.9, 0.999)}]},
    "random": [2**64 - 1, 0, 5],
    "words": "naïve",
    "infinite": float("inf"),
    "nothing": None,
    "flag": True,
    "$odd": [{"$array": "not an array"}, (1, (2.5,))],
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.safetensors", STATE)
    assert same(checkpoint.load(tmp_path / "a.safetensors"), STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_tensors_and_numpy_numbers_become_plain(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", {"w": cr.tensor([1.0, 2.0]), "n": np.float64(0.5), "k": np.int64(3)})
    back = checkpoint.load(tmp_path / "a")
    assert back["w"].tolist() == [1.0, 2.0] and type(back["n"]) is float and type(back["k"]) is int


def test_weights_can_be_read_by_any_safetensors_reader(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    checkpoint.save(tmp_path / "a.safetensors", STATE)
    assert np.array_equal(load_file(tmp_path / "a.safetensors")["model.0.weight"], STATE["model"]["0.weight"])


def test_arrays_whose_paths_read_alike_or_whose_bytes_are_turned(tmp_path: Path) -> None:
    state = {"a.b": np.arange(2), "a": {"b": np.arange(3)}, "turned": np.arange(4, dtype=">f4")}
    checkpoint.save(tmp_path / "c", state)
    found = checkpoint.load(tmp_path / "c")
    assert found["a.b"].tolist() == [0, 1] and found["a"]["b"].tolist() == [0, 1, 2]
    assert found["turned"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("array", [np.array(["word"]), np.ones(2, complex), np.array([None])])
def test_arrays_that_no_reader_knows_are_refused_by_name(array: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"outer\.inner is an array of"):
        checkpoint.save(tmp_path / "c", {"outer": {"inner": array}})


def test_what_has_no_plain_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"checkpoint.save: a.0 is a object"):
        checkpoint.save(tmp_path / "a", {"a": [object()]})


def test_every_truncation_and_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, {"w": np.arange(4, dtype=np.float32), "epoch": 3})
    whole = path.read_bytes()
    for damaged in [whole[:length] for length in range(len(whole))] + [
        whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :] for place in range(len(whole))
    ]:
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"^last\.safetensors: "):
            checkpoint.load(path)


def foreign(text: str, checksum: bool = True) -> bytes:
    from safetensors.numpy import save

    arrays = {"w": np.zeros(2)}
    right = checkpoint._checksum(text, arrays) if checksum else "0"
    return save(arrays, {"format": "chainrule checkpoint", "version": "1", "state": text, "checksum": right})


def weights_only() -> bytes:
    from safetensors.numpy import save

    return save({"fc.weight": np.zeros(2)})


HOSTILE = [
    (b"", "damaged"),
    (b"\x80\x04\x95", "damaged"),
    (b"\xff" * 64, "damaged"),
    (b"PK\x03\x04" + b"\0" * 100, "damaged"),
    (weights_only(), "not a checkpoint of chainrule, but other tensors"),
    (foreign('{"a": {"$array": "other"}}'), "KeyError"),
    (foreign('{"a": {"$array": ["w"]}}'), "TypeError"),
    (foreign('{"a": {"$items": 3}}'), "TypeError"),
    (foreign("[1, 2]"), "holds no state"),
    (foreign("["), "damaged"),
    (foreign("[" * 100_000 + "]" * 100_000), "Recursion"),
    (foreign("{}", checksum=False), "checksum"),
]


@pytest.mark.parametrize(("content", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_and_foreign_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(tmp_path / "x.safetensors")
    assert caught.value.headline.startswith("x.safetensors: ")


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    from safetensors.numpy import save

    text = json.dumps({})
    metadata = {"format": "chainrule checkpoint", "version": "2", "state": text, "checksum": ""}
    (tmp_path / "x").write_bytes(save({}, metadata))
    with pytest.raises(CheckpointError, match="version 2 of the checkpoint format"):
        checkpoint.load(tmp_path / "x")


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_missing_file_or_a_folder_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint file"):
        checkpoint.load(tmp_path / name)


def test_archives_of_other_libraries_are_answered_with_how_they_are_read(tmp_path: Path) -> None:
    from chainrule import nn

    net = nn.Linear(3, 2)
    path = tmp_path / "weights.npz"
    np.savez(path, **{name: tensor.data + 1 for name, tensor in net.state_dict().items()})
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    assert "load_state_dict takes what torch.load or np.load gives" in caught.value.hint
    bias = net.bias.data.copy()
    net.load_state_dict(np.load(path))
    np.testing.assert_array_equal(net.bias.data, bias + 1)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_earlier_checkpoint(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, {"epoch": 1})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(
        CheckpointError, match=r"last.safetensors: cannot be written \(No space left on device\)"
    ):
        checkpoint.save(path, {"epoch": 2})
    monkeypatch.undo()
    assert checkpoint.load(path) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]
