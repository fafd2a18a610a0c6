"""Which bin of directions a gradient falls into, exactly as scikit-image decides it.

The rule (`exact_bins`) is degrees in float64 against edges in float32. 8-bit images have only 2^18
different gradients, so for them the rule is a table. For others a float32 angle settles all but
the gradients that lie almost on an edge, and the rule settles those. Bin `orientations` is for
what falls into none (an angle that rounds to the full range).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from chainrule.features.images import Array

_MIDDLE = np.int32(512 * 256 + 256)


def orientation_bins(right: Array, down: Array, orientations: int, signed: bool) -> Array:
    """Return the bin of each gradient, 0 to `orientations` - 1, as whole numbers of the same shape.

    Directions are counted from rightward towards downward, over 180 degrees, or over 360 where `signed`.
    """
    if right.dtype == np.int16:
        code = down.astype(np.int32)
        code <<= 9
        code += right
        code += _MIDDLE  # places below 0 would cost more than the rest together
        return _table(orientations, signed).take(code, mode="clip")
    return _bins(right, down, orientations, signed)


def exact_bins(right: Array, down: Array, orientations: int, signed: bool) -> Array:
    """Return what `orientation_bins` must: degrees, and bins closed below and open above."""
    whole = 360 if signed else 180
    degrees = np.rad2deg(np.arctan2(down.astype(np.float64), right.astype(np.float64))) % whole
    edges = np.float32(whole / orientations) * np.arange(orientations + 1, dtype=np.float32)
    return np.searchsorted(edges.astype(np.float64), degrees, side="right") - 1


@lru_cache(maxsize=16)
def _table(orientations: int, signed: bool) -> Array:
    """Return the bins of all 8-bit gradients, that of (right, down) at 512 down + right + _MIDDLE."""
    down, right = np.mgrid[-256:256, -256:256]
    return exact_bins(right, down, orientations, signed).astype(np.min_scalar_type(orientations)).reshape(-1)


def _bins(right: Array, down: Array, orientations: int, signed: bool) -> Array:
    """Return the bins by a float32 angle, in units of bins, and by the exact rule close to an edge."""
    angle = np.arctan2(down.astype(np.float32, copy=False), right.astype(np.float32, copy=False))
    angle *= np.float32(orientations / (2 * np.pi if signed else np.pi))
    off = np.rint(angle)
    off -= angle
    close = np.flatnonzero(np.abs(off, out=off) < 4e-6 * orientations)
    bins = np.floor(angle, out=angle).astype(np.int32)
    bins += orientations * (bins < 0)
    right, down, flat = right.reshape(-1)[close], down.reshape(-1)[close], bins.reshape(-1)
    flat[close] = exact_bins(right, down, orientations, signed)
    return bins
