"""Downloads, against a server on this machine that also cheats."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import pickle
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.data.official_files import write_cifar, write_idx

from chainrule.data import load
from chainrule.data.cifar import META_FILE
from chainrule.data.fetch import Remote, fetch
from chainrule.data.idx import IDX_FILES
from chainrule.data.official import OFFICIAL
from chainrule.errors import DataError


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
        ("cut", "broke off after 4 of 104"),
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
    with pytest.raises(DataError, match=r"a\.gz: could not be downloaded"):
        fetch(Remote("a.gz", "md5:0", ["http://127.0.0.1:9/a.gz"]), tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path, mirror):
    base, files = mirror
    files["a.gz"] = b"data"
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        fetch(_remote(base, b"data", "right"), tmp_path / "file" / "data")


def _serve(monkeypatch, name: str, base: str, files: dict[str, bytes], algorithm: str) -> None:
    remotes = tuple(
        Remote(file, f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}", [f"{base}/right/{file}"])
        for file, data in files.items()
    )
    official = OFFICIAL[name]
    monkeypatch.setitem(OFFICIAL, name, replace(official, remotes=remotes))


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
        DataError, match=r"mnist: not found, and t10k-images.* could not be downloaded"
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
    assert splits.classes[3] == "c3" and len(splits.train) == 45
    assert not list(tmp_path.glob("**/outside.py"))


def test_a_changed_cifar_archive_is_refused(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"not it")
    with pytest.raises(DataError, match="its checksum differs"):
        load("cifar10", folder=tmp_path)
