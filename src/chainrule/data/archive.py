"""NumPy archives (.npz): `x`, `y`, and optionally `classes` and the same for other splits.

Nothing in them is unpickled. Arrays of Python objects, samples with the channels last and
one-hot labels are refused with the line that puts them right.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from chainrule.core.spec import Array
from chainrule.data.dataset import Dataset, flat_labels
from chainrule.data.labels import Task, check_task, encode
from chainrule.data.splitting import Source
from chainrule.errors import ChainruleError, DataError

_PARTS = ("validation", "test")
_KEYS = {"x", "y", "classes", *(f"{key}_{part}" for key in "xy" for part in _PARTS)}
_LAYOUT = "np.savez(path, x=x, y=y, classes=names), optionally x_validation, y_validation, x_test, y_test"


def read_archive(path: Path, *, task: Task | None = None) -> Source:
    """Return the splits in the archive at `path`: train from `x`, `y`, others where they are."""
    check_task(task)
    arrays = _arrays(path)
    for key in ("x", "y"):
        if key not in arrays:
            raise DataError(
                f"{path.name}: the archive has no {key!r}", got=", ".join(arrays) or "nothing", hint=_LAYOUT
            )
    ignored = sorted(set(arrays) - _KEYS)
    notes = (f"{path.name}: not used: {', '.join(ignored)}",) if ignored else ()
    names = tuple(str(name) for name in arrays.get("classes", ()))
    train = _part(path, arrays, "", task, names)
    parts = {
        part: _part(path, arrays, f"_{part}", task, train.classes) for part in _PARTS if _has(arrays, part)
    }
    return Source(path.stem, train, parts.get("validation"), parts.get("test"), notes=notes)


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path.name}: one array, not an archive of arrays", hint=_LAYOUT)
            return {key: archive[key] for key in archive.files}
    except ChainruleError:
        raise
    except ValueError as error:
        if not zipfile.is_zipfile(path):  # NumPy takes any other file for pickled objects
            raise DataError(f"{path.name}: not an archive of arrays", hint=_LAYOUT) from error
        raise DataError(
            f"{path.name}: not an archive of plain arrays",
            got=str(error).partition("\n")[0],
            hint="arrays of Python objects are not read: save words as np.array(words, dtype=str)",
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise DataError(f"{path.name}: a damaged archive ({error})") from error


def _has(arrays: dict[str, Array], part: str) -> bool:
    return f"x_{part}" in arrays or f"y_{part}" in arrays


def _part(
    path: Path, arrays: dict[str, Array], suffix: str, task: Task | None, names: tuple[str, ...]
) -> Dataset:
    x, y = arrays.get(f"x{suffix}"), arrays.get(f"y{suffix}")
    if x is None or y is None:
        raise DataError(f"{path.name}: x{suffix} and y{suffix} must come together", hint=_LAYOUT)
    samples = _samples(x, f"{path.name}, x{suffix}")
    where = f"{path.name}, y{suffix}"
    if y.dtype.kind in "iub" and "classes" in arrays and task != "regression":
        return Dataset(samples, y, names)
    if y.ndim != 1 and task != "regression":
        raise DataError(
            f"{where}: labels must be one number or word a sample, got {y.shape}",
            hint=f'{flat_labels(y)}; targets need task="regression"',
        )
    return Dataset(samples, *encode(y, where, task, names))


def _samples(x: Array, where: str) -> Array:
    if x.dtype.kind not in "iubf":
        raise DataError(f"{where}: samples must be numbers, got {x.dtype}")
    if x.dtype == np.uint8 and x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        raise DataError(
            f"{where}: images must be (n, channels, height, width), got {x.shape}",
            hint="x.transpose(0, 3, 1, 2) puts the channels first",
        )
    if x.dtype == np.uint8 and x.ndim > 2:
        return x
    if x.dtype.kind == "f" and (large := np.abs(x[np.isfinite(x)]).max(initial=0)) > np.finfo(np.float32).max:
        raise DataError(f"{where}: {large:.6g} does not fit a float32", hint="scale the samples first")
    return x.astype(np.float32)
