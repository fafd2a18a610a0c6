"""The options of the command line, declared once each; the verbs name those that they take.

Three groups of them (the network, training, the data) are the same for several verbs, which take a group
whole (`taking`). What a value means is known in `choices`, and below.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class BadImages(StrEnum):
    """What to do with a picture that cannot be read."""

    ERROR = "error"
    SKIP = "skip"


class Channels(StrEnum):
    """Colour or grey."""

    RGB = "rgb"
    GREY = "grey"


class Task(StrEnum):
    """Labels of classes, or targets of a regression."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


_MODEL, _TRAINING, _DATA, _RUN = "The network", "Training", "The data", "The run"
_COMPARED = "What is compared"

Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="digits, mnist, fashion-mnist, cifar10, a toy (spiral, moons, ...), a folder of images,"
        " a .csv or a .npz.",
        show_default=False,
    ),
]
RunPath = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="A run folder (or one of its .safetensors files).", show_default=False
    ),
]
DataOrRun = Annotated[
    str,
    typer.Argument(
        metavar="DATA|RUN", help="A data set by name or path, or a run folder.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the last line only.")]

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="centroid, linear, mlp, cnn, resnet20, or file.py:function.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
Hidden = Annotated[
    str | None,
    typer.Option("--hidden", help="Sizes of the hidden layers, as in 128,64.", rich_help_panel=_MODEL),
]
Activation = Annotated[
    str | None,
    typer.Option(
        "--activation",
        help="relu, leaky-relu, elu, selu, gelu, silu, sigmoid, tanh or softplus.",
        rich_help_panel=_MODEL,
    ),
]
Dropout = Annotated[
    float | None,
    typer.Option("--dropout", help="Probability of dropping a hidden unit.", rich_help_panel=_MODEL),
]
Features = Annotated[
    list[str] | None,
    typer.Option(
        "--features",
        help="What the network sees instead of pixels: hog, color or hue; may be repeated.",
        rich_help_panel=_MODEL,
    ),
]
BatchNorm = Annotated[
    bool | None,
    typer.Option("--batch-norm/--no-batch-norm", help="Normalise by batches.", rich_help_panel=_MODEL),
]
StochasticDepth = Annotated[
    float | None,
    typer.Option(
        "--stochastic-depth", help="Probability of dropping the last block (resnet).", rich_help_panel=_MODEL
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option("--pooling", help="max, mean or fractional (cnn).", rich_help_panel=_MODEL),
]
TimeBudget = Annotated[
    str | None,
    typer.Option(
        "--time-budget",
        help="As many epochs as fit into 90s, 10m or 1h (at most --epochs).",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None, typer.Option("--epochs", help="Walks through the training data.", rich_help_panel=_TRAINING)
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", help="Samples an iteration.", rich_help_panel=_TRAINING)
]
Rate = Annotated[
    float | None, typer.Option("--rate", help="Learning rate (the highest one).", rich_help_panel=_TRAINING)
]
Optimizer = Annotated[
    str | None,
    typer.Option("--optimizer", help="sgd, adam, adamw, rmsprop or adagrad.", rich_help_panel=_TRAINING),
]
Momentum = Annotated[
    float | None, typer.Option("--momentum", help="Of sgd and rmsprop.", rich_help_panel=_TRAINING)
]
Schedule = Annotated[
    str | None,
    typer.Option("--schedule", help="constant, cosine or one-cycle.", rich_help_panel=_TRAINING),
]
WeightDecay = Annotated[
    float | None, typer.Option("--weight-decay", help="Of the optimiser.", rich_help_panel=_TRAINING)
]
Penalty = Annotated[
    str | None,
    typer.Option("--penalty", help="l1:1e-5, l2:1e-4 or elastic:1e-4:0.5.", rich_help_panel=_TRAINING),
]
Loss = Annotated[
    str | None, typer.Option("--loss", help="softmax, hinge, or mse (regression).", rich_help_panel=_TRAINING)
]
Augment = Annotated[
    list[str] | None,
    typer.Option("--augment", help="flip, crop:4 or cutout:8; may be repeated.", rich_help_panel=_TRAINING),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Decides all that is random.", rich_help_panel=_TRAINING)
]
Validation = Annotated[
    float | None,
    typer.Option("--validation", help="Share of the training data held back.", rich_help_panel=_DATA),
]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="Where the files of mnist, cifar10, ... lie.", rich_help_panel=_DATA),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size", help="Scale pictures to this, as in 64 or 48x64 (height x width).", rich_help_panel=_DATA
    ),
]
ChannelsOption = Annotated[
    Channels | None, typer.Option("--channels", help="Colour or grey pictures.", rich_help_panel=_DATA)
]
BadImagesOption = Annotated[
    BadImages | None,
    typer.Option("--bad-images", help="What to do with unreadable pictures.", rich_help_panel=_DATA),
]
Label = Annotated[
    str | None, typer.Option("--label", help="Column of the label, by name or number.", rich_help_panel=_DATA)
]
TaskOption = Annotated[
    Task | None, typer.Option("--task", help="Say what the labels of a table are.", rich_help_panel=_DATA)
]
Samples = Annotated[
    int | None, typer.Option("--samples", help="Number of samples of a toy.", rich_help_panel=_DATA)
]
Noise = Annotated[float | None, typer.Option("--noise", help="Noise of a toy.", rich_help_panel=_DATA)]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Run folder; runs/DATA-MODEL-N if not given.", rich_help_panel=_RUN),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the run in --out (begin it if there is none).", rich_help_panel=_RUN
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what is in --out.", rich_help_panel=_RUN)
]
SaveEvery = Annotated[
    float,
    typer.Option(
        "--save-every", help="Seconds between saves within an epoch.", rich_help_panel=_RUN, min=0.0
    ),
]
Eager = Annotated[
    bool,
    typer.Option("--eager", help="Do not compile the training step.", rich_help_panel=_RUN),
]
Diagnose = Annotated[
    bool,
    typer.Option("--diagnose", help="Watch for dead units, a wrong rate, ...; see the report."),
]
Budget = Annotated[
    str, typer.Option("--budget", help="Time for everything, as in 90s, 15m, 1h.", rich_help_panel=_COMPARED)
]
Rungs = Annotated[
    list[str] | None,
    typer.Option(
        "--rung",
        help="Only this classifier (centroid, random-search, linear-hinge, linear, mlp, mlp3,"
        " features-linear, features-mlp, cnn, resnet20); may be repeated.",
        rich_help_panel=_COMPARED,
        show_default=False,
    ),
]
Fractions = Annotated[
    str | None,
    typer.Option(
        "--fractions",
        help="Features and conv net on parts of the training data, as in 1%,10%,100%.",
        rich_help_panel=_COMPARED,
        show_default=False,
    ),
]
Regularisers = Annotated[
    bool,
    typer.Option(
        "--regularisers",
        help="What each does to the gap between training and test, on few samples (1,000, or --fractions).",
        rich_help_panel=_COMPARED,
    ),
]
Searches = Annotated[
    bool,
    typer.Option(
        "--searches",
        help="The ways to find weights, from guessing to Adam, by time and epochs.",
        rich_help_panel=_COMPARED,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds", help="Runs for a spread (fractions, regularisers).", min=1, rich_help_panel=_COMPARED
    ),
]
ComparisonOut = Annotated[
    Path | None,
    typer.Option("--out", help="Folder; runs/DATA-compare-N if not given.", rich_help_panel=_RUN),
]

# What several verbs take: they read these from their context, by the names of the settings.
NETWORK = {
    "features": Features,
    "hidden": Hidden,
    "activation": Activation,
    "dropout": Dropout,
    "batch_norm": BatchNorm,
    "stochastic_depth": StochasticDepth,
    "pooling": Pooling,
}
TRAINING = {
    "epochs": Epochs,
    "batch_size": BatchSize,
    "rate": Rate,
    "optimizer": Optimizer,
    "momentum": Momentum,
    "schedule": Schedule,
    "weight_decay": WeightDecay,
    "penalty": Penalty,
    "augment": Augment,
    "seed": Seed,
}
SOURCE = {
    "folder": Folder,
    "size": Size,
    "channels": ChannelsOption,
    "bad_images": BadImagesOption,
    "label": Label,
    "task": TaskOption,
    "samples": Samples,
    "noise": Noise,
}


def taking(*groups: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a verb the options of `groups`, too; their values are in `context.params`."""
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for group in groups
        for name, kind in group.items()
    ]

    def extended(verb: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(verb, eval_str=True)

        @functools.wraps(verb)
        def call(**params: Any) -> None:
            verb(**{name: params[name] for name in own.parameters})

        vars(call)["__signature__"] = own.replace(parameters=[*own.parameters.values(), *more])
        call.__annotations__ = {each.name: each.annotation for each in (*own.parameters.values(), *more)}
        return call

    return extended
