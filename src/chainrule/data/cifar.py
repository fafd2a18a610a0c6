"""The official CIFAR-10 files, which are pickles, read without giving them any power.

The unpickler knows the three global names that these files use and maps each to a small class of
its own; no code of NumPy or of anyone else runs on what the file says. Every other name is a
DataError that says which. Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny
Images", 2009.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.data.dataset import Dataset
from chainrule.data.splitting import Source
from chainrule.errors import ChainruleError, DataError

CIFAR_FOLDER = "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_FILE, META_FILE = "test_batch", "batches.meta"
_BATCHES = (*TRAIN_FILES, TEST_FILE)
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_LARGEST = 2**27
_VALUES = 3 * 32 * 32


def is_cifar_folder(folder: Path) -> bool:
    """Say whether `folder` holds at least one batch of CIFAR-10."""
    return any((folder / name).is_file() for name in _BATCHES)


def find_cifar_folder(folder: Path) -> Path | None:
    """Return `folder`, or its subfolder of the official name, if it holds all the batches."""
    places = (folder, folder / CIFAR_FOLDER)
    return next((each for each in places if all((each / name).is_file() for name in _BATCHES)), None)


def read_cifar_folder(folder: Path) -> Source:
    """Return train and test of the batches in `folder`: uint8 (n, 3, 32, 32)."""
    classes = _classes(folder)
    x, y = zip(*(_batch(folder / name) for name in TRAIN_FILES), strict=True)
    name = folder.parent.name if folder.name == CIFAR_FOLDER else folder.name
    train = Dataset(np.concatenate(x), np.concatenate(y), classes)
    return Source(name, train, test=Dataset(*_batch(folder / TEST_FILE), classes))


def read_pickle(path: Path) -> dict[str, Any]:
    """Return the dictionary in a CIFAR-10 file; raises DataError for anything that is not one."""
    if not path.is_file():
        raise DataError(
            f"{path.name}: the file is missing",
            got=f"in {path.parent}",
            hint=f"the folder must hold {', '.join(_BATCHES)}",
        )
    if path.stat().st_size > _LARGEST:
        raise DataError(f"{path.name}: too large for a CIFAR-10 file", got=f"{path.stat().st_size} bytes")
    try:
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="bytes").load()
    except (ChainruleError, PermissionError):
        raise
    except Exception as error:  # a damaged pickle may fail in any way at all
        raise DataError(f"{path.name}: a damaged or foreign file ({error})", got=str(path)) from error
    if not isinstance(content, dict):
        raise DataError(f"{path.name}: holds no dictionary but {type(content).__name__}", got=str(path))
    return {_text(key): value for key, value in content.items()}


class _Pixels:
    """Stands for an array while it is read; takes unsigned bytes and nothing else."""

    __slots__ = ("values",)

    def __init__(self, *_: object) -> None:
        self.values: Array | None = None

    def __setstate__(self, state: object) -> None:
        match state:
            case (1 | 0, (int() as rows, int() as columns), _ByteType(), fortran, bytes() as raw) if (
                not fortran
            ):
                # A copy through bytearray, because arrays over bytes cannot be written to.
                self.values = np.frombuffer(bytearray(raw), np.uint8).reshape(rows, columns)
            case _:
                raise DataError("CIFAR-10: an array that is not rows of unsigned bytes")


class _ByteType:
    """Stands for the type of an array, of which one is allowed."""

    __slots__ = ()

    def __init__(self, name: object = None, *_: object) -> None:
        if name not in (b"u1", "u1", b"|u1", "|u1"):
            raise DataError(f"CIFAR-10: an array of the type {name!r} where bytes are expected")

    def __setstate__(self, state: object) -> None:
        """Take the byte order and field names, which mean nothing for single bytes."""


class _Global:
    """A name that a file may use: it can be called, and has nothing that could be changed."""

    __slots__ = ("__call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self.__call = call

    def __call__(self, *arguments: object) -> object:
        return self.__call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise DataError("CIFAR-10: a file that tries to change a function")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        match module_name, global_name:
            case (("numpy.core.multiarray" | "numpy._core.multiarray"), "_reconstruct"):
                return _Global(_Pixels)
            case "numpy", "ndarray":
                return _Global(_refuse)
            case "numpy", "dtype":
                return _Global(_ByteType)
            case _:
                pass
        raise DataError(
            f"CIFAR-10: a file asks for {module_name}.{global_name}, which is not allowed: nothing was run",
            hint="official files never do; get them again from https://www.cs.toronto.edu/~kriz/cifar.html",
        )


def _refuse(*_: object) -> object:
    raise DataError("CIFAR-10: a file that makes an array in an unknown way")


def _batch(path: Path) -> tuple[Array, Array]:
    content = read_pickle(path)
    data, labels = content.get("data"), content.get("labels")
    values = data.values if isinstance(data, _Pixels) else None
    if values is None or values.shape[1] != _VALUES or not len(values):
        got = None if values is None else values.shape
        raise DataError(
            f"{path.name}: 'data' must be rows of {_VALUES} unsigned bytes, got {got}", got=str(path)
        )
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise DataError(f"{path.name}: 'labels' must be a list of small integers", got=str(path))
    if len(labels) != len(values):
        raise DataError(f"{path.name}: {len(values)} images but {len(labels)} labels", got=str(path))
    return values.reshape(-1, 3, 32, 32), np.array(labels, np.int64)


def _classes(folder: Path) -> tuple[str, ...]:
    if not (folder / META_FILE).is_file():
        return CIFAR_CLASSES
    names = read_pickle(folder / META_FILE).get("label_names")
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise DataError(f"{META_FILE}: 'label_names' must be a list of names", got=str(folder))
    return tuple(_text(name) for name in names)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
