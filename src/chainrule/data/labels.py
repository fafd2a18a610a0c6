"""Labels as they are written, made into classes 0, 1, ... or into targets of a regression.

Words and whole numbers name classes, in sorted order; other numbers are targets, but only where
the caller says so, since a column of prices read as ten thousand classes helps nobody.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, DataError, nearest

Task = Literal["classification", "regression"]

_REGRESSION = 'task="regression", or label= names another column'


def check_task(task: str | None) -> None:
    """Raise ArgumentError unless `task` is one of the two, or None to go by the labels."""
    if task not in (None, "classification", "regression"):
        raise ArgumentError(f'load: task must be "classification" or "regression", got {task!r}')


def encode(
    values: Array, where: str, task: Task | None = None, classes: tuple[str, ...] = ()
) -> tuple[Array, tuple[str, ...]]:
    """Return `(y, classes)` for the labels `values`, numbers or words.

    `classes` fixes the names, as for a test set; `where` opens the messages. Raises DataError
    for labels that are neither.
    """
    numbers = _numbers(values)
    if numbers is not None and not np.isfinite(numbers).all():
        finite = np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)
        raise DataError(
            f"{where}: a label is nan or infinite, first in sample {int(np.argmin(finite))}",
            got=f"{int((~finite).sum())} of {len(numbers)} labels that are not finite",
            hint="leave these samples out: keep = np.isfinite(y)",
        )
    if task == "regression":
        if numbers is None:
            raise DataError(f"{where}: a regression needs numbers as targets, got {_first_word(values)!r}")
        return numbers.astype(np.float32), ()
    if numbers is None:
        return _index(values.astype(str), where, classes)
    whole = numbers == np.floor(numbers)
    if not whole.all():
        raise DataError(
            f"{where}: the labels are numbers but not whole, so they name no classes",
            got=f"for example {numbers[int(np.argmin(whole))]:g}",
            hint=_REGRESSION,
        )
    keys = numbers.astype(np.int64)
    if task is None and len(keys) > 20 and len(np.unique(keys)) == len(keys):
        raise DataError(f"{where}: all {len(keys)} labels are different numbers", hint=_REGRESSION)
    return _index(keys, where, classes)


def _index(keys: Array, where: str, classes: tuple[str, ...]) -> tuple[Array, tuple[str, ...]]:
    kinds, inverse = np.unique(keys, return_inverse=True)
    names = [str(kind) for kind in kinds]
    classes = classes or tuple(names)
    position = {name: index for index, name in enumerate(classes)}
    for name in names:
        if name not in position:
            raise DataError(
                f"{where}: the label {name!r} is not among the classes", hint=nearest(name, classes)
            )
    return np.array([position[name] for name in names], np.int64)[inverse], classes


def _numbers(values: Array) -> Array | None:
    if values.dtype.kind not in "iubfUS":
        return None
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        return None
    return numbers


def _first_word(values: Array) -> str:
    for value in values.reshape(-1):
        if _numbers(np.asarray(value)) is None:
            return str(value)
    return str(values.dtype)
