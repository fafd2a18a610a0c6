"""`load`: one name or path in, three splits out.

A known name is a data set or a toy; anything else is a path, and what lies there is recognised by
its content. Each reader's keyword parameters are its options, so an option that a source does not
have is refused by name. How a source is read is the readers' business.
"""

from __future__ import annotations

import inspect
import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from chainrule.data.archive import read_archive
from chainrule.data.cifar import CIFAR_FOLDER, is_cifar_folder, read_cifar_folder
from chainrule.data.dataset import Splits
from chainrule.data.digits import read_digits
from chainrule.data.folders import LAYOUT, read_image_folder
from chainrule.data.idx import is_idx_folder, read_idx_folder
from chainrule.data.official import OFFICIAL, read_official
from chainrule.data.pixels import SUFFIXES
from chainrule.data.splitting import Source, divide
from chainrule.data.table import TABLES, read_table
from chainrule.data.toys import TOYS
from chainrule.errors import ArgumentError, DataError, nearest

Reader = Callable[..., Source]


def load(
    name_or_path: str | Path, *, validation: float = 0.1, test: float = 0.2, seed: int = 0, **options: Any
) -> Splits:
    """Return the train, validation and test splits of a data set.

    A name: `digits`, `mnist`, `fashion-mnist`, `cifar10`, or a toy (`spiral`, `circles`, `moons`,
    `xor`, `blobs`). A path: a folder of images, of idx files or of CIFAR-10 batches, a `.csv` or
    a `.npz` file; a path that looks like a name is written `./mnist`.

    A split that the source has is used as it is. Otherwise `test` and then `validation` are drawn
    from train, each class giving its share: `test` is a fraction of all samples, `validation` one
    of those left; 0 draws none. The draw depends on `seed` alone.

    Options, by source: mnist, fashion-mnist, cifar10: `folder`, `download`; toys: `samples`,
    `noise`, `classes` (spiral, blobs), `inner` (circles); image folders: `size`, `channels`,
    `bad_images`; csv: `label`, `task`, `header`; npz: `task`.

    Raises DataError for what cannot be found or read, ArgumentError for wrong options.

    >>> load("spiral", samples=200, classes=2).train
    Dataset(144 samples of (2,) float32, 2 classes: 0, 1)
    """
    reader, what = _reader(name_or_path, seed)
    known = _options(reader)
    for option in options:
        if option not in known:
            takes = f"its options: {', '.join(known)}" if known else "it has none"
            close = nearest(option, known) if known else ""
            raise ArgumentError(f"load: {what} has no option {option!r}", got=takes, hint=close)
    try:
        source = reader(**options)
    except OSError as error:
        raise DataError(
            f"{what}: {error.strerror or error}", got=str(error.filename or name_or_path)
        ) from error
    return divide(source, validation, test, seed)


def names() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return ("digits", *OFFICIAL, *TOYS)


def _reader(name_or_path: str | Path, seed: int) -> tuple[Reader, str]:
    """Return the function that reads the source, and what to call the source in messages."""
    if not isinstance(name_or_path, str | Path):
        raise ArgumentError(f"load: needs a name or a path, got {type(name_or_path).__name__}")
    if isinstance(name_or_path, str) and (name := _known(name_or_path)):
        if name in TOYS:
            return partial(_read_toy, name, seed), name
        return (read_digits, name) if name == "digits" else (partial(read_official, name), name)
    if not str(name_or_path):
        raise ArgumentError("load: the name is empty", hint=f"names: {', '.join(names())}")
    # The name of a folder is wanted, which "." and ".." do not have.
    path = Path(os.path.abspath(Path(name_or_path).expanduser()))
    try:
        if path.is_dir():
            return partial(_folder_reader(path), path), str(path)
        if path.is_file():
            return partial(_file_reader(path), path), str(path)
    except OSError as error:
        raise DataError(f"load: {error.strerror or error}", got=str(path)[:200]) from error
    raise _missing(str(name_or_path), path)


def _known(name: str) -> str:
    """Return the name as we write it, for `CIFAR-10` as for `cifar10`, or ''."""
    return {_plain(each): each for each in names()}.get(_plain(name), "")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _options(reader: Reader) -> tuple[str, ...]:
    if isinstance(reader, partial) and reader.func is _read_toy:
        return tuple(name for name in inspect.signature(TOYS[reader.args[0]]).parameters if name != "seed")
    parameters = inspect.signature(reader).parameters.values()
    return tuple(each.name for each in parameters if each.kind is each.KEYWORD_ONLY)


def _read_toy(name: str, seed: int, **options: Any) -> Source:
    return Source(name, TOYS[name](seed=seed, **options))


def _folder_reader(path: Path) -> Reader:
    if is_idx_folder(path):
        return read_idx_folder
    for place in (path, path / CIFAR_FOLDER):
        if is_cifar_folder(place):
            return lambda _: read_cifar_folder(place)
    return read_image_folder


def _file_reader(path: Path) -> Reader:
    suffix = path.suffix.lower()
    if suffix == ".npz" or zipfile.is_zipfile(path):
        return read_archive
    if suffix in TABLES:
        return read_table
    hint = "files are read as .csv or .npz; idx files, CIFAR-10 batches and images by their folder"
    if suffix in SUFFIXES:
        hint = f"give the folder of the images: {LAYOUT}"
    raise DataError(f"load: {path.name} is a file of no known kind", got=str(path), hint=hint)


def _missing(text: str, path: Path) -> DataError:
    try:
        listed = path.parent.iterdir() if path.parent.is_dir() else ()
        beside = [each.name for each in listed if not each.name.startswith(".")]
    except OSError:
        beside = []
    if path.name != text or path.suffix:
        found = nearest(path.name, beside) if path.parent.is_dir() else f"there is no folder {path.parent}"
        return DataError(f"load: nothing lies at the path {text!r}", hint=found)
    hint = nearest(text, [*names(), *beside])
    return DataError(
        f"load: no data set and no path is called {text!r}",
        got=f"names: {', '.join(names())}",
        hint=hint if hint.startswith("did") else "or the path of a folder of images, a .csv or an .npz",
    )
