"""CIFAR-10: the official pickles, and pickles that try to do more than hold data."""

from __future__ import annotations

import os
import pickle
import pickletools

import numpy as np
import pytest
from tests.data.official_files import official_pickle, write_cifar

from chainrule.data import load
from chainrule.data.cifar import META_FILE, read_pickle
from chainrule.errors import DataError


@pytest.mark.parametrize("place", ["cifar10", "cifar10/cifar-10-batches-py"])
def test_cifar_batches_are_recognised(tmp_path, place):
    write_cifar(tmp_path / place)
    splits = load(tmp_path / "cifar10", validation=0.2)
    assert splits.name == "cifar10" and splits.classes[:2] == ("airplane", "automobile")
    assert [len(part) for part in splits.parts.values()] == [40, 10, 10]
    assert splits.train.x.shape[1:] == (3, 32, 32) and splits.train.x.flags.writeable
    assert load("cifar-10", folder=tmp_path, download=False).name == "cifar10"


@pytest.mark.parametrize("module", [b"core", b"_core"])
def test_both_spellings_of_numpy_are_read(tmp_path, module):
    path = tmp_path / "batch"
    path.write_bytes(official_pickle(2, module=module))
    content = read_pickle(path)
    assert content["labels"] == [7, 7]
    assert content["data"].values.tobytes() == bytes(range(256)) * 24


class _Call:
    def __init__(self, function: object, *arguments: object) -> None:
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


HOSTILE = {
    "system": lambda mark: pickle.dumps({"data": _Call(os.system, f"touch {mark}")}, 2),
    "eval": lambda mark: pickle.dumps(_Call(eval, f"open({str(mark)!r}, 'w')"), 0),
    "nested": lambda mark: pickle.dumps({"labels": [[{"a": (_Call(os.mkdir, str(mark)),)}]]}, 4),
    "hidden in array": lambda mark: pickle.dumps({"data": np.array([_Call(os.mkdir, str(mark))], object)}, 2),
    "nested pickle": lambda mark: pickle.dumps(
        _Call(pickle.loads, pickle.dumps(_Call(os.mkdir, str(mark)))), 4
    ),
    "numpy load": lambda mark: b"\x80\x02cnumpy\nload\nU\x01x\x85R.",
    "dotted name": lambda mark: b"\x80\x04\x8c\x05numpy\x8c\x13ndarray.__subclasses__\x93)R.",
    "builtins of a module": lambda mark: b"\x80\x04\x8c\x05numpy\x8c\x1dcore.multiarray.__builtins__\x93.",
    "instance opcode": lambda mark: b"(S'touch " + str(mark).encode() + b"'\nios\nsystem\n.",
    "extension registry": lambda mark: b"\x80\x02\x82\x01.",
    "persistent id": lambda mark: b"Pabc\n.",
    "state on a global": lambda mark: b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
    "slots on a global": lambda mark: b"\x80\x02cnumpy\ndtype\nN}U\x06__call__K\x01s\x86b.",
    "new on a global": lambda mark: b"\x80\x02cnumpy\nndarray\n)\x81.",
    "call of ndarray": lambda mark: b"\x80\x02cnumpy\nndarray\nK\x05\x85R.",
    "object dtype": lambda mark: b"\x80\x02cnumpy\ndtype\nU\x01OK\x00K\x01\x87R.",
    "dtype of fields": lambda mark: b"\x80\x02cnumpy\ndtype\n](U\x01aU\x01O\x86e\x85R.",
    "array too small": lambda mark: official_pickle(2, data=b"xyz"),
    "huge memo": lambda mark: b"\x80\x02]r\xff\xff\xff\x7f.",
    "empty": lambda mark: b"",
    "cut off": lambda mark: official_pickle(2)[:-20],
    "not a dictionary": lambda mark: pickle.dumps([1, 2], 2),
    "text": lambda mark: b"hello",
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_pickles_run_nothing_and_are_refused(tmp_path, attack):
    mark = tmp_path / "mark"
    path = tmp_path / "data_batch_1"
    path.write_bytes(HOSTILE[attack](mark))
    with pytest.raises(DataError):
        read_pickle(path)
    assert not mark.exists()


@pytest.mark.parametrize("attack", ["system", "eval"])
def test_the_refused_global_is_named(tmp_path, attack):
    path = tmp_path / "data_batch_1"
    path.write_bytes(HOSTILE[attack](tmp_path / "mark"))
    assert any(
        opcode.name in ("GLOBAL", "STACK_GLOBAL") for opcode, *_ in pickletools.genops(path.read_bytes())
    )
    with pytest.raises(DataError, match=r"asks for (posix|nt|__builtin__|builtins)\.(system|eval)"):
        read_pickle(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "data_batch_3").unlink(), "data_batch_3: the file is missing"),
        (
            lambda folder: (folder / "data_batch_2").write_bytes(
                official_pickle(2).replace(b"K\x07K\x07", b"K\x07")
            ),
            "data_batch_2: 2 images but 1 labels",
        ),
        (
            lambda folder: (folder / "test_batch").write_bytes(pickle.dumps({"data": b"", "labels": []})),
            "rows of 3072",
        ),
        (lambda folder: (folder / META_FILE).write_bytes(pickle.dumps({"label_names": 3})), "list of names"),
        (
            lambda folder: (folder / META_FILE).write_bytes(pickle.dumps({"label_names": [b"a", b"b"]})),
            "outside 0..1",
        ),
    ],
)
def test_wrong_cifar_folders_say_what_is_wrong(tmp_path, change, message):
    change(write_cifar(tmp_path / "batches"))
    with pytest.raises(DataError, match=message):
        load(tmp_path / "batches")


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_real_cifar_files(cifar10_folder):
    splits = load(cifar10_folder, validation=0)
    assert splits.test is not None
    assert splits.train.x.shape == (50000, 3, 32, 32) and splits.classes[-1] == "truck"
    assert np.bincount(splits.test.y).tolist() == [1000] * 10
    means = splits.train.x.mean((0, 2, 3)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
