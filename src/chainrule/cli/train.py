"""`chainrule train`: from the name of a data set to a tested model in a run folder.

The options become settings (`choices`), recipes fill in the rest, an `Experiment` does the work; here it is
begun or gone on with, and told.
"""

from __future__ import annotations

import json as notation
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from chainrule.cli import choices
from chainrule.cli import options as o
from chainrule.cli.screen import watching
from chainrule.cli.signals import stopping
from chainrule.data import Splits
from chainrule.errors import ArgumentError, NonFiniteError
from chainrule.inspect import Monitor
from chainrule.train.assembly import prepare_data, read_data
from chainrule.train.budget import epochs_within
from chainrule.train.experiment import Experiment, Outcome, begin, go_on
from chainrule.train.models import is_from_file
from chainrule.train.recipes import recipe
from chainrule.train.run import Run, Stopped
from chainrule.train.settings import Settings

_MEASURED_EVERY = 10  # iterations; the rate and infinities are watched in every one


@o.taking(o.NETWORK, o.TRAINING, o.SOURCE)
def train(
    context: typer.Context,
    data: o.Data = None,
    *,
    model: o.Model = None,
    time_budget: o.TimeBudget = None,
    loss: o.Loss = None,
    validation: o.Validation = None,
    out: o.Out = None,
    resume: o.Resume = False,
    overwrite: o.Overwrite = False,
    save_every: o.SaveEvery = 60.0,
    diagnose: o.Diagnose = False,
    eager: o.Eager = False,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Train a network on DATA and test it; the last line is its test accuracy.

    What is not given follows from the data. Without DATA the handwritten digits are learnt.
    """
    console = Console(quiet=quiet or json, soft_wrap=True, highlight=False)
    experiment = _prepared(context.params, console)
    experiment.trainer.compile = not eager
    if diagnose:
        experiment.trainer.monitor = Monitor(every=_MEASURED_EVERY)
    outcome = _trained(experiment, console, quiet=quiet or json)
    _tell(experiment, outcome, console, as_json=json)


def _prepared(params: Mapping[str, Any], console: Console) -> Experiment:
    """Return the experiment to begin or to go on with, as the options say."""
    if params["resume"] and params["overwrite"]:
        raise ArgumentError("train: --resume and --overwrite exclude each other")
    if params["resume"] and params["out"] is None:
        raise ArgumentError(
            "train: --resume needs to know the run", hint="chainrule train --resume --out RUN"
        )
    if params["resume"] and Run(params["out"]).exists:
        return _resumed(params, console)
    data = params["data"]
    if params["resume"] and data is None:
        raise ArgumentError(
            f"train: there is no run in {str(params['out'])!r} to go on with",
            hint="give DATA to begin one there",
        )
    if data is None:
        data = "digits"
        console.print("no DATA given: training on digits")
    given, options = choices.settings(params), choices.data_options(params)
    basis = Settings(data, options, **given)
    splits = read_data(choices.source(data), options, basis.validation, basis.seed)
    settings = Settings(**recipe(splits, {**given, "data": choices.source(data), "options": options}))
    folder = Run(params["out"] or free_folder(splits.name, settings.model))
    if folder.occupied and not params["overwrite"]:
        raise ArgumentError(
            f"train: the folder {str(folder.folder)!r} is not empty",
            hint="--resume goes on with the run in it, --overwrite replaces it, --out names another",
        )
    for remark in splits.remarks:
        console.print(remark, markup=False)
    if params["time_budget"]:
        settings = _fitting(settings, splits, params, console)
    return begin(folder, settings, splits, params["save_every"])


def _fitting(settings: Settings, splits: Splits, params: Mapping[str, Any], console: Console) -> Settings:
    """Return the settings with as many epochs as fit into the time that is given, at least one."""
    seconds = choices.duration("--time-budget", params["time_budget"])
    ready = prepare_data(settings, splits)
    epochs = epochs_within(seconds, settings, splits, ready)
    if params["epochs"] is not None:
        epochs = min(epochs, params["epochs"])
    if not epochs:
        console.print(f"not one epoch fits into {params['time_budget']}; one is trained", markup=False)
    return replace(settings, epochs=max(epochs, 1))


def _resumed(params: Mapping[str, Any], console: Console) -> Experiment:
    """Return the experiment to go on with; options that contradict it are refused."""
    folder = Run(params["out"])
    given = choices.settings(params)
    model = given["model"] if is_from_file(given.get("model", "")) else ""
    stored = folder.config()["settings"]
    if params["data"] is not None:
        given["data"] = choices.source(params["data"])
    if options := choices.data_options(params):
        given["options"] = options
    for name, value in given.items():
        if name != "epochs" and (list(value) if isinstance(value, tuple) else value) != stored.get(name):
            raise ArgumentError(
                f"train: the run in {folder.folder} has {name} {stored.get(name)!r}, not {value!r}",
                hint="leave it out to go on, or use --overwrite to begin anew",
            )
    experiment = go_on(folder, given.get("epochs"), model=model, seconds=params["save_every"])
    done = f"{experiment.trainer.epoch} of {experiment.settings.epochs} epochs"
    state = "is finished" if experiment.finished else "goes on"
    console.print(f"the run in {folder.folder} {state}: {done} are done", markup=False)
    return experiment


def _trained(experiment: Experiment, console: Console, quiet: bool) -> Outcome:
    """Train to the end, or stop with a word on how to go on."""
    console.print(_description(experiment), markup=False)
    try:
        with (
            stopping(experiment.keeper),
            watching(console, experiment.settings.epochs, quiet) as watchers,
        ):
            return experiment.run(watchers)
    except NonFiniteError:
        _tell_diagnosis(experiment, console)
        raise
    except Stopped as stopped:
        model = experiment.settings.model
        again = ["--out", str(experiment.folder.folder), *(["--model", model] if is_from_file(model) else [])]
        typer.echo(f"stopped and saved; go on with: chainrule train --resume {shlex.join(again)}", err=True)
        raise typer.Exit(128 + stopped.signal) from None


def _description(experiment: Experiment) -> str:
    settings, splits = experiment.settings, experiment.splits
    counts = ", ".join(f"{len(part)} {name}" for name, part in splits.parts.items())
    parameters = sum(each.size for each in experiment.trainer.model.parameters())
    network = f"{settings.model} with {parameters:,} parameters"
    return f"{splits.name}: {counts}; {network} -> {experiment.folder.folder}"


def _tell(experiment: Experiment, outcome: Outcome, console: Console, as_json: bool) -> None:
    for note in outcome.notes:
        console.print(note, markup=False)
    folder = str(experiment.folder.folder)
    tested = outcome.tested
    _tell_diagnosis(experiment, console)
    if as_json:
        result = {
            "run": folder,
            "best_epoch": outcome.best_epoch,
            "test": None if tested is None else tested.as_dict(),
        }
        typer.echo(notation.dumps({**result, "history": outcome.history.rows}))
        return
    console.print(f"best epoch {outcome.best_epoch}; report: {folder}/report.html", markup=False)
    if tested is None:
        typer.echo("no test split")
    elif tested.accuracy is not None:
        typer.echo(f"test accuracy {tested.accuracy:.4f}")
    else:
        typer.echo(f"test rmse {tested.rmse:.6g}")


def _tell_diagnosis(experiment: Experiment, console: Console) -> None:
    """Say what a monitor found, if there is one."""
    if experiment.trainer.monitor is not None:
        console.print(experiment.trainer.monitor.diagnosis().summary(), markup=False)


def free_folder(name: str, model: str) -> Path:
    """Return the first free `runs/NAME-MODEL-N`."""
    plain = re.sub(r"[^\w.-]+", "_", f"{name}-{Path(model.partition(':')[0]).stem}")
    number = 1
    while (folder := Path("runs") / f"{plain}-{number}").exists():
        number += 1
    return folder
