"""What a data set holds, as plain data: for `chainrule info` and for reports.

Only counts, shapes and ranges; how they are drawn is the caller's business.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data.dataset import Dataset, Splits


def summary(splits: Splits) -> dict[str, Any]:
    """Return name, classes, shapes and, for each split, counts and ranges; fit for JSON.

    >>> from chainrule.data import load
    >>> summary(load("xor", samples=100))["parts"]["test"]["per_class"]
    {'0': 10, '1': 10}
    """
    return {
        "name": splits.name,
        "task": "classification" if splits.classes else "regression",
        "classes": list(splits.classes),
        "sample_shape": list(splits.sample_shape),
        "dtype": str(splits.train.x.dtype),
        "parts": {name: _part(part) for name, part in splits.parts.items()},
        "skipped": [{"path": str(path), "reason": reason} for path, reason in splits.skipped],
        "notes": list(splits.notes),
    }


def _part(part: Dataset) -> dict[str, Any]:
    counts: dict[str, Any] = {"samples": len(part), "x_range": _range(part)}
    if part.classes:
        per_class = np.bincount(part.y, minlength=len(part.classes))
        counts["per_class"] = dict(zip(part.classes, per_class.tolist(), strict=True))
    else:
        counts["y_range"] = [float(part.y.min()), float(part.y.max())]
    return counts


def _range(part: Dataset) -> list[float]:
    return [part.x.min().item(), part.x.max().item()]
