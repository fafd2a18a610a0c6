"""Tables in text files: one sample a line, numbers as features, one column as the label.

Comma, semicolon or tab are told apart by the first line, and a header by its words where numbers
follow. Every complaint names the line and the column. Words are refused as features: how to turn
them into numbers is the user's decision.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.core.spec import Array
from chainrule.data.dataset import Dataset
from chainrule.data.labels import Task, check_task, encode
from chainrule.data.splitting import Source
from chainrule.errors import DataError, nearest

TABLES = (".csv", ".tsv", ".txt")  # how their names end
_WORDS = "write words as numbers first, or give label= if this is the label"
_FRACTIONS = "write decimals with a point, not with a comma"
_MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}


@dataclass(frozen=True)
class _Table:
    path: Path
    names: list[str]
    lines: list[int]
    cells: Array

    def place(self, row: int, column: int) -> str:
        return f"{self.path.name}, line {self.lines[row]}, column {self.names[column]!r}"


def read_table(
    path: Path, *, label: str | int | None = None, task: Task | None = None, header: bool | None = None
) -> Source:
    """Return the table at `path`: features float32 (n, columns - 1) and one column of labels.

    `label` names or counts the column of labels (else the last one); `header` says whether the
    first line holds names (else told by its content).
    """
    check_task(task)
    table = _parse(path, label, header)
    column = _column(table, label)
    features = [index for index in range(len(table.names)) if index != column]
    if not features:
        raise DataError(f"{path.name}: only one column, so there are no features beside the label")
    x = np.stack([_values(table, index) for index in features], axis=1)
    _present(table, column)
    y, classes = encode(table.cells[:, column], f"{path.name}, column {table.names[column]!r}", task)
    if len(classes) == 1:
        where = f"{path.name}, column {table.names[column]!r}"
        raise DataError(f"{where}: only one class, {classes[0]!r}, so there is nothing to tell apart")
    return Source(path.stem, Dataset(x, y, classes))


def _parse(path: Path, label: str | int | None, header: bool | None) -> _Table:
    rows = read_rows(path)
    if not rows:
        raise DataError(f"{path.name}: the table is empty")
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise DataError(
                f"{path.name}, line {line}: {len(cells)} columns where the first line has {width}"
            )
    grid = np.array([cells for _, cells in rows])
    if header is None:
        header = isinstance(label, str) or _looks_like_header(grid, label)
    names = [str(name) for name in grid[0]] if header else [str(index) for index in range(width)]
    first = 1 if header else 0
    if len(rows) == first:
        raise DataError(f"{path.name}: the table has a header but no lines of data")
    return _Table(path, names, [line for line, _ in rows[first:]], grid[first:])


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines of a table that hold anything: their numbers, from 1, and their cells.

    Raises DataError for what is no text or no table, OSError where nothing can be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=start.count)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
            return _without_end(
                [
                    (reader.line_num, [cell.strip() for cell in cells])
                    for cells in reader
                    if any(cell.strip() for cell in cells)
                ]
            )
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name}: not text in UTF-8 ({error.reason} at byte {error.start})",
            hint="save the table as UTF-8, in a spreadsheet under 'CSV UTF-8'",
        ) from error
    except csv.Error as error:
        raise DataError(f"{path.name}: not a table of comma-separated values ({error})") from error


def _without_end(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return the rows without columns at the end that are empty throughout: each line ends with a comma.

    The line of names may go without that comma.
    """
    while rows and not any(cells[-1] for _, cells in rows[1:] or rows):
        names = rows[0][1]
        if names[-1] and len(names) >= len(rows[-1][1]):
            break  # a column with a name, whose values are missing
        rows = [(line, cells if cells[-1] else cells[:-1]) for line, cells in rows]
    return rows


def _looks_like_header(grid: Array, label: int | str | None) -> bool:
    column = label if isinstance(label, int) else -1
    words = [not _numeric(cell) and cell.lower() not in _MISSING for cell in grid[0]]
    if not -len(words) <= column < len(words):
        return any(words)
    names_label = words.pop(column)
    return any(words) or (names_label and len(grid) > 1 and all(_numeric(cell) for cell in grid[1:, column]))


def _column(table: _Table, label: str | int | None) -> int:
    names = table.names
    if isinstance(label, str):
        if names.count(label) != 1:
            raise DataError(
                f"{table.path.name}: {names.count(label) or 'no'} columns are called {label!r}",
                hint=nearest(label, names),
            )
        return names.index(label)
    position = -1 if label is None else label
    if not -len(names) <= position < len(names):
        raise DataError(f"{table.path.name}: label column {position} of a table with {len(names)} columns")
    return position % len(names)


def _values(table: _Table, column: int) -> Array:
    cells = table.cells[:, column]
    _present(table, column)
    try:
        values = cells.astype(np.float64)
    except ValueError as error:
        row = next(row for row, cell in enumerate(cells) if not _numeric(cell))
        raise DataError(
            f"{table.place(row, column)}: {str(cells[row])!r} is not a number",
            hint=_FRACTIONS if _numeric(cells[row].replace(",", ".", 1)) else _WORDS,
        ) from error
    fits = np.abs(values) <= np.finfo(np.float32).max
    if not fits.all():
        row = int(np.argmin(fits))
        raise DataError(f"{table.place(row, column)}: {str(cells[row])!r} does not fit a float32")
    return values.astype(np.float32)


def _present(table: _Table, column: int) -> None:
    for row, cell in enumerate(table.cells[:, column]):
        if cell.lower() in _MISSING:
            raise DataError(
                f"{table.place(row, column)}: the value is missing ({str(cell)!r})",
                hint="fill in or remove the lines with missing values first",
            )


def _numeric(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
