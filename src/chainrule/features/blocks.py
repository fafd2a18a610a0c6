"""Blocks of cells, each normalised by itself: what makes HOG blind to the strength of the light.

A block is a window of cells; windows overlap, so that a cell comes out once for every block it is
in, normalised differently. Each norm is one function of rows in place, listed in `NORMS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.core.spec import Array

_EPS = 1e-5  # scikit-image's: keeps blocks without any gradient at 0
_CUT = 0.2
_ROWS = 2**12


def normalized_blocks(cells: Array, block: tuple[int, int], norm: str) -> Array:
    """Return the blocks of `cells` (n, rows, columns, bins), normalised.

    Shape (n, block rows, block columns, cell rows, cell columns, bins).
    """
    windows = np.lib.stride_tricks.sliding_window_view(cells, block, axis=(1, 2))
    blocks = windows.transpose(0, 1, 2, 4, 5, 3).copy()
    rows = blocks.reshape(-1, block[0] * block[1] * cells.shape[3])
    for start in range(0, len(rows), _ROWS):
        NORMS[norm](rows[start : start + _ROWS])
    return blocks


def _l1(rows: Array) -> None:
    rows /= rows.sum(axis=1, keepdims=True) + _EPS


def _l1_sqrt(rows: Array) -> None:
    _l1(rows)
    np.sqrt(rows, out=rows)


def _l2(rows: Array) -> None:
    rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows) + _EPS**2)[:, None]


def _l2_hys(rows: Array) -> None:
    _l2(rows)
    np.minimum(rows, _CUT, out=rows)
    _l2(rows)


NORMS: dict[str, Callable[[Array], None]] = {"L1": _l1, "L1-sqrt": _l1_sqrt, "L2": _l2, "L2-Hys": _l2_hys}
