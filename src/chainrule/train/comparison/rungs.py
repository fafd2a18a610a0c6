"""The rungs of the ladder: which classifiers are compared on which data.

A rung is a name, the settings that make it what it is, the settings of the user's that concern it,
and its share of the time. All else comes from the recipes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.data import Splits
from chainrule.errors import DataError, UnknownNameError, nearest
from chainrule.train.recipes import Choices, are_images, recipe, usual_features
from chainrule.train.settings import Settings

_EVERY = {"seed"}
_TRAINED = _EVERY | {
    "epochs", "batch_size", "rate", "optimizer", "momentum", "schedule", "weight_decay", "penalty",
}  # fmt: skip
_LAYERED = _TRAINED | {"activation", "dropout"}


@dataclass(frozen=True)
class Rung:
    """One classifier: `name` is what the user calls it, `title` what tables do.

    `given` stands above the recipe, `takes` are the names of the settings that a user may change,
    `share` is its part of the time relative to the other rungs. A `searched` rung is no network that
    follows a gradient, but weights that are drawn; a `described` one sees features.
    """

    name: str
    title: str
    given: Choices
    takes: set[str] = field(default_factory=lambda: set(_TRAINED))
    share: float = 5.0
    searched: bool = False
    described: bool = False

    def settings(self, splits: Splits, chosen: Mapping[str, Any]) -> Settings:
        """Return the settings of this rung on `splits`, with those `chosen` by the user that concern it."""
        taken = {name: value for name, value in chosen.items() if name in self.takes}
        seen = {"features": usual_features(splits.sample_shape)} if self.described else {}
        return Settings(**recipe(splits, {"data": splits.name, **self.given, **seen, **taken}))


_IMAGES = (
    Rung("centroid", "nearest centroid", {"model": "centroid"}, _EVERY, share=1),
    Rung("random-search", "random search", {"model": "linear", "loss": "hinge"}, _EVERY, searched=True),
    Rung("linear-hinge", "linear, hinge loss", {"model": "linear", "loss": "hinge"}),
    Rung("linear", "linear, softmax", {"model": "linear"}),
    Rung("mlp", "two layers", {"model": "mlp"}, _LAYERED | {"hidden", "batch_norm", "augment"}, 10),
    Rung("features-linear", "features, linear", {"model": "linear"}, _TRAINED | {"features"}, described=True),
    Rung(
        "features-mlp",
        "features, two layers",
        {"model": "mlp"},
        _LAYERED | {"hidden", "batch_norm", "features"},
        share=15,
        described=True,
    ),
    Rung("cnn", "conv net", {"model": "cnn"}, _LAYERED | {"hidden", "batch_norm", "pooling", "augment"}, 40),
)
_MORE = (
    Rung(
        "mlp3",
        "three layers",
        {"model": "mlp", "hidden": (256, 128)},
        _LAYERED | {"hidden", "batch_norm", "augment"},
        10,
    ),
    Rung("resnet20", "ResNet-20", {"model": "resnet20"}, _LAYERED | {"stochastic_depth", "augment"}, 60),
)


def ladder(splits: Splits, names: Sequence[str] = ()) -> list[Rung]:
    """Return the rungs for `splits`, lowest first: those called `names`, or all that are usual.

    Tables have no features and no conv nets. Raises DataError for a regression, UnknownNameError for
    a rung that there is not.
    """
    if not splits.classes:
        raise DataError(
            f"compare: {splits.name} is a regression; classifiers are compared",
            hint="--task classification, if its targets are labels",
        )
    if are_images(splits.sample_shape):
        usual, more = _IMAGES, _MORE
    else:
        tables = [_for_tables(rung) for rung in (*_IMAGES, *_MORE) if _fits_tables(rung)]
        usual, more = tables, ()
    known = {rung.name: rung for rung in (*usual, *more)}
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"compare: there is no rung {name!r} for {splits.name}", hint=nearest(name, known)
            )
    return [rung for rung in known.values() if (rung.name in names if names else rung in usual)]


def _fits_tables(rung: Rung) -> bool:
    return not rung.described and rung.given["model"] in ("centroid", "linear", "mlp")


def _for_tables(rung: Rung) -> Rung:
    hidden = {"mlp": {"hidden": (64,)}, "mlp3": {"hidden": (64, 64)}}.get(rung.name, {})
    return replace(rung, given={**rung.given, **hidden}, takes=rung.takes - {"augment"})
