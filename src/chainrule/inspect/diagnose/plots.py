"""A training in pictures: values as histograms over time, gradients, updates and dead units.

Layers and parameters are few on a picture, evenly chosen; every function returns the bytes of a PNG.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.figures import blank, legend, literal, png
from chainrule.inspect.diagnose.symptoms import Course

_BINS, _MOST = 60, 6


def figures(course: Course, iterations: Sequence[int]) -> dict[str, bytes]:
    """Return the pictures of a course by their captions; none for fewer than two snapshots."""
    if len(iterations) < 2:
        return {}
    return {
        "Values of each layer over time": _histograms(course, iterations),
        "Gradients, updates and units over time": _curves(course, iterations),
    }


def _layer_series(course: Course) -> Iterator[tuple[str, list[Any]]]:
    """Yield each layer's name with its measurements; at most six, evenly chosen."""
    layers = course.last.layers
    for place in np.unique(np.linspace(0, len(layers) - 1, min(len(layers), _MOST)).astype(int)):
        yield layers[place].name, [s.layers[place] for s in course.snapshots if len(s.layers) > place]


def _histograms(course: Course, iterations: Sequence[int]) -> bytes:
    """Draw, for each layer, the histogram of its output (light to dark) against the iteration."""
    series = list(_layer_series(course))
    figure = blank(3.2 * max(1, min(3, len(series))), 2.6 * -(-len(series) // 3))
    for number, (name, layers) in enumerate(series, 1):
        axes = figure.add_subplot(-(-len(series) // 3), min(3, len(series)), number)
        points = [_filled(np.array(each.quantiles)) for each in layers]
        density, low, high = _density(points)
        extent = (iterations[0], iterations[-1], low, high)
        axes.imshow(density, aspect="auto", origin="lower", cmap="Blues", extent=extent)
        axes.set_title(literal(name), loc="left")
        axes.set_xlabel("iteration")
    return png(figure)


def _density(points: Sequence[Array]) -> tuple[Array, float, float]:
    """Return the histograms of evenly ranked values, one a column, and the range that they cover."""
    everything = np.concatenate([*points, np.zeros(0 if any(map(len, points)) else 1)])
    low, high = (float(end) for end in np.quantile(everything, (0.005, 0.995)))
    if high <= low:
        low, high = low - 1.0, high + 1.0
    columns = [np.histogram(np.clip(each, low, high), _BINS, (low, high))[0] for each in points]
    return np.stack([each / max(each.max(), 1) for each in columns], axis=1), low, high


def _filled(quantiles: Array) -> Array:
    """Return many more evenly ranked values between those that were kept."""
    if not quantiles.size:
        return quantiles
    ranks = np.linspace(0, 1, quantiles.size)
    return np.interp(np.linspace(0, 1, 1000), ranks, quantiles)


def _curves(course: Course, iterations: Sequence[int]) -> bytes:
    """Draw gradient norms, relative updates (the dotted line is 0.001) and the share of units off."""
    figure = blank(11.0, 3.0)
    gradients, updates, units = (figure.add_subplot(1, 3, place) for place in (1, 2, 3))
    for name, layers in _layer_series(course):
        values = np.array([each.gradient for each in layers])
        gradients.plot(iterations[: len(values)], np.where(values > 0, values, np.nan), label=_label(name))
    for name in list(course.changes[-1] if course.changes else ())[:_MOST]:
        values = np.array([each.get(name, np.nan) for each in course.changes])
        updates.plot(np.where(values > 0, values, np.nan), label=_label(name))
    for place, each in enumerate(course.last.activations[:_MOST]):
        shares = [s.activations[place].dead for s in course.snapshots if len(s.activations) > place]
        units.plot(iterations[: len(shares)], shares, label=_label(each.name))
    updates.axhline(1e-3, color="grey", linestyle=":")
    units.set_ylim(-0.02, 1.02)
    titles = ("gradient norm at each layer", "update / weight", "share of units off in the batch")
    for axes, title in zip((gradients, updates, units), titles, strict=True):
        axes.set_title(title, loc="left")
        axes.set_xlabel("iteration")
        if axes.get_lines() and axes is not units:
            axes.set_yscale("log")
        if axes.get_legend_handles_labels()[1]:
            legend(axes, 7)
    return png(figure)


def _label(name: str) -> str:
    return literal(name.lstrip("_"))  # a leading underscore would hide the line from the legend
