"""Files of the MNIST family: four idx files, packed by gzip or plain.

An idx file is a magic number (type and number of axes), the axes' lengths, then the bytes.
MNIST and Fashion-MNIST use the same file names, so a set is known by its test labels.
Source: the format's description on the MNIST page of LeCun, Cortes and Burges.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from chainrule.core.spec import Array
from chainrule.data.dataset import Dataset
from chainrule.data.splitting import Source
from chainrule.errors import DataError

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# SHA-256 of the 10,000 test labels, one byte each.
_KNOWN = {
    "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5": "mnist",
    "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9": "fashion-mnist",
}
_LARGEST = 2**33
_UNSIGNED_BYTES = 0x08


def is_idx_folder(folder: Path) -> bool:
    """Say whether `folder` holds at least one of the four files."""
    return any(_find(folder, name) for name in IDX_FILES)


def find_idx_folder(folder: Path) -> Path | None:
    """Return `folder` if it holds all four files."""
    return folder if all(_find(folder, name) for name in IDX_FILES) else None


def read_idx_folder(folder: Path) -> Source:
    """Return train and test of the four files in `folder`: uint8 (n, 1, height, width)."""
    arrays = []
    for name in IDX_FILES:
        path = _find(folder, name)
        if path is None:
            raise DataError(
                f"{folder.name}: the file {name}.gz is missing",
                got=f"in {folder}",
                hint=f"the folder must hold the four files {', '.join(f'{each}.gz' for each in IDX_FILES)}",
            )
        arrays.append(read_idx(path, axes=3 if "images" in name else 1))
    images, labels, test_images, test_labels = arrays
    classes = _classes(max(labels.max(), test_labels.max()), official_name(test_labels))
    return Source(
        folder.name,
        Dataset(images[:, None], labels, classes),
        test=Dataset(test_images[:, None], test_labels, classes),
    )


def official_name(test_labels: Array) -> str:
    """Return the name of the data set that has these test labels, or '' if it is none known."""
    return _KNOWN.get(hashlib.sha256(test_labels.astype(np.uint8).tobytes()).hexdigest(), "")


def read_idx(path: Path, axes: int) -> Array:
    """Return the uint8 array of `axes` axes in an idx file, unpacked if it is gzip.

    Raises DataError that names the file for a wrong magic number, a wrong size and damage.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            return _read(file, path, axes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name}: the file is cut off or damaged ({error})", got=str(path)) from error


def _read(file: BinaryIO | gzip.GzipFile, path: Path, axes: int) -> Array:
    header = file.read(4 + 4 * axes)
    magic = _UNSIGNED_BYTES << 8 | axes
    found = int.from_bytes(header[:4], "big")
    if len(header) < 4 or found != magic:
        raise DataError(
            f"{path.name}: not an idx file of {axes} axes: its magic number is {found}, not {magic}",
            got=str(path),
        )
    if len(header) < 4 + 4 * axes:
        raise DataError(f"{path.name}: the file ends in its header", got=str(path))
    shape = struct.unpack(f">{axes}I", header[4:])
    count = int(np.prod([int(length) for length in shape], dtype=object))
    if not 0 < count <= _LARGEST:
        raise DataError(f"{path.name}: the header claims an array of {shape}", got=str(path))
    data = np.empty(count, np.uint8)
    filled = _fill(file, data)
    if filled < count or file.read(1):
        problem = f"only {filled} follow" if filled < count else "more follow"
        raise DataError(f"{path.name}: the header {shape} needs {count} bytes, but {problem}", got=str(path))
    return data.reshape(shape)


def _fill(file: BinaryIO | gzip.GzipFile, data: Array) -> int:
    view, filled = memoryview(data.data), 0
    while filled < len(view):
        count = file.readinto(view[filled : filled + 2**24])  # pyright: ignore[reportAttributeAccessIssue]
        if not count:
            break
        filled += count
    return filled


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _classes(highest: int, official: str) -> tuple[str, ...]:
    if official == "fashion-mnist":
        return FASHION
    return tuple(str(label) for label in range(int(highest) + 1))
