"""Figures of a run: the curves of its history, and its confusion matrix.

Each function returns the bytes of a PNG.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.core.spec import Array
from chainrule.figures import blank, legend, literal, png
from chainrule.train.history import History

_TRAIN, _VALIDATION = "#1f6fb2", "#d1495b"


def curves(history: History) -> bytes:
    """Return loss and accuracy (or error) over the epochs, one panel each, as a PNG."""
    epochs = history.column("epoch")
    kinds = [kind for kind in ("loss", "accuracy", "rmse") if f"train_{kind}" in history.columns]
    figure = blank(4.6 * len(kinds), 3.2)
    for place, kind in enumerate(kinds, 1):
        axes = figure.add_subplot(1, len(kinds), place)
        for split, colour in (("train", _TRAIN), ("validation", _VALIDATION)):
            if f"{split}_{kind}" in history.columns:
                marker = "o" if len(epochs) < 3 else ""
                axes.plot(epochs, history.column(f"{split}_{kind}"), color=colour, label=split, marker=marker)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(kind, loc="left")
        axes.grid(alpha=0.3)
        legend(axes)
    return png(figure)


def confusion(matrix: Array, classes: Sequence[str]) -> bytes:
    """Return the confusion matrix as a PNG, coloured by the share of each true class."""
    count = len(matrix)
    side = min(3.0 + 0.36 * count, 14.0)
    figure = blank(side + 0.8, side)
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [short(name) for name in classes]
    axes.set_xticks(range(count), names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(range(count), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if count <= 20:
        for (row, column), number in np.ndenumerate(matrix):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(number), ha="center", va="center", color=colour, fontsize=8)
    return png(figure)


def short(name: str) -> str:
    """Return the name of a class as it fits into a figure."""
    name = literal(name)
    return name if len(name) <= 14 else name[:13] + "…"
