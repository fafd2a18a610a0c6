"""The data sets known by name: where their files lie, and where they come from.

`mnist`, `fashion-mnist` and `cifar10` are looked for in a folder that the user names, else in
that of the environment variable CHAINRULE_DATA, else in ~/.cache/chainrule: in its subfolder of
that name, then in itself. What is missing is downloaded into the subfolder.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from chainrule.data.cifar import (
    CIFAR_FOLDER,
    META_FILE,
    TEST_FILE,
    TRAIN_FILES,
    find_cifar_folder,
    read_cifar_folder,
)
from chainrule.data.fetch import Remote, fetch, has_checksum
from chainrule.data.idx import IDX_FILES, find_idx_folder, official_name, read_idx_folder
from chainrule.data.splitting import Source
from chainrule.errors import ArgumentError, DataError
from chainrule.files import replace_with


@dataclass(frozen=True)
class _Official:
    """A named data set: its files on the net, how to find them in a folder and how to read them."""

    name: str
    remotes: tuple[Remote, ...]
    find: Callable[[Path], Path | None]
    read: Callable[[Path], Source]
    layout: str


def _gzipped(mirrors: tuple[str, ...], checksums: tuple[str, ...]) -> tuple[Remote, ...]:
    return tuple(
        Remote(f"{name}.gz", f"sha256:{checksum}", [f"{mirror}{name}.gz" for mirror in mirrors])
        for name, checksum in zip(IDX_FILES, checksums, strict=True)
    )


_FOUR_FILES = "the four files " + ", ".join(f"{name}.gz" for name in IDX_FILES)

MNIST = _Official(
    "mnist",
    _gzipped(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    find_idx_folder,
    read_idx_folder,
    _FOUR_FILES,
)
FASHION_MNIST = _Official(
    "fashion-mnist",
    _gzipped(
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    find_idx_folder,
    read_idx_folder,
    _FOUR_FILES,
)
CIFAR10 = _Official(
    "cifar10",
    (
        Remote(
            "cifar-10-python.tar.gz",
            "md5:c58f30108f718f92721af3b95e74349a",
            ["https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"],
        ),
    ),
    find_cifar_folder,
    read_cifar_folder,
    f"the files of cifar-10-python.tar.gz ({', '.join((*TRAIN_FILES, TEST_FILE))})",
)
OFFICIAL = {each.name: each for each in (MNIST, FASHION_MNIST, CIFAR10)}


def read_official(name: str, *, folder: str | Path | None = None, download: bool = True) -> Source:
    """Return the data set `name`, read from its folder and downloaded where it is missing.

    With `download=False` the network is never used. Raises DataError that says which files to
    put where.
    """
    official, base = OFFICIAL[name], _base(folder)
    target = base / name
    source = _read(official, target) or _read(official, base)
    if source is None and not download:
        raise DataError(f"{name}: its files are not in {target}", hint=f"put {official.layout} there")
    if source is None:
        _download(official, target)
        source = _read(official, target)
    if source is None:
        raise DataError(
            f"{name}: {target} holds the files of another data set", hint=f"put {official.layout} there"
        )
    return replace(source, name=name)


def _base(folder: str | Path | None) -> Path:
    chosen = folder or os.environ.get("CHAINRULE_DATA") or Path.home() / ".cache" / "chainrule"
    base = Path(chosen).expanduser()
    if base.exists() and not base.is_dir():
        raise ArgumentError(f"load: the folder {str(base)!r} is a file")
    return base


def _read(official: _Official, place: Path) -> Source | None:
    """Return the data set in `place`, or None if its files are not there or those of another."""
    archive = place / official.remotes[0].name
    found = official.find(place)
    if found is None and archive.name.endswith(".tar.gz") and archive.is_file():
        _unpack(archive, official.remotes[0].checksum)
        found = official.find(place)
    if found is None:
        return None
    source = official.read(found)
    known = official_name(source.test.y) if source.test else ""
    return source if known in ("", official.name) else None


def _download(official: _Official, target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        for remote in official.remotes:
            if not (target / remote.name).is_file() and not (target / remote.name).with_suffix("").is_file():
                fetch(remote, target)
        if official is CIFAR10:
            archive = target / official.remotes[0].name
            _unpack(archive, official.remotes[0].checksum)
            archive.unlink()
    except DataError as error:
        hint = f"without a network, put {official.layout} into {target}"
        raise DataError(
            f"{official.name}: not found, and {error.headline}", got=error.got, hint=hint
        ) from error


def _unpack(archive: Path, checksum: str) -> None:
    """Write the batches of the CIFAR-10 archive beside it; nothing else in it is looked at."""
    if not has_checksum(archive, checksum):
        raise DataError(f"{archive.name}: not the official file: its checksum differs", got=str(archive))
    folder = archive.parent / CIFAR_FOLDER
    folder.mkdir(exist_ok=True)
    with tarfile.open(archive) as packed:
        for name in (*TRAIN_FILES, TEST_FILE, META_FILE):
            member = packed.extractfile(f"{CIFAR_FOLDER}/{name}")
            if member is None:
                raise DataError(f"{archive.name}: {name} in it is no file", got=str(archive))
            with member:
                replace_with(
                    folder / name,
                    lambda file, member=member: shutil.copyfileobj(member, file),
                )
