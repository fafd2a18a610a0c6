"""Templates: the weights of a linear classifier of images, looked at as images.

The score of a class is the product of the image with one row of weights, so that row is what the
class looks like to the classifier. Grey is 0; every template has its own scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.core.spec import Array
from chainrule.figures import blank, png
from chainrule.nn import Linear, Module
from chainrule.train.plots import short
from chainrule.train.recipes import are_images
from chainrule.train.settings import Settings

_ACROSS = 5  # templates in a row
_MOST = 50  # classes: more would be too small to see anything


def template_weights(settings: Settings, model: Module, sample_shape: Sequence[int]) -> Array | None:
    """Return the weights (classes, channels, height, width), or None where no template can be seen.

    That is where the network is not linear, or sees no pixels.
    """
    linear = settings.model in ("linear", "centroid") and not settings.features
    if not linear or not are_images(tuple(sample_shape)) or sample_shape[0] not in (1, 3):
        return None
    weight = next(module for module in model.modules() if isinstance(module, Linear)).weight.data
    return weight.reshape(-1, *sample_shape) if 1 < len(weight) <= _MOST else None


def templates(weights: Array, classes: Sequence[str]) -> bytes:
    """Return the weights (classes, channels, height, width) as images, in a PNG."""
    rows = -(-len(weights) // _ACROSS)
    figure = blank(1.7 * _ACROSS, 1.9 * rows)
    for place, (weight, name) in enumerate(zip(weights, classes, strict=True), 1):
        axes = figure.add_subplot(rows, _ACROSS, place)
        axes.imshow(_image(weight), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(short(name), fontsize=8)
        axes.set_axis_off()
    return png(figure)


def _image(weight: Array) -> Array:
    """Return weights as an image between 0 and 1, in which 0.5 is a weight of 0."""
    # The few largest weights would leave all others grey.
    largest = float(np.quantile(np.abs(weight), 0.995)) or 1.0
    image = np.clip(np.moveaxis(weight, 0, -1) / (2 * largest) + 0.5, 0, 1)
    return image if image.shape[-1] == 3 else image[..., 0]
