"""Figures as files, drawn by matplotlib's own canvas for files, without pyplot.

So no global state is touched, and no screen is needed. What a figure shows is not known here.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

from chainrule.errors import need


def blank(width: float, height: float) -> Any:
    """Return an empty figure of this size in inches; MissingDependencyError without matplotlib."""
    return need("matplotlib.figure", for_="drawing figures").Figure((width, height), layout="constrained")


def png(figure: Any) -> bytes:
    """Return a figure as the bytes of a PNG."""
    return saved(figure, "png")


def saved(figure: Any, format: str, **options: Any) -> bytes:
    """Return a figure as the bytes of a file, in a format and with options of `Figure.savefig`."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a script that the font lacks shows as boxes
        figure.savefig(content, format=format, **options)
    return content.getvalue()


def legend(axes: Any, fontsize: float | None = None) -> None:
    """Draw the legend where it hides least; since that is asked for, matplotlib does not warn of the time."""
    axes.legend(loc="best", frameon=False, fontsize=fontsize)


def literal(text: str) -> str:
    """Return text as a figure takes it: a dollar sign would be read as mathematics."""
    return text.replace("$", r"\$")
