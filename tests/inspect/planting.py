"""Wrong gradients to be planted into right rules, and leaves to plant them behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def leaf(*shape: int, name: str = "x", seed: int = 0, low: float = -2.0) -> cr.Tensor:
    values = cr.random.Stream(seed).uniform(shape, low, 2.0, np.float64)
    return cr.tensor(values, requires_grad=True, name=name)


Given = list[Any]
Change = Callable[[Given, cr.Tensor, cr.Tensor], Given]  # what the right rule gives, g, node


def at(place: int, change: Callable[[Any, cr.Tensor, cr.Tensor], Any]) -> Change:
    """A change of the gradient of one input, with its history cut off."""

    def changed(given: Given, g: cr.Tensor, node: cr.Tensor) -> Given:
        if given[place] is not None:
            given[place] = cr.Tensor(np.asarray(change(given[place].data.copy(), g, node)))
        return given

    return changed


def put(index: Any, change: Callable[[Any], Any]) -> Callable[..., Any]:
    def changed(a: Any, g: cr.Tensor, node: cr.Tensor) -> Any:
        a[index] = change(a[index])
        return a

    return changed
