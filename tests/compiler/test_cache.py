"""The cache of compiled programs: what it gives back, and everything that can go wrong with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.compiler.guarded import guarded, targets
from tests.compiler.small_kernels import Scale

from chainrule.compiler.cpu import cache as caching
from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.cache import Cache, cache
from chainrule.compiler.cpu.native import Native
from chainrule.compiler.cpu.pieces import digest
from chainrule.compiler.cpu.schedule import Call, Place
from chainrule.compiler.cpu.target import Target, target

NAME, DATA = "a" * 64, bytes(range(256))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "where"


def test_what_was_put_is_got_and_nothing_else(folder: Path) -> None:
    kept = Cache(folder)
    assert kept.get(NAME) is None
    kept.put(NAME, DATA)
    kept.put("b" * 64, b"")
    assert Cache(folder).get(NAME) == DATA
    assert Cache(folder).get("b" * 64) == b""
    kept.put(NAME, b"new")
    assert kept.get(NAME) == b"new"
    assert sorted(os.listdir(folder)) == [NAME, "b" * 64]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rename", "folder"])
def test_damaged_files_are_as_if_they_were_not_there(folder: Path, damage: str) -> None:
    kept = Cache(folder)
    kept.put(NAME, DATA)
    path, asked = folder / NAME, NAME
    content = path.read_bytes()
    if damage == "rename":
        path.rename(folder / (asked := "b" * 64))
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"flip": content[:-1] + b"\0", "cut": content[:-7], "empty": b""}[damage])
    assert kept.get(asked) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners here")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_not_trusted(folder: Path, mode: int) -> None:
    Cache(folder).put(NAME, DATA)
    folder.chmod(mode)
    kept = Cache(folder)
    with pytest.warns(RuntimeWarning, match="others may write"):
        assert kept.get(NAME) is None
    kept.put(NAME, b"new")  # warns no second time
    folder.chmod(0o700)
    assert kept.get(NAME) == DATA


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners here")
def test_what_belongs_to_others_is_not_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Cache(folder)
    kept.put(NAME, DATA)
    (folder / NAME).chmod(0o620)
    assert kept.get(NAME) is None
    (folder / NAME).chmod(0o600)
    assert kept.get(NAME) == DATA
    monkeypatch.setattr(os, "getuid", lambda: os.stat(folder).st_uid + 1)
    with pytest.warns(RuntimeWarning, match="others may write"):
        assert kept.get(NAME) is None


def test_a_folder_that_cannot_be_written_warns_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Cache(tmp_path / "file" / "folder")
    with pytest.warns(RuntimeWarning, match="CHAINRULE_CACHE") as warned:
        kept.put(NAME, DATA)
        kept.put(NAME, DATA)
    assert len(warned) == 1
    assert kept.get(NAME) is None


def test_a_full_disk_leaves_no_rubbish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    kept = Cache(folder)
    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        kept.put(NAME, DATA)
    assert os.listdir(folder) == []


def test_a_deleted_folder_is_made_again(folder: Path) -> None:
    kept = Cache(folder)
    kept.put(NAME, DATA)
    shutil.rmtree(folder)
    assert kept.get(NAME) is None
    kept.put(NAME, DATA)
    assert kept.get(NAME) == DATA


def test_the_files_longest_not_used_go(folder: Path) -> None:
    kept = Cache(folder, limit=10_000)
    names = [f"{number:064}" for number in range(14)]
    for age, name in enumerate(names[:10]):
        kept.put(name, bytes(800))
        os.utime(folder / name, (10**9 + age, 10**9 + age))
    (folder / ".broken").write_bytes(b"")
    os.utime(folder / ".broken", (10**9, 10**9))
    assert kept.get(names[0]) is not None  # used now, so no longer the oldest
    for name in names[10:]:
        kept.put(name, bytes(800))
    left = set(os.listdir(folder))
    assert sum(os.stat(folder / each).st_size for each in left) <= 10_000
    assert {names[0], names[13]} <= left
    assert names[1] not in left
    assert ".broken" not in left


def test_processes_share_a_folder(folder: Path) -> None:
    script = (
        "import sys; from chainrule.compiler.cpu.cache import Cache; c = Cache(sys.argv[1], 5_000)\n"
        "for i in range(300):\n"
        "    k = str(i % 7); c.put(k, k.encode() * 999)\n"
        "    assert c.get(k) in (None, k.encode() * 999)"
    )
    running = [subprocess.Popen([sys.executable, "-W", "error", "-c", script, str(folder)]) for _ in range(2)]
    assert [each.wait(60) for each in running] == [0, 0]


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    assert cache() is None
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    found = cache()
    assert found is not None
    assert found is cache()
    assert found.folder == tmp_path
    monkeypatch.delenv("CHAINRULE_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Path(caching._usual()) == tmp_path / "xdg" / "chainrule"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Path(caching._usual()) == tmp_path / ".cache" / "chainrule"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert Path(caching._usual()) == tmp_path / "Library" / "Caches" / "chainrule"


written: list[str] = []


@dataclass(frozen=True)
class Watched(Scale):
    """A kernel that tells when its code is written."""

    def emit(self, function: ir.Function, target: Target) -> None:
        written.append(repr(self))
        super().emit(function, target)


def double_plus_one(by: float = 2.0) -> float:
    x = guarded(np.ones(1, np.float32))
    native = Native([Call(Watched(1, by), (Place(0), Place(0)), (1,))], target())
    assert "define" in native.ir
    assert "ret" in native.assembly()
    native.run([x.ctypes.data])
    return float(x[0])


def test_code_in_the_cache_is_not_written_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", str(folder))
    written.clear()
    assert [double_plus_one(), double_plus_one()] == [3.0, 3.0]
    assert len(written) == 1
    assert len(os.listdir(folder)) == 2  # the kernel, and the sequence
    assert double_plus_one(3.0) == 4.0
    assert len(written) == 2
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    assert double_plus_one() == 3.0
    assert len(written) == 3
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    assert double_plus_one() == 3.0
    assert len(written) == 4


def test_programs_of_one_process_share_code_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    call = Call(Watched(1, 5.0), (Place(0), Place(0)), (1,))
    written.clear()
    once, twice = Native([call], target()), Native([call, call], target())
    assert len(written) == 1
    assert once.library.pieces[0] is twice.library.pieces[0]


def test_code_is_kept_apart_by_all_that_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    distinct = set(targets().values()) | {target()}
    keys = {digest("key", each) for each in distinct} | {digest("other", target())}
    assert len(keys) == len(distinct) + 1
    monkeypatch.setattr("chainrule.compiler.cpu.pieces._fingerprint", lambda: "another version")
    assert digest("key", target()) not in keys
