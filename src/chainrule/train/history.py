"""The record of a training: one row an epoch, in memory, as CSV and as JSON.

A row is a dict of numbers by name; rows may differ in their columns, as when validation was added
later. What is measured is the trainer's business.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chainrule.errors import UnknownNameError, nearest
from chainrule.train.files import write_file

Row = dict[str, Any]


class History(Sequence[Row]):
    """Rows of numbers, one for each epoch, oldest first.

    >>> history = History([{"epoch": 1, "train_loss": 0.9}, {"epoch": 2, "train_loss": 0.4}])
    >>> history.column("train_loss"), history.best("train_loss")["epoch"]
    ([0.9, 0.4], 2)
    >>> print(history)
    epoch  train_loss
        1      0.9000
        2      0.4000
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows: list[Row] = [dict(row) for row in rows]

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in the order in which they first appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def append(self, row: Row) -> None:
        """Add the row of one more epoch."""
        self.rows.append(dict(row))

    def column(self, name: str) -> list[float]:
        """Return one number an epoch, nan where an epoch has none; UnknownNameError names the nearest."""
        if name not in self.columns:
            raise UnknownNameError(f"History: there is no column {name!r}", hint=nearest(name, self.columns))
        return [row.get(name, math.nan) for row in self.rows]

    def best(self, name: str) -> Row:
        """Return the row with the highest accuracy, or for any other column the lowest value."""
        values = self.column(name)
        sign = -1 if name.endswith("accuracy") else 1
        ranked = [math.inf if math.isnan(value) else sign * value for value in values]
        return self.rows[ranked.index(min(ranked))]

    def csv(self) -> str:
        """Return the rows as CSV text with a header."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def write(self, path: str | Path) -> None:
        """Write the rows to `path`: JSON if its name ends so, else CSV."""
        path = Path(path)
        write_file(path, json.dumps(self.rows, indent=1) + "\n" if path.suffix == ".json" else self.csv())

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        names = self.columns
        table = [names, *([_shown(row.get(name)) for name in names] for row in self.rows)]
        widths = [max(len(line[place]) for line in table) for place in range(len(names))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in table
        )

    def __repr__(self) -> str:
        last = f", last {self.rows[-1]}" if self.rows else ""
        return f"History({len(self.rows)} epochs{last})"


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
