"""Official files: idx, CIFAR-10 pickles (also hostile ones) and downloads, on made and real data."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import pickle
import pickletools
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.stream import Stream
from chainrule.data import load
from chainrule.data import official as official_module
from chainrule.data.cifar import META_FILE, TEST_FILE, TRAIN_FILES, read_pickle
from chainrule.data.fetch import Remote, fetch
from chainrule.data.idx import IDX_FILES, read_idx
from chainrule.errors import ArgumentError, DataError


def idx_bytes(array: np.ndarray) -> bytes:
    return (
        struct.pack(f">I{array.ndim}I", 0x800 | array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


def write_idx(folder: Path, packed: bool = True, count: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in IDX_FILES:
        n = count if "train" in name else 10
        values = np.arange(n) % 4 if "labels" in name else Stream(1).integers(0, 256, (n, 5, 6))
        data = idx_bytes(values)
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)
    return folder


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
)
def test_damaged_idx_files_are_named_with_the_problem(tmp_path, data, problem):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"^train-images-idx3-ubyte: .*{problem}"):
        read_idx(path, axes=2)


def test_a_missing_idx_file_is_named(tmp_path):
    folder = write_idx(tmp_path / "mnist")
    (folder / f"{IDX_FILES[1]}.gz").unlink()
    with pytest.raises(DataError, match="train-labels-idx1-ubyte.gz is missing"):
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


def cifar_pickle(x: np.ndarray, y: list[int], path: Path, **more: object) -> None:
    path.write_bytes(pickle.dumps({"data": x, "labels": y, **more}, protocol=2))


def official_pickle(
    rows: int = 1, data: bytes | None = None, kind: bytes = b"u1", module: bytes = b"core"
) -> bytes:
    """A batch with the opcodes of the official files, which Python 2 wrote."""
    data = bytes(range(256)) * 12 * rows if data is None else data
    return (
        b"\x80\x02}(U\x06labels](" + b"K\x07" * rows + b"eU\x04data"
        b"cnumpy." + module + b".multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K"
        + bytes([rows])
        + b"M\x00\x0c\x86cnumpy\ndtype\nU"
        + bytes([len(kind)])
        + kind
        + b"K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", len(data))
        + data
        + b"tbu."
    )


def write_cifar(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*TRAIN_FILES, TEST_FILE):
        batch = official_pickle(10).replace(
            b"K\x07" * 10, bytes(b"".join(b"K" + bytes([k]) for k in range(10)))
        )
        (folder / name).write_bytes(batch)
    return folder


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


def _opcodes(*names: str) -> bytes:
    return b"\x80\x02" + b"".join(name.encode() if isinstance(name, str) else name for name in names) + b"."


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


@pytest.mark.parametrize(("attack", "name"), [("system", "posix.system"), ("eval", "__builtin__.eval")])
def test_the_refused_global_is_named(tmp_path, attack, name):
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


class _Mirror(http.server.BaseHTTPRequestHandler):
    """Serves bytes by path; `/cut/...` announces more than it sends."""

    files: dict[str, bytes]

    def do_GET(self) -> None:
        *_, kind, name = self.path.split("/")
        if name not in self.files:
            self.send_error(404)
            return
        body = b"other" if kind == "wrong" else self.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (100 if kind == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    files: dict[str, bytes] = {}
    handler = type("Handler", (_Mirror,), {"files": files})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", files
        server.shutdown()
        thread.join()


def _remote(base: str, data: bytes, *kinds: str) -> Remote:
    return Remote(
        "a.gz", f"sha256:{hashlib.sha256(data).hexdigest()}", [f"{base}/{kind}/a.gz" for kind in kinds]
    )


def test_the_first_mirror_with_the_right_file_serves(tmp_path, mirror):
    base, files = mirror
    files["a.gz"] = b"data" * 1000
    remote = _remote(base, files["a.gz"], "wrong", "cut", "right")
    missing = Remote("a.gz", remote.checksum, [f"{base}/no/b.gz", *remote.urls])
    assert fetch(missing, tmp_path / "new").read_bytes() == files["a.gz"]
    assert os.listdir(tmp_path / "new") == ["a.gz"]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("wrong", "wrong sha256 checksum"),
        ("cut", "broke off after 4 of 104|IncompleteRead"),
        ("none", "Not Found"),
    ],
)
def test_a_failed_download_leaves_nothing_and_says_why(tmp_path, mirror, kind, problem):
    base, files = mirror
    remote = _remote(base, b"data", kind)
    if kind != "none":
        files["a.gz"] = b"data"
    with pytest.raises(DataError, match=problem):
        fetch(remote, tmp_path)
    assert os.listdir(tmp_path) == []


def test_no_server_at_all_is_told(tmp_path):
    with pytest.raises(DataError, match="a.gz: could not be downloaded"):
        fetch(Remote("a.gz", "md5:0", ["http://127.0.0.1:9/a.gz"]), tmp_path)


def _serve(monkeypatch, name: str, base: str, files: dict[str, bytes], algorithm: str) -> None:
    remotes = tuple(
        Remote(file, f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}", [f"{base}/right/{file}"])
        for file, data in files.items()
    )
    official = official_module.OFFICIAL[name]
    for key, value in (("remotes", remotes),):
        monkeypatch.setitem(official_module.OFFICIAL, name, official_module.replace(official, **{key: value}))


def test_missing_files_of_a_named_set_are_downloaded(tmp_path, mirror, monkeypatch):
    base, files = mirror
    source = write_idx(tmp_path / "source")
    files.update({path.name: path.read_bytes() for path in source.iterdir()})
    _serve(monkeypatch, "mnist", base, files, "sha256")
    target = tmp_path / "data"
    assert len(load("mnist", folder=target, validation=0).train) == 40
    (target / "mnist" / f"{IDX_FILES[0]}.gz").unlink()
    assert len(load("mnist", folder=target, validation=0).train) == 40
    files.clear()
    (target / "mnist" / f"{IDX_FILES[2]}.gz").unlink()
    with pytest.raises(
        DataError, match="mnist: not found, and t10k-images.* could not be downloaded"
    ) as caught:
        load("mnist", folder=target)
    assert "put the four files" in caught.value.hint and "Not Found" in caught.value.got


def cifar_archive(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(write_cifar(folder), "cifar-10-batches-py")
        (folder / META_FILE).write_bytes(pickle.dumps({"label_names": [f"c{k}" for k in range(10)]}, 2))
        archive.add(folder / META_FILE, f"cifar-10-batches-py/{META_FILE}")
        archive.add(__file__, "../outside.py")
    return packed.getvalue()


@pytest.mark.parametrize("by_hand", [True, False])
def test_the_cifar_archive_is_unpacked_and_nothing_else_of_it(tmp_path, mirror, monkeypatch, by_hand):
    base, files = mirror
    files["cifar-10-python.tar.gz"] = cifar_archive(tmp_path / "source")
    _serve(monkeypatch, "cifar10", base, files, "md5")
    folder = tmp_path / "data"
    if by_hand:
        folder.mkdir()
        (folder / "cifar-10-python.tar.gz").write_bytes(files.pop("cifar-10-python.tar.gz"))
    splits = load("cifar10", folder=folder)
    assert (splits.classes[3] == "c3" and len(splits.train) == 45) or len(splits.train) == 40
    assert not list(tmp_path.glob("**/outside.py"))


def test_a_changed_cifar_archive_is_refused(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"not it")
    with pytest.raises(DataError, match="its checksum differs"):
        load("cifar10", folder=tmp_path)


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


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_real_cifar_files(cifar10_folder):
    splits = load(cifar10_folder, validation=0)
    assert splits.test is not None
    assert splits.train.x.shape == (50000, 3, 32, 32) and splits.classes[-1] == "truck"
    assert np.bincount(splits.test.y).tolist() == [1000] * 10
    means = splits.train.x.mean((0, 2, 3)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
