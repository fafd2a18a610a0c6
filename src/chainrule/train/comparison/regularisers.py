"""Regularisers one by one, on few training samples: what each does to the gap between training and test.

Every trial is the same network without any of them, plus one. Stochastic depth needs branches to
drop, so it is compared with a residual network, all others with a conv net (of tables: two hidden
layers) without batch norm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.data import Splits
from chainrule.errors import DataError
from chainrule.train.comparison.trials import Outcome, Trial
from chainrule.train.comparison.verdict import mean_and_spread
from chainrule.train.recipes import Choices, are_images
from chainrule.train.settings import Settings

SAMPLES = 1000  # of the training data, where nobody says how many

_PLAIN: Choices = {
    "optimizer": "adam",
    "rate": 1e-3,
    "weight_decay": 0.0,
    "batch_size": 32,
    "epochs": 40,
    "hidden": (),
    "batch_norm": False,
}
_ANYWHERE: dict[str, Choices] = {
    "L1": {"penalty": "l1:1e-4"},
    "L2": {"penalty": "l2:1e-3"},
    "elastic net": {"penalty": "elastic:1e-4:5"},
    "dropout": {"dropout": 0.5},
    "batch norm": {"batch_norm": True},
}
_IMAGES: dict[str, Choices] = {"fractional max pooling": {"pooling": "fractional"}}


def by_regulariser(splits: Splits, fraction: float, chosen: Mapping[str, Any]) -> list[Trial]:
    """Return the trials for `--regularisers` on a fraction of the training data.

    `chosen` changes the network that all have in common. Raises DataError for a regression.
    """
    if not splits.classes:
        raise DataError(f"compare: {splits.name} is a regression; classifiers are compared")
    images = are_images(splits.sample_shape)
    model, plain = ("cnn", "conv net") if images else ("mlp", "three layers")
    common: Choices = {**_PLAIN, "model": model, **({} if images else {"hidden": (64, 64)}), **chosen}

    def trial(title: str, given: Choices, against: str = "", share: float = 1) -> Trial:
        return Trial(title, fraction, Settings(splits.name, **given), share, against)

    variants = {**_ANYWHERE, **(_IMAGES if images else {})}
    trials = [trial(plain, common)]
    trials += [trial(title, {**common, **own}, plain) for title, own in variants.items()]
    if images:
        deep = {**common, "model": "resnet8", "batch_norm": None}
        trials.append(trial("residual net", deep, share=2))
        trials.append(trial("stochastic depth", {**deep, "stochastic_depth": 0.5}, "residual net", 2))
    return trials


def effects(outcomes: Sequence[Outcome]) -> str:
    """Return one sentence on what narrows the gap most, and what gains most in the test."""
    plain = {each.trial.title: each for each in outcomes if not each.trial.against and each.test}
    tried = [each for each in outcomes if each.trial.against in plain and each.test]
    if not tried:
        return "Too little was trained to compare regularisers."

    def gain(outcome: Outcome, name: str) -> float:
        basis = plain[outcome.trial.against]
        return mean_and_spread(getattr(outcome, name))[0] - mean_and_spread(getattr(basis, name))[0]

    narrow = min(tried, key=lambda each: gain(each, "gaps"))
    best = max(tried, key=lambda each: gain(each, "test"))
    return (
        f"{narrow.trial.title} changes the gap between training and test most, by"
        f" {100 * gain(narrow, 'gaps'):+.1f} points; {best.trial.title} does most for the test,"
        f" {100 * gain(best, 'test'):+.1f} points (means over seeds; see the spread beside them)."
    )
