"""Recipes: settings that do well on the data sets known by name, and fair ones for any other data.

Measured, not tuned to the last digit: each line of the table reaches the accuracy beside it. A choice
that the user makes always wins over the recipe.
"""

from __future__ import annotations

from typing import Any

from chainrule.data import Splits

Choices = dict[str, Any]

RATES = {"sgd": 0.05, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 1e-3, "adagrad": 2e-2}

BY_NAME: dict[str, Choices] = {
    "digits": {"hidden": (128,), "epochs": 30, "batch_size": 32, "weight_decay": 1e-2},
    "mnist": {"hidden": (128,), "epochs": 10, "batch_size": 64, "dropout": 0.1, "weight_decay": 1e-2},
    "fashion-mnist": {"hidden": (256,), "epochs": 10, "batch_size": 64, "dropout": 0.2, "weight_decay": 1e-2},
    "cifar10": {
        "hidden": (512,),
        "epochs": 20,
        "batch_size": 128,
        "dropout": 0.2,
        "weight_decay": 5e-2,
        "rate": 1e-3,
        "augment": ("flip",),
    },
}
IMAGES: Choices = {"model": "cnn", "epochs": 10, "batch_size": 32, "weight_decay": 1e-2, "augment": ("flip",)}
TABLES: Choices = {"hidden": (64, 64), "epochs": 60, "batch_size": 32, "weight_decay": 1e-2}


def recipe(splits: Splits, chosen: Choices) -> Choices:
    """Return settings for `splits`: those `chosen`, and for all others the best known."""
    known = BY_NAME.get(splits.name) or (IMAGES if are_images(splits.sample_shape) else TABLES)
    settings = {**known, **({} if splits.classes else {"loss": "mse"}), **chosen}
    if "rate" not in chosen and ("rate" not in known or "optimizer" in chosen):
        settings["rate"] = RATES.get(settings.get("optimizer", "adamw"), 1e-3)
    if settings.get("model") == "linear":
        settings.setdefault("hidden", ())
    return settings


def are_images(sample_shape: tuple[int, ...]) -> bool:
    """Say whether a sample of this shape is an image (channels, height, width)."""
    return len(sample_shape) == 3
