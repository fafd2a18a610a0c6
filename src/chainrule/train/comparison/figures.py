"""Figures of a comparison, each as the bytes of a PNG.

The bars of the ladder, accuracy against the amount of data, loss against time and epochs, gaps, and
sheets of images that a model gets wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.data import Dataset
from chainrule.figures import blank, legend, png
from chainrule.train.comparison.searches import Curve
from chainrule.train.comparison.trials import Outcome
from chainrule.train.comparison.verdict import Result, mean_and_spread
from chainrule.train.plots import short

_COLOURS = ("#1f6fb2", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93", "#00838f", "#8d6e63", "#555555")
_ACROSS = 8  # images in a row of a sheet


def bars(results: Sequence[Result]) -> bytes:
    """Return test accuracies with their intervals, and the time of training beside them."""
    figure = blank(9.5, 0.9 + 0.42 * len(results))
    titles, place = [each.title for each in results], np.arange(len(results))[::-1]
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    values = np.array([each.accuracy for each in results])
    ends = np.array([each.interval for each in results])
    errors = np.abs(ends.T - values)
    left.barh(place, 100 * values, color=_COLOURS[0], xerr=100 * errors, error_kw={"capsize": 3})
    left.scatter([100 * each.train_accuracy for each in results], place, color="black", marker="|", s=90)
    left.set_yticks(place, titles)
    left.set_xlabel("% right: test, with 95 % interval; | training")
    right.barh(place, [max(each.seconds, 1e-3) for each in results], color=_COLOURS[1])
    right.set_yticks(place, [""] * len(results))
    right.set_xscale("log")
    right.set_xlabel("seconds of training")
    return png(figure)


def against_samples(outcomes: Sequence[Outcome]) -> bytes:
    """Return test accuracy against the number of training samples, a line for each model."""
    figure = blank(6.5, 4.0)
    axes = figure.add_subplot()
    for colour, (title, group) in zip(_COLOURS, _grouped(outcomes).items(), strict=False):
        samples = [each.samples for each in group]
        found = [mean_and_spread(each.test) for each in group]
        spread = [0 if np.isnan(each[1]) else 100 * each[1] for each in found]
        means = [100 * each[0] for each in found]
        axes.errorbar(samples, means, spread, color=colour, label=title, marker="o", capsize=3)
    axes.set_xscale("log")
    axes.set_xlabel("training samples")
    axes.set_ylabel("% right in the test")
    return _finished(figure, [axes])


def descents(curves: Sequence[Curve]) -> bytes:
    """Return the loss of each search against time and against epochs."""
    figure = blank(11.0, 4.2)
    panels = [figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)]
    for colour, curve in zip(_COLOURS, curves, strict=False):
        for axes, along in zip(panels, (curve.seconds, curve.epochs), strict=True):
            # A logarithmic axis has no 0: the curve begins at its first step.
            axes.plot(along[1:], curve.losses[1:], color=colour, label=curve.title)
    for axes, label in zip(panels, ("seconds", "epochs"), strict=True):
        axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.set_ylabel("hinge loss")
    return _finished(figure, panels)


def gaps(outcomes: Sequence[Outcome]) -> bytes:
    """Return training and test accuracy of each trial, joined by a line: the gap."""
    figure = blank(8.0, 0.9 + 0.4 * len(outcomes))
    axes = figure.add_subplot()
    places = range(len(outcomes))[::-1]
    for place, outcome in zip(places, outcomes, strict=True):
        train, test = (mean_and_spread(values) for values in (outcome.train, outcome.test))
        axes.plot([100 * test[0], 100 * train[0]], [place, place], color="#999999", zorder=1)
        for (mean, spread), colour in ((train, _COLOURS[0]), (test, _COLOURS[1])):
            error = 0 if np.isnan(spread) else 100 * spread
            axes.errorbar(100 * mean, place, xerr=error, color=colour, marker="o", capsize=3)
    axes.set_yticks(list(places), [each.trial.title for each in outcomes])
    axes.set_xlabel("% right: test (red), training (blue)")
    return png(figure)


def sheet(wrong: Sequence[tuple[int, int]], test: Dataset) -> bytes:
    """Return the images that were taken for another class, each with its class and that one."""
    rows = -(-len(wrong) // _ACROSS)
    figure = blank(1.35 * _ACROSS, 1.65 * rows)
    for place, (index, predicted) in enumerate(wrong, 1):
        axes = figure.add_subplot(rows, _ACROSS, place)
        axes.imshow(_picture(test.x[index]), cmap="gray", interpolation="nearest")
        axes.set_axis_off()
        true = short(test.classes[test.y[index]])
        axes.set_title(f"{true}\ntaken for {short(test.classes[predicted])}", fontsize=6)
    return png(figure)


def _picture(sample: Array) -> Any:
    """Return an image (channels, height, width) as matplotlib wants it."""
    image = np.moveaxis(sample, 0, -1)
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = (image - low) / (high - low or 1)
    return image if image.shape[-1] == 3 else image[..., 0]


def _grouped(outcomes: Sequence[Outcome]) -> Mapping[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for each in outcomes:
        found.setdefault(each.trial.title, []).append(each)
    return found


def _finished(figure: Any, panels: Sequence[Any]) -> bytes:
    for axes in panels:
        axes.grid(alpha=0.3)
    legend(panels[-1], 8)
    return png(figure)
