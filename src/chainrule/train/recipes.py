"""Recipes: settings that do well on the data sets known by name, and fair ones for any other data.

Measured, not tuned to the last digit: docs/comparing.md names what each reaches. What is best depends
on the network and on what it sees, pixels or features; a choice that the user makes always wins.
"""

from __future__ import annotations

from typing import Any

from chainrule.data import Splits
from chainrule.train.convnets import RESNETS

Choices = dict[str, Any]

RATES = {"sgd": 0.05, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 1e-3, "adagrad": 2e-2}

# Fair for any data, by kind: the network, and whether it sees features.
FAIR: dict[str, Choices] = {
    "centroid": {"epochs": 0, "hidden": ()},
    "linear": {"hidden": (), "rate": 1e-3},
    "linear on features": {"hidden": (), "rate": 1e-3},
    "mlp": {"hidden": (128,), "augment": ("flip",)},
    "mlp on features": {
        "hidden": (500,),
        "dropout": 0.5,
        "rate": 1e-3,
        "weight_decay": 5e-2,
        "augment": ("flip",),
    },
    "cnn": {"hidden": (), "rate": 5e-3, "weight_decay": 5e-2, "dropout": 0.2, "augment": ("flip", "crop")},
    "resnet": {
        "hidden": (),
        "optimizer": "sgd",
        "rate": 0.1,
        "weight_decay": 5e-4,
        "augment": ("flip", "crop"),
    },
}
_UPRIGHT: Choices = {"augment": ()}  # a digit in a mirror is no digit
_DIGITS: Choices = {**_UPRIGHT, "batch_size": 32}
BY_NAME: dict[str, dict[str, Choices]] = {
    "digits": {
        "mlp": {**_DIGITS, "hidden": (128,), "epochs": 30, "weight_decay": 1e-2},
        "mlp on features": {**_DIGITS, "epochs": 30},
        "cnn": {**_DIGITS, "epochs": 30, "augment": ("crop:1",)},
        "resnet": {**_DIGITS, "epochs": 30, "augment": ("crop:1",)},
    },
    "mnist": {
        "mlp": {"hidden": (128,), "epochs": 10, "dropout": 0.1, "weight_decay": 1e-2, "augment": ()},
        "mlp on features": _UPRIGHT,
        "cnn": {"epochs": 10, "augment": ("crop:2",)},
        "resnet": {"epochs": 10, "augment": ("crop:2",)},
    },
    "fashion-mnist": {
        "mlp": {"hidden": (256,), "epochs": 10, "dropout": 0.2, "weight_decay": 1e-2, "augment": ()}
    },
    "cifar10": {
        "linear": {"epochs": 8, "rate": 5e-4, "weight_decay": 0.1, "batch_size": 128},
        "linear on features": {"epochs": 10, "batch_size": 128},
        "mlp": {
            "hidden": (512,),
            "epochs": 20,
            "batch_size": 128,
            "dropout": 0.2,
            "weight_decay": 5e-2,
            "rate": 1e-3,
        },
        "mlp on features": {"epochs": 8, "batch_size": 128},
        "cnn": {"epochs": 12, "batch_size": 64, "rate": 1e-2, "augment": ("flip", "crop:2")},
        "resnet": {"epochs": 40, "batch_size": 128, "rate": 0.2, "augment": ("flip", "crop:4")},
    },
}


def recipe(splits: Splits, chosen: Choices) -> Choices:
    """Return settings for `splits`: those `chosen`, and for all others the best known."""
    images, named = are_images(splits.sample_shape), BY_NAME.get(splits.name, {})
    features = bool(chosen.get("features"))
    model: str = chosen.get("model", "cnn" if images and not (named or features) else "mlp")
    kind = ("resnet" if model in RESNETS else model) + (" on features" if features else "")
    known: Choices = {
        "model": model,
        **_usual(len(splits.train)),
        **FAIR.get(kind, {}),
        **named.get(kind, {}),
    }
    if images:
        # A crop of which nobody says how many pixels moves images by an eighth of their side.
        crop = f"crop:{max(1, min(splits.sample_shape[1:]) // 8)}"
        known["augment"] = tuple(crop if each == "crop" else each for each in known.get("augment", ()))
    else:
        known = {**known, "augment": (), **({"hidden": (64, 64)} if model == "mlp" else {})}
    settings = {**known, **({} if splits.classes else {"loss": "mse"}), **chosen}
    if "rate" not in chosen and ("rate" not in known or "optimizer" in chosen):
        settings["rate"] = RATES.get(settings.get("optimizer", "adamw"), 1e-3)
    return settings


def usual_features(sample_shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return what describes images where nobody says what should: edges at two scales, and colours."""
    side = min(sample_shape[1:])
    cells = sorted({max(1, side // 8), max(1, side // 4)})
    return (*(f"hog:{cell}" for cell in cells if 2 * cell <= side), "color")


def are_images(sample_shape: tuple[int, ...]) -> bool:
    """Say whether a sample of this shape is an image (channels, height, width)."""
    return len(sample_shape) == 3


def _usual(samples: int) -> Choices:
    """Return what suits any network on this many samples: fewer of them are walked through more often."""
    epochs = next(count for least, count in ((20_000, 15), (2_000, 30), (0, 60)) if samples >= least)
    return {"epochs": epochs, "batch_size": 64 if samples >= 20_000 else 32, "weight_decay": 1e-2}
