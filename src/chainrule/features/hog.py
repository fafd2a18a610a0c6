"""Histograms of oriented gradients (HOG), for whole batches at once, with scikit-image's numbers.

An image is cut into cells; in each, a histogram of the directions of the gradient is weighted by
its strength; neighbouring cells form overlapping blocks, each normalised by itself. This file
gathers the steps and checks the arguments; each step is a module: `gradients`, `orientation`,
`cells`, `blocks`, `strokes`. Source: Dalal and Triggs, "Histograms of oriented gradients for human
detection", CVPR 2005.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, DataError, nearest
from chainrule.features.blocks import NORMS, normalized_blocks
from chainrule.features.cells import CellGrid, CellHistograms
from chainrule.features.images import as_batch, in_chunks, positive_pair, result_dtype
from chainrule.features.strokes import draw_strokes


def hog(
    images: Any,
    orientations: int = 9,
    pixels_per_cell: tuple[int, int] = (8, 8),
    cells_per_block: tuple[int, int] = (2, 2),
    block_norm: str = "L2-Hys",
    visualize: bool = False,
    transform_sqrt: bool = False,
    feature_vector: bool = True,
    *,
    signed: bool = False,
    channel_axis: int | None = -3,
) -> Any:
    """Return the histogram of oriented gradients of each image, (n, features).

    `images`: (n, channels, height, width), one image (channels, height, width), or one grey image
    (height, width); other layouts by `channel_axis` (-1: channels last; None: grey images, no such
    axis). In every pixel the channel with the largest gradient counts. `pixels_per_cell` and
    `cells_per_block` are (rows, columns); pixels beyond the last whole cell are left out.
    `block_norm`: "L1", "L1-sqrt", "L2", "L2-Hys" (cut at 0.2, normalised again). `transform_sqrt`
    takes the root of the pixels first. `feature_vector=False` gives (n, block rows, block columns,
    cell rows, cell columns, orientations). `signed` counts directions over 360 degrees and not 180.
    With `visualize`, returns also a picture of each image, (n, height, width): strokes along the
    edges, as bright as the bins are full.

    One image gives the result without the first axis; float64 images give float64, others float32.
    Raises ShapeError, ArgumentError, DTypeError, DataError.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), np.uint8)
    >>> hog(images).shape
    (5, 324)
    >>> hog(images[0], orientations=8, visualize=True)[1].shape
    (32, 32)
    """
    x, single = as_batch("hog", images, channel_axis)
    _check(x, block_norm, transform_sqrt)
    block = positive_pair("hog", "cells_per_block", cells_per_block)
    grid = CellGrid.of(x, orientations, pixels_per_cell, signed).holding(block, x)
    cells = in_chunks(x, CellHistograms(grid, x, transform_sqrt), grid.shape, result_dtype(x))
    found = normalized_blocks(cells, block, block_norm)
    if feature_vector:
        found = found.reshape(len(x), math.prod(found.shape[1:]))
    found = found[0] if single else found
    if not visualize:
        return found
    pictures = draw_strokes(cells, x.shape[2:], grid.cell, signed)
    return found, pictures[0] if single else pictures


def _check(x: Array, block_norm: str, transform_sqrt: bool) -> None:
    if block_norm not in NORMS:
        raise ArgumentError(f"hog: no block_norm {block_norm!r}", hint=nearest(str(block_norm), NORMS))
    if transform_sqrt and x.dtype.kind in "if" and x.size and x.min() < 0:
        raise DataError(f"hog: transform_sqrt needs pixels of 0 or more, got {x.min()}")
