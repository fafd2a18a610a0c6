"""Samples for prediction, from files: one picture, the rows of a table, `x` of an archive.

What comes out has the shape and the colours of the training samples. Labels are not expected: these
are samples that nobody has named yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from chainrule.core.spec import Array, Shape
from chainrule.data import read_image
from chainrule.data.folders import pictures_below
from chainrule.data.table import TABLES, read_rows
from chainrule.errors import DataError


def read_samples(path: Path, sample_shape: Shape, images: bool) -> Array:
    """Return the samples in the file at `path` as (n, *sample_shape).

    Raises DataError that names the file where it cannot be read or does not fit.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        x = _archived(path)
    elif suffix in TABLES:
        x = _rows(path, sample_shape)
    elif images:
        x = _picture(path, sample_shape)
    else:
        raise DataError(
            f"{path.name}: the model takes tables, .csv or .npz, not {suffix or 'this'}", got=str(path)
        )
    if x.shape[1:] == sample_shape[1:] and sample_shape[0] == 1:
        x = x[:, None]
    if x.dtype.kind not in "iubf" or not np.isfinite(x).all():
        raise DataError(f"{path.name}: holds values that are no finite numbers")
    if x.shape[1:] != sample_shape:
        raise DataError(f"{path.name}: the model takes samples {sample_shape}, these are {x.shape[1:]}")
    return x


def expand(paths: Iterable[Path]) -> list[Path]:
    """Return the files meant by `paths`: a folder stands for the pictures in it and below, sorted.

    Raises DataError for a path where nothing lies, and for a folder without pictures.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = pictures_below(path)
            if not found:
                raise DataError(f"{path}: the folder holds no images")
            files += found
        elif path.exists():
            files.append(path)
        else:
            raise DataError(f"{path}: there is no such file")
    return files


def _picture(path: Path, sample_shape: Shape) -> Array:
    channels, height, width = sample_shape
    return read_image(path, size=(height, width), channels="grey" if channels == 1 else "rgb")[None]


def _archived(path: Path) -> Array:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive["x"])
    except KeyError:
        raise DataError(f"{path.name}: the archive has no 'x'") from None
    except Exception as error:  # a damaged archive fails in many ways
        raise DataError(f"{path.name}: not a readable archive ({error})", got=str(path)) from error


def _rows(path: Path, sample_shape: Shape) -> Array:
    try:
        found = read_rows(path)
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror})", got=str(path)) from error
    if found and not _are_numbers(found[0][1]):
        found = found[1:]
    rows = [cells for _, cells in found]
    wrong = next((line for line, cells in found if not _are_numbers(cells)), None)
    if wrong is not None or not rows:
        what = "no rows of numbers" if wrong is None else f"line {wrong} is not all numbers"
        raise DataError(
            f"{path.name}: {what}", hint="one sample a line, the features only, without the label"
        )
    if len({len(row) for row in rows}) > 1:
        raise DataError(f"{path.name}: its rows differ in length")
    x = np.array(rows, np.float32)
    return x if x.shape[1:] != (math.prod(sample_shape),) else x.reshape(-1, *sample_shape)


def _are_numbers(cells: list[str]) -> bool:
    try:
        return bool(np.isfinite(np.array(cells, np.float64)).all())
    except ValueError:
        return False
