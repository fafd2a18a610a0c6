"""A trained model ready for use: its network, its preprocessing and its classes, from a run.

Reads a run folder or one checkpoint file. A network that was built by a user's own function needs
that function named again, since code is never run because a file says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.data import Dataset, Splits
from chainrule.errors import ArgumentError, ChainruleError, CheckpointError, DataError
from chainrule.train import checkpoint
from chainrule.train.assembly import build_inference, loss_function
from chainrule.train.evaluation import Evaluation
from chainrule.train.inference import Inference
from chainrule.train.models import is_from_file
from chainrule.train.preparation import prepared
from chainrule.train.reading import read_samples
from chainrule.train.run import Config, Run, no_run, read_config
from chainrule.train.settings import Settings


@dataclass(frozen=True)
class Predictor:
    """A model with all that is needed to use it on new samples."""

    inference: Inference
    settings: Settings
    classes: tuple[str, ...]
    sample_shape: tuple[int, ...]
    images: bool

    @classmethod
    def open(cls, path: str | Path, model: str = "") -> Predictor:
        """Return the best model of the run folder at `path`, or the model of a checkpoint file.

        `model` names a user's function again (`file.py:function`) where the network came from one.
        Raises CheckpointError where there is no usable model.
        """
        path = _checkpoint_file(Path(path))
        state = checkpoint.load(path)
        config = read_config(state, path)
        weights = state["model"] if "model" in state else state["trainer"]["model"]
        _check_sizes(config, weights, path)
        predictor = cls._untrained(config, model, path)
        predictor.inference.model.load_state_dict(weights)
        return predictor

    @classmethod
    def _untrained(cls, config: Config, model: str, path: Path) -> Predictor:
        settings = Settings.from_dict(config["settings"])
        if is_from_file(settings.model):
            if not model:
                raise CheckpointError(
                    f"{path.name}: its network was built by {settings.model}, which is not run unasked",
                    hint=f"--model {settings.model}",
                )
            settings = replace(settings, model=model)
        try:
            data = config["data"]
            shape, outputs = tuple(int(size) for size in data["sample_shape"]), int(data["outputs"])
            inference = build_inference(settings, shape, outputs)
            inference.prepare = prepared(settings.features, shape, config["normalizer"])
            return cls(inference, settings, tuple(data["classes"]), shape, bool(data["images"]))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ChainruleError):
                raise
            raise CheckpointError(
                f"{path.name}: its configuration is not that of a run ({error!r})"
            ) from error

    def evaluate(self, data: Dataset) -> Evaluation:
        """Return what the model is worth on `data`, whose classes are matched by name."""
        loss = loss_function(self.settings, self.inference.model)
        return self.inference.evaluate(self.matched(data), loss)

    def probabilities(self, x: Array) -> Array:
        """Return the probability of each class (n, classes), or scores if the loss was not softmax."""
        scores = self.inference.scores(x)
        if self.settings.loss != "softmax":
            return scores
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def read(self, path: Path) -> Array:
        """Return the samples in a file, prepared as those of training; DataError names a bad file."""
        return read_samples(path, self.sample_shape, self.images)

    def matched(self, data: Dataset) -> Dataset:
        """Return `data` with the labels of the model's classes; DataError where they do not fit it."""
        if data.sample_shape != self.sample_shape:
            raise DataError(f"the model takes samples {self.sample_shape}, these are {data.sample_shape}")
        if data.classes == self.classes:
            return data
        unknown = [name for name in data.classes if name not in self.classes]
        if unknown or not data.classes:
            raise DataError(
                f"the class {unknown[0]!r} is unknown to the model"
                if unknown
                else "the model tells classes apart, the data are a regression",
                got=f"the model's classes: {', '.join(self.classes)}",
            )
        order = np.array([self.classes.index(name) for name in data.classes])
        return Dataset(data.x, order[data.y], self.classes)


def choose_split(splits: Splits, name: str) -> Dataset:
    """Return one split by name, or `all` of them as one; DataError where there is none."""
    if name == "all":
        parts = list(splits.parts.values())
        return Dataset(
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.y for part in parts]),
            splits.classes,
        )
    if name not in ("train", "validation", "test"):
        raise ArgumentError(f"split: must be train, validation, test or all, got {name!r}")
    if name not in splits.parts:
        raise DataError(
            f"{splits.name}: there is no split {name!r}",
            got=f"splits: {', '.join(splits.parts)}",
            hint="--split train, or DATA that the run has not seen",
        )
    return splits.parts[name]


def _check_sizes(config: Config, weights: dict[str, Any], path: Path) -> None:
    """Refuse a configuration that asks for a network far larger than the weights beside it."""
    stored = sum(np.asarray(each).size for each in weights.values())
    try:
        asked = [*config["settings"]["hidden"], config["data"]["outputs"], *config["data"]["sample_shape"]]
        fits = all(0 < int(size) <= max(stored, 2**14) for size in asked)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path.name}: its configuration is not that of a run ({error!r})") from error
    if not fits or math.prod(int(size) for size in config["data"]["sample_shape"]) > 2**26:
        raise CheckpointError(f"{path.name}: its configuration does not fit its {stored} weights")


def _checkpoint_file(path: Path) -> Path:
    if not path.exists():
        raise no_run(path)
    if not path.is_dir():
        return path
    run = Run(path)
    for file in (run.best, run.last):
        if file.exists():
            return file
    run.config()
    raise CheckpointError(
        f"{path}: the run has no checkpoint yet", hint="go on with `chainrule train --resume`"
    )
