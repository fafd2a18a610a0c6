"""A whole run, from settings to report: begin or go on, train, test the best weights, write it down.

The one function behind `chainrule train`, for use from Python as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.core.spec import Array
from chainrule.data import Splits
from chainrule.errors import ArgumentError, CheckpointError, MissingDependencyError
from chainrule.inspect.diagnose import Monitor
from chainrule.train import plots
from chainrule.train.assembly import Assembled, assemble, read_data
from chainrule.train.evaluation import Evaluation
from chainrule.train.history import History
from chainrule.train.predictor import Predictor
from chainrule.train.report import html_report
from chainrule.train.run import Config, Run, RunKeeper, configuration
from chainrule.train.settings import Settings
from chainrule.train.templates import template_weights, templates
from chainrule.train.trainer import Trainer, Watcher


@dataclass(frozen=True)
class Outcome:
    """What a run came to: the evaluation of its best weights on the test split, if there is one."""

    tested: Evaluation | None
    history: History
    best_epoch: int
    notes: tuple[str, ...] = ()


@dataclass
class Experiment:
    """A run that is ready to start or to go on: `run()` does the rest."""

    folder: Run
    settings: Settings
    splits: Splits
    assembled: Assembled
    keeper: RunKeeper

    @property
    def trainer(self) -> Trainer:
        """The trainer of the run."""
        return self.assembled.trainer

    @property
    def finished(self) -> bool:
        """Whether all its epochs are done."""
        return self.trainer.epoch >= self.settings.epochs

    def run(self, watchers: Sequence[Watcher] = ()) -> Outcome:
        """Train what is left to train, test the best weights and write the report.

        Raises `Stopped` when the keeper was asked to stop; the state is then saved.
        """
        left = self.settings.epochs - self.trainer.epoch
        if left > 0:
            self.trainer.fit(
                self.assembled.walked.train,
                self.assembled.walked.validation,
                epochs=left,
                batch_size=self.settings.batch_size,
                seed=self.settings.seed,
                watchers=(*watchers, self.keeper),
            )
        elif not self.folder.best.exists():
            self.keeper.epoch(self.trainer, None)
        best = Predictor.open(self.folder.best, self.settings.model)
        tested = None if self.splits.test is None else best.evaluate(self.splits.test)
        notes = write_report(
            self.folder,
            self.keeper.config,
            self.trainer.history,
            tested,
            self.trainer.monitor,
            weights=template_weights(self.settings, best.inference.model, self.splits.sample_shape),
        )
        return Outcome(tested, self.trainer.history, int(self.keeper.best["epoch"]), notes)


def begin(folder: Run, settings: Settings, splits: Splits, seconds: float = 60.0) -> Experiment:
    """Return a new experiment in `folder`, whose configuration is written at once."""
    assembled = assemble(settings, splits)
    config = configuration(settings, splits, assembled.preparation)
    folder.begin(config)
    return Experiment(folder, settings, splits, assembled, RunKeeper(folder, config, seconds=seconds))


def go_on(
    folder: Run,
    epochs: int | None = None,
    *,
    model: str = "",
    seconds: float = 60.0,
    read: Callable[[Settings], Splits] | None = None,
) -> Experiment:
    """Return the experiment in `folder` at its last saved state.

    `epochs` makes it longer, which a schedule that is planned to its end does not allow. `model`
    names a user's function again. Raises CheckpointError where the data are no longer the same.
    """
    config = folder.config()
    settings = _longer(Settings.from_dict(config["settings"]), epochs, model)
    splits = (read or read_settings_data)(settings)
    assembled = assemble(settings, splits)
    now = configuration(settings, splits, assembled.preparation)
    if now["data"] != config["data"]:
        raise CheckpointError(
            f"{folder.folder}: the data have changed since this run began",
            got=_difference(config, now),
            hint="train anew into another folder",
        )
    experiment = Experiment(folder, settings, splits, assembled, RunKeeper(folder, now, seconds=seconds))
    experiment.keeper.resume(assembled.trainer)
    folder.write("config.json", json.dumps(now, indent=1) + "\n")
    return experiment


def read_settings_data(settings: Settings) -> Splits:
    """Return the splits that `settings` name."""
    return read_data(settings.data, settings.options, settings.validation, settings.seed)


def write_report(
    folder: Run,
    config: Config,
    history: History,
    tested: Evaluation | None,
    monitor: Monitor | None = None,
    *,
    weights: Array | None = None,
) -> tuple[str, ...]:
    """Write result.json, figures and report.html; return notes on what could not be made.

    `weights` are those of a linear classifier of images, to be looked at as templates.
    Of a run with a monitor, the diagnosis is a section of the report, and diagnosis.json.
    """
    plain = None if tested is None else tested.as_dict()
    folder.write("result.json", json.dumps({"test": plain, "epochs": len(history)}, indent=1) + "\n")
    figures: dict[str, bytes] = {}
    notes: tuple[str, ...] = ()
    try:
        if len(history):
            figures["Curves"] = plots.curves(history)
            folder.write("curves.png", figures["Curves"])
        if tested is not None and tested.confusion is not None:
            figures["Confusion matrix"] = plots.confusion(tested.confusion, tested.classes)
            folder.write("confusion.png", figures["Confusion matrix"])
        if weights is not None and tested is not None:
            figures["Templates"] = templates(weights, tested.classes)
            folder.write("templates.png", figures["Templates"])
        if monitor is not None:
            figures.update(monitor.figures())
    except MissingDependencyError as error:
        notes = (f"no figures: {error.headline}; {error.hint}",)
    found = None if monitor is None else monitor.diagnosis()
    if found is not None:
        folder.write("diagnosis.json", found.json() + "\n")
    folder.write("report.html", html_report(config, history, tested, figures, found))
    return notes


def _longer(settings: Settings, epochs: int | None, model: str) -> Settings:
    plain = settings.as_dict()
    if model:
        plain["model"] = model
    if epochs is not None and epochs != settings.epochs:
        if epochs < settings.epochs:
            raise ArgumentError(
                f"epochs: the run was begun with {settings.epochs}; it can be made longer, not shorter"
            )
        if settings.schedule != "constant":
            raise ArgumentError(
                f"epochs: this run's {settings.schedule} schedule ends after its {settings.epochs} epochs",
                hint=f"train anew with --epochs {epochs}, or begin with --schedule constant to stay free",
            )
        plain["epochs"] = epochs
    return Settings.from_dict(plain)


def _difference(before: Config, now: Config) -> str:
    changed = [key for key in now["data"] if before["data"].get(key) != now["data"][key]]
    return "; ".join(f"{key}: then {before['data'].get(key)}, now {now['data'][key]}" for key in changed)
