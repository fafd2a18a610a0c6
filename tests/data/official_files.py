"""Small files in the layouts of MNIST and CIFAR-10, for tests that need no real data."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from chainrule.core.stream import Stream
from chainrule.data.cifar import TEST_FILE, TRAIN_FILES
from chainrule.data.idx import IDX_FILES


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
