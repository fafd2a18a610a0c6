"""Sizes that layers are made with: whole numbers, checked before anything is drawn."""

from __future__ import annotations

from typing import Any

from chainrule.core.whole import whole_number


def check_sizes(layer: object, least: int = 1, **sizes: Any) -> None:
    """Raise ArgumentError unless each named size is an integer of at least `least`."""
    for name, size in sizes.items():
        whole_number(type(layer).__name__, name, size, least)
