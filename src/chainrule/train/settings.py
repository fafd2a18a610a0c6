"""Settings: all choices that make a run what it is, in one checked record of plain values.

A run is a function of its settings and its data. They are written as JSON into the run folder, and
read back from there. Which values are sensible for which data is the recipes' business, what is
built from them that of `assembly`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from chainrule import optim
from chainrule.data import Cutout, HorizontalFlip, RandomCrop
from chainrule.errors import ArgumentError, CheckpointError, UnknownNameError, nearest
from chainrule.train.convnets import POOLINGS
from chainrule.train.models import check_names
from chainrule.train.preparation import parsed_feature

LOSSES = ("softmax", "hinge", "mse")
SCHEDULES = ("constant", "cosine", "one-cycle")
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
}
PENALTIES: dict[str, Callable[..., Any]] = {"l1": optim.L1, "l2": optim.L2, "elastic": optim.ElasticNet}
AUGMENTATIONS: dict[str, tuple[Callable[..., Any], type]] = {  # with the kind of their numbers
    "flip": (HorizontalFlip, float),
    "crop": (RandomCrop, int),
    "cutout": (Cutout, int),
}

_LISTS = ("hidden", "features", "augment")


@dataclass(frozen=True)
class Settings:
    """The choices of a run; raises ArgumentError or UnknownNameError where one cannot be.

    `data` is what `data.load` takes, with its options; `penalty` reads `l2:1e-4` or `elastic:1e-4:0.5`
    (strength, beta), `augment` `flip`, `crop:4`, `cutout:8`, `features` `hog:4`, `color:8:4`. What
    `batch_norm` None means is the network's affair.
    """

    data: str
    options: dict[str, Any] = field(default_factory=dict)
    validation: float = 0.1
    model: str = "mlp"
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    features: tuple[str, ...] = ()
    dropout: float = 0.0
    batch_norm: bool | None = None
    stochastic_depth: float = 0.0
    pooling: str = "max"
    loss: str = "softmax"
    penalty: str = ""
    optimizer: str = "adamw"
    rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "one-cycle"
    augment: tuple[str, ...] = ()
    epochs: int = 10
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        check_names(self.model, self.activation)
        for name, value, known in (
            ("loss", self.loss, LOSSES),
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
            ("pooling", self.pooling, POOLINGS),
        ):
            if value not in known:
                raise UnknownNameError(f"{name}: there is none called {value!r}", hint=nearest(value, known))
        _check_ranges(self)
        if self.penalty:
            parsed("penalty", self.penalty, PENALTIES)
        for each in self.augment:
            parsed("augment", each, AUGMENTATIONS)
        for each in self.features:
            parsed_feature(each)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain data, fit for JSON."""
        plain = asdict(self)
        return {**plain, **{name: list(plain[name]) for name in _LISTS}}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Settings:
        """Return the settings that `as_dict` wrote; CheckpointError where they are something else."""
        known = {each.name for each in fields(cls)}
        try:
            unknown = sorted(set(plain) - known)
            if unknown:
                raise CheckpointError(f"settings: {unknown[0]!r} is unknown", hint=nearest(unknown[0], known))
            values: dict[str, Any] = dict(plain)
            values.update({name: tuple(plain[name]) for name in _LISTS})
            return cls(**values)
        except (KeyError, TypeError, ArgumentError, UnknownNameError) as error:
            raise CheckpointError(f"settings: not those of a run ({error})") from error


def parsed(what: str, text: str, known: Iterable[str]) -> tuple[str, list[float]]:
    """Return `("l2", [1e-4])` for `l2:1e-4`; UnknownNameError or ArgumentError for what is neither."""
    name, *numbers = text.split(":")
    if name not in known:
        raise UnknownNameError(f"{what}: there is none called {name!r}", hint=nearest(name, known))
    try:
        return name, [float(number) for number in numbers]
    except ValueError:
        raise ArgumentError(f"{what}: {text!r} should read like {name}:0.5, a name and numbers") from None


def _check_ranges(settings: Settings) -> None:
    ranges: tuple[tuple[str, bool, str], ...] = (
        ("epochs", settings.epochs >= 0, "from 0"),
        ("batch_size", settings.batch_size >= 1, "from 1"),
        ("rate", 0 < settings.rate < float("inf"), "above 0"),
        ("momentum", 0 <= settings.momentum < 1, "in [0, 1)"),
        ("weight_decay", 0 <= settings.weight_decay < float("inf"), "from 0"),
        ("dropout", 0 <= settings.dropout < 1, "in [0, 1)"),
        ("stochastic_depth", 0 <= settings.stochastic_depth < 1, "in [0, 1)"),
        ("validation", 0 <= settings.validation < 1, "in [0, 1)"),
        ("seed", 0 <= settings.seed < 2**63, "from 0"),
        ("hidden", all(size >= 1 for size in settings.hidden), "sizes from 1"),
    )
    for name, holds, allowed in ranges:
        if not holds:
            raise ArgumentError(f"{name}: must be {allowed}, got {getattr(settings, name)!r}")
