"""How wide a line of text is, and numbers in few signs.

Widths are those of DejaVu Sans (and of Verdana, nearly), the widest of the fonts that viewers will
put in its place; so what is laid out with them has room in any of these.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.spec import Array, Shape

# Hundredths of the font size, for the characters from ' ' to '~'.
_WIDTHS = (
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79,
    60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63,
    63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
)  # fmt: skip
_OTHER, _BOLD = 84, 1.13
_FEW = 4  # numbers written in full

UNKNOWN = "not yet"


def width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a line at a font size, in the same unit."""
    hundredths = sum(_WIDTHS[ord(c) - 32] if 32 <= ord(c) < 127 else _OTHER for c in text)
    return hundredths * size / 100 * (_BOLD if bold else 1)


def fitted(text: str, size: float, most: float, bold: bool = False) -> str:
    """Return `text` without control characters, its end cut off where it would be wider than `most`."""
    text = "".join(c if c.isprintable() else "·" for c in text)
    if width(text, size, bold) <= most:
        return text
    while text and width(text + "…", size, bold) > most:
        text = text[:-1]
    return text.rstrip() + "…"


def number(value: object) -> str:
    """Return a number with four digits at most, with a true minus sign."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    text = f"{float(value) + 0.0:.4g}"  # pyright: ignore[reportArgumentType]
    return text.replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def numbers(array: Array) -> str:
    """Return a few numbers in full; of more, the smallest and the largest."""
    if array.ndim == 0:
        return number(array[()])
    if array.size == 0:
        return "empty"
    if array.size <= _FEW:
        return "[" + ", ".join(number(each) for each in array.reshape(-1)) + "]"
    low, high = number(array.min()), number(array.max())
    return f"{low} … {high}" if low != high else f"all {low}"


def shape_text(shape: Shape) -> str:
    """Return '32×3×8×8'; nothing for a single number."""
    return "×".join(map(str, shape)) if len(shape) != 1 else f"({shape[0]},)"
