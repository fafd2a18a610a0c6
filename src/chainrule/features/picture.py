"""What each feature sees in an image, as one figure: gradients and their histograms, colours, regions.

The numbers shown are those that `hog` and `color_histogram` give; this module adds none of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.errors import need
from chainrule.features.gradients import Neighbours, strongest_gradient
from chainrule.features.histogram import color_histogram
from chainrule.features.hog import hog
from chainrule.figures import blank, png

_CHANNELS = ("#d1495b", "#3a8f5c", "#1f6fb2")


def draw_features(
    image: Array, orientations: int = 9, pixels_per_cell: int = 8, bins: int = 8, grid: int = 4
) -> bytes:
    """Return a PNG that shows `image` (channels, height, width) as the features see it.

    Raises what `hog` and `color_histogram` raise, and MissingDependencyError without matplotlib.
    """
    cell = (pixels_per_cell, pixels_per_cell)
    strokes = hog(image, orientations, cell, (1, 1), visualize=True)[1]
    figure = blank(11, 7.4)
    panels = figure.subplots(2, 3).ravel()
    top = 255 if image.dtype == np.uint8 else 1
    _show(
        panels[0], np.moveaxis(image, 0, -1) / top, f"the image, {image.shape[1]} x {image.shape[2]} pixels"
    )
    _show(panels[1], _coloured_gradient(image), "gradient: colour for direction, light for strength")
    _show(panels[2], strokes, f"hog: {orientations} directions in cells of {cell[0]} x {cell[1]} pixels")
    _bars(panels[3], color_histogram(image, bins).reshape(-1, bins), "colour histogram of each channel")
    _hues(panels[4], color_histogram(image, 3 * bins, "hue"))
    _regions(panels[5], image, bins, grid)
    return png(figure)


def _coloured_gradient(image: Array) -> Array:
    neighbours = Neighbours(image[None], 1)
    pixels = neighbours.fill(image[None])
    right, down, squares, _ = (
        plane[:pixels].reshape(image.shape[1:]).astype(np.float64)
        for plane in strongest_gradient(*neighbours.planes)
    )
    strength = np.sqrt(squares)
    colours = need("matplotlib.colors", for_="drawing features")
    hue = np.arctan2(down, right) / np.pi % 1
    return colours.hsv_to_rgb(
        np.stack([hue, np.ones_like(hue), strength / max(strength.max(), 1e-9)], axis=-1)
    )


def _show(panel: Any, pixels: Array, title: str) -> None:
    panel.imshow(pixels.squeeze(), cmap="gray", interpolation="nearest")
    panel.set_title(title, loc="left", fontsize=9)
    panel.set_axis_off()


def _bars(panel: Any, shares: Array, title: str) -> None:
    colours = _CHANNELS if len(shares) == 3 else ("#444444",)
    for values, colour in zip(shares, colours, strict=True):
        panel.stairs(values, np.linspace(0, 1, len(values) + 1), color=colour, fill=True, alpha=0.35)
        panel.stairs(values, np.linspace(0, 1, len(values) + 1), color=colour)
    panel.set_title(title, loc="left", fontsize=9)
    panel.set_xlabel("brightness")
    panel.set_ylabel("share of the pixels")


def _hues(panel: Any, shares: Array) -> None:
    colours = need("matplotlib.colors", for_="drawing features")
    middle = (np.arange(len(shares)) + 0.5) / len(shares)
    wheel = colours.hsv_to_rgb(
        np.stack([middle, np.full_like(middle, 0.8), np.full_like(middle, 0.9)], axis=1)
    )
    panel.bar(middle, shares, width=1 / len(shares), color=wheel)
    panel.set_title("hue histogram", loc="left", fontsize=9)
    panel.set_xlabel("hue")


def _regions(panel: Any, image: Array, bins: int, grid: int) -> None:
    """Draw hue, saturation and value of each region as bars, in its place."""
    shares = color_histogram(image, bins, "hsv", (grid, grid)).reshape(grid, grid, 3 * bins)
    places = np.linspace(0.06, 0.94, 3 * bins)
    colours = np.repeat(["#555555", "#999999", "#111111"], bins)
    for (row, column), values in ((place, shares[place]) for place in np.ndindex(grid, grid)):
        panel.bar(column + places, 0.9 * values, 0.88 / len(places), bottom=grid - 1 - row, color=colours)
    panel.set(xlim=(0, grid), ylim=(0, grid), xticks=range(grid + 1), yticks=range(grid + 1))
    panel.tick_params(labelbottom=False, labelleft=False, length=0)
    panel.grid(alpha=0.5)
    panel.set_title(f"hue, saturation, value in {grid} x {grid} regions", loc="left", fontsize=9)
