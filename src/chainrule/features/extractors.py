"""`HOG` and `ColorHistogram`: the two functions as transformers, with names for what they give.

They learn nothing but the shape of the images, from which the names of the features follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.errors import DataError
from chainrule.features.histogram import color_histogram, histogram_bins
from chainrule.features.hog import hog
from chainrule.features.images import as_batch
from chainrule.features.transformer import Transformer


class Extractor(Transformer):
    """A transformer that looks at each image by itself, and learns only what images look like."""

    channel_axis: int | None

    def fit(self, images: Any, y: Any = None) -> Any:
        """Note the shape of `images`, check the parameters on one of them, and return self."""
        batch, single = as_batch(f"{type(self).__name__}.fit", images, self.channel_axis)
        if single or not len(batch):
            raise DataError(
                f"{type(self).__name__}.fit: needs a batch of images, got shape {np.shape(images)}"
            )
        self.image_shape_ = batch.shape[1:]
        self.n_features_out_ = int(self.transform(images[:1]).shape[1])
        return self

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return a name for each feature, that says what it measures where."""
        if not hasattr(self, "image_shape_"):
            raise DataError(f"{type(self).__name__}.get_feature_names_out: not fitted yet")
        return np.array(list(self._names(*self.image_shape_)), object)

    def _names(self, channels: int, height: int, width: int) -> Iterator[str]:
        raise NotImplementedError


class HOG(Extractor):
    """`hog` as a transformer: the same arguments, (n, features) out.

    >>> images = np.zeros((4, 3, 32, 32), np.uint8)
    >>> HOG(orientations=8).fit(images).get_feature_names_out()[-1]
    'hog_block_2_2_cell_1_1_bin_7'
    """

    def __init__(
        self,
        orientations: int = 9,
        pixels_per_cell: tuple[int, int] = (8, 8),
        cells_per_block: tuple[int, int] = (2, 2),
        block_norm: str = "L2-Hys",
        transform_sqrt: bool = False,
        signed: bool = False,
        channel_axis: int | None = -3,
    ) -> None:
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.block_norm = block_norm
        self.transform_sqrt = transform_sqrt
        self.signed = signed
        self.channel_axis = channel_axis

    def transform(self, images: Any) -> Array:
        """Return `hog` of `images`."""
        return hog(images, **self.get_params())

    def _names(self, channels: int, height: int, width: int) -> Iterator[str]:
        size = (height, width)
        blocks = [
            range(length // cell - cells + 1)
            for length, cell, cells in zip(size, self.pixels_per_cell, self.cells_per_block, strict=True)
        ]
        places = product(*blocks, *map(range, self.cells_per_block), range(self.orientations))
        return ("hog_block_{}_{}_cell_{}_{}_bin_{}".format(*place) for place in places)


class ColorHistogram(Extractor):
    """`color_histogram` as a transformer: the same arguments, (n, features) out.

    >>> images = np.zeros((4, 3, 32, 32), np.uint8)
    >>> ColorHistogram(bins=(8, 2, 2), space="hsv").fit(images).get_feature_names_out()[-3:].tolist()
    ['hsv_region_0_0_saturation_1', 'hsv_region_0_0_value_0', 'hsv_region_0_0_value_1']
    """

    def __init__(
        self,
        bins: int | tuple[int, ...] = 8,
        space: str = "rgb",
        grid: tuple[int, int] = (1, 1),
        joint: bool = False,
        channel_axis: int | None = -3,
    ) -> None:
        self.bins = bins
        self.space = space
        self.grid = grid
        self.joint = joint
        self.channel_axis = channel_axis

    def transform(self, images: Any) -> Array:
        """Return `color_histogram` of `images`."""
        return color_histogram(images, **self.get_params())

    def _names(self, channels: int, height: int, width: int) -> Iterator[str]:
        sizes = histogram_bins(channels, self.bins, self.space)
        named = _CHANNELS["grey" if self.space == "rgb" and channels == 1 else self.space]
        bins = [[f"{name}_{index}" for index in range(size)] for name, size in zip(named, sizes, strict=True)]
        kinds = ["_".join(each) for each in product(*bins)] if self.joint else list(chain(*bins))
        regions = product(*map(range, self.grid))
        return (f"{self.space}_region_{row}_{column}_{kind}" for row, column in regions for kind in kinds)


_CHANNELS = {
    "rgb": ("red", "green", "blue"),
    "grey": ("grey",),
    "hsv": ("hue", "saturation", "value"),
    "hue": ("hue",),
}
