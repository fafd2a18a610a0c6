"""From settings to what runs: data read, a network built, loss, optimiser and schedule chosen.

Everything random is drawn from the seed in the settings, in a fixed order, so the same settings and
data give the same weights to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import nn, optim
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.data import Dataset, Splits, load
from chainrule.errors import ArgumentError, DataError
from chainrule.nn import functional as F
from chainrule.ops import random
from chainrule.optim import lr_scheduler
from chainrule.train.centroid import set_centroids
from chainrule.train.inference import Inference
from chainrule.train.models import build_model
from chainrule.train.preparation import Preparation, described_shape, prepare
from chainrule.train.settings import AUGMENTATIONS, OPTIMIZERS, PENALTIES, Settings, parsed
from chainrule.train.step import Loss
from chainrule.train.trainer import Trainer


def read_data(data: str, options: dict[str, Any], validation: float, seed: int) -> Splits:
    """Return the splits of `data.load`; the targets of a regression as (n, outputs)."""
    splits = load(data, validation=validation, seed=seed, **options)
    if splits.classes:
        return splits
    columns = {name: Dataset(part.x, part.y.reshape(len(part), -1)) for name, part in splits.parts.items()}
    return replace(splits, **columns)


@dataclass
class Assembled:
    """A trainer with freshly drawn weights, the splits that it walks through, and the way to them.

    `preparation` turns samples as they were read into what the network takes. The trainer does so
    batch by batch, unless the samples are described by features: `walked` holds these then.
    """

    trainer: Trainer
    walked: Splits
    preparation: Preparation


def assemble(
    settings: Settings, splits: Splits, ready: tuple[Preparation, Splits] | None = None
) -> Assembled:
    """Return the trainer that `settings` describe.

    The preparation is fitted on the training split only, unless it is given `ready`. Raises
    ArgumentError where settings and data do not go together.
    """
    if bool(splits.classes) == (settings.loss == "mse"):
        task, fitting = ("classification", "softmax or hinge") if splits.classes else ("regression", "mse")
        raise ArgumentError(
            f"loss: {splits.name} is a {task}, which takes the loss {fitting}, not {settings.loss}"
        )
    preparation, walked = ready or prepare_data(settings, splits)
    random.seed(settings.seed)
    inference = build_inference(settings, splits.sample_shape, outputs_of(splits))
    inference.prepare = None if settings.features else preparation
    if not splits.classes:
        _fit_units(inference.model, splits.train.y)
    if settings.model == "centroid":
        if settings.epochs or not splits.classes:
            raise ArgumentError(
                "model: a centroid is of classes, and computed, not trained", hint="--epochs 0"
            )
        set_centroids(inference, walked.train)
    return Assembled(wrap(settings, walked, inference), walked, preparation)


def prepare_data(settings: Settings, splits: Splits) -> tuple[Preparation, Splits]:
    """Return the preparation that `settings` describe, and the splits to walk through."""
    if settings.features and set(settings.augment) - {"flip"}:
        raise ArgumentError(
            "augment: images that are described by features can be mirrored, nothing else",
            got=", ".join(settings.augment),
        )
    return prepare(settings.features, splits, mirrored="flip" in settings.augment)


def wrap(settings: Settings, splits: Splits, inference: Inference) -> Trainer:
    """Return the trainer of a network that exists already."""
    model = inference.model
    optimizer = _optimizer(settings, model)
    return Trainer(
        model,
        loss_function(settings, model),
        optimizer,
        _penalty(settings),
        schedule=_schedule(settings, optimizer, -(-len(splits.train) // settings.batch_size)),
        per="iteration",
        prepare=inference.prepare,
        augment=[] if settings.features else _augmentations(settings, splits.sample_shape),
    )


def build_inference(settings: Settings, sample_shape: tuple[int, ...], outputs: int) -> Inference:
    """Return the network of `settings`; that of a regression speaks in the units of the targets."""
    network = build_model(
        settings.model,
        described_shape(settings.features, sample_shape),
        outputs,
        hidden=settings.hidden,
        activation=settings.activation,
        dropout=settings.dropout,
        batch_norm=settings.batch_norm,
        stochastic_depth=settings.stochastic_depth,
        pooling=settings.pooling,
    )
    return Inference(nn.Sequential(network, Units(outputs)) if settings.loss == "mse" else network)


def outputs_of(splits: Splits) -> int:
    """Return the number of classes, or of targets of a regression."""
    return len(splits.classes) or splits.train.y.shape[1]


class Units(nn.Module):
    """The last layer of a regression: from mean 0 and deviation 1 to the units of the targets."""

    mean: Tensor
    std: Tensor

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", Tensor(np.zeros(outputs, np.float32)))
        self.register_buffer("std", Tensor(np.ones(outputs, np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x * std + mean`."""
        return x * self.std + self.mean


def loss_function(settings: Settings, model: nn.Module) -> Loss:
    """Return the loss; that of a regression is measured in the variance of the training targets."""
    if settings.loss == "softmax":
        return F.cross_entropy
    if settings.loss == "hinge":
        return F.hinge_loss
    std = _units(model).std
    return lambda predicted, y: F.mse_loss(predicted / std, y / std)


def _fit_units(model: nn.Module, y: Array) -> None:
    units = _units(model)
    std = y.std(axis=0)
    units.mean.assign(y.mean(axis=0))
    units.std.assign(np.where(std > 0, std, 1))


def _units(model: nn.Module) -> Units:
    return next(module for module in model.modules() if isinstance(module, Units))


def _optimizer(settings: Settings, model: nn.Module) -> optim.Optimizer:
    options: dict[str, Any] = {"lr": settings.rate, "weight_decay": settings.weight_decay}
    if settings.optimizer in ("sgd", "rmsprop"):
        options["momentum"] = settings.momentum
    return OPTIMIZERS[settings.optimizer](model.parameters(), **options)


def _schedule(settings: Settings, optimizer: optim.Optimizer, iterations: int) -> Any:
    total = settings.epochs * iterations
    if settings.schedule == "constant" or not total:
        return None
    if settings.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    return lr_scheduler.OneCycleLR(
        optimizer, max_lr=settings.rate, total_steps=max(total, 2), cycle_momentum=False
    )


def _penalty(settings: Settings) -> Any:
    if not settings.penalty:
        return None
    name, numbers = parsed("penalty", settings.penalty, PENALTIES)
    try:
        return PENALTIES[name](*numbers)
    except TypeError as error:
        raise ArgumentError(
            f"penalty: {settings.penalty!r} has the wrong count of numbers",
            hint="l1:STRENGTH, l2:STRENGTH or elastic:STRENGTH:BETA",
        ) from error


def _augmentations(settings: Settings, sample_shape: tuple[int, ...]) -> list[Any]:
    if settings.augment and len(sample_shape) != 3:
        raise DataError(f"augment: only images can be augmented, the samples are {sample_shape}")
    made = []
    for text in settings.augment:
        name, numbers = parsed("augment", text, AUGMENTATIONS)
        kind, number = AUGMENTATIONS[name]
        try:
            made.append(kind(*map(number, numbers)))
        except TypeError as error:
            raise ArgumentError(
                f"augment: {text!r} needs one number", hint="flip, crop:4 or cutout:8"
            ) from error
    return made
