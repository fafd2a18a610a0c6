"""The run folder: everything about one training, and the way to go on with it.

    config.json          settings, classes, preprocessing: what the run is
    last.safetensors     the state after the last save; from here a run goes on bit for bit
    best.safetensors     the weights that did best on the validation split
    history.csv, .json   one row an epoch
    curves.png, confusion.png, report.html, result.json   written at the end (and templates.png of a
                         linear classifier of images)

Either checkpoint holds the configuration as well, so each is complete by itself. `best` is written
before `last`: a kill between the two repeats a part of the epoch and arrives at the same place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chainrule.data import Splits
from chainrule.errors import CheckpointError, nearest
from chainrule.train import checkpoint
from chainrule.train.assembly import outputs_of
from chainrule.train.evaluation import Evaluation
from chainrule.train.files import remove_leftovers, write_file
from chainrule.train.fingerprint import fingerprint
from chainrule.train.preparation import Preparation
from chainrule.train.recipes import are_images
from chainrule.train.settings import Settings
from chainrule.train.trainer import Keeper, Trainer

Config = dict[str, Any]

FILES = (
    "last.safetensors",
    "best.safetensors",
    "config.json",
    "history.csv",
    "history.json",
    "result.json",
    "diagnosis.json",
    "curves.png",
    "confusion.png",
    "templates.png",
    "report.html",
)


class Run:
    """One run folder, by path; nothing is read or written until it is asked for."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.last = self.folder / "last.safetensors"
        self.best = self.folder / "best.safetensors"
        self.config_file = self.folder / "config.json"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run that can be gone on with."""
        return self.last.exists() or self.config_file.exists()

    @property
    def occupied(self) -> bool:
        """Whether the folder holds anything at all."""
        return self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir()))

    def begin(self, config: Config) -> None:
        """Write the configuration of a new run; files of an earlier run are removed first."""
        self.clear()
        self.write("config.json", json.dumps(config, indent=1) + "\n")

    def clear(self) -> None:
        """Remove the files that a run writes, and no others."""
        for name in FILES if self.folder.is_dir() else ():
            (self.folder / name).unlink(missing_ok=True)
        remove_leftovers(self.folder, FILES)

    def write(self, name: str, content: str | bytes) -> None:
        """Write one file of the run, whole or not at all."""
        write_file(self.folder / name, content)

    def config(self) -> Config:
        """Return the configuration; CheckpointError where there is none."""
        if self.last.exists():
            return read_config(checkpoint.load(self.last), self.last)
        try:
            return json.loads(self.config_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(
                f"{self.folder}: there is no run in this folder",
                hint="a run is made by `chainrule train DATA --out FOLDER`",
            ) from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.config_file}: cannot be read ({error})") from error


def no_run(path: Path) -> CheckpointError:
    """Return what is said where nothing lies at the path of a run, with the runs that lie beside it."""
    beside = [each.name for each in path.parent.iterdir() if Run(each).exists] if path.parent.is_dir() else []
    hint = nearest(path.name, beside) or "a run is made by `chainrule train DATA --out FOLDER`"
    return CheckpointError(f"{path}: there is no such run folder, and no checkpoint file", hint=hint)


class Stopped(Exception):
    """A run was asked to stop, and has saved its state; `signal` is the number that asked."""

    def __init__(self, signal: int) -> None:
        super().__init__(f"stopped by signal {signal}")
        self.signal = signal


class RunKeeper(Keeper):
    """The watcher that writes a run folder.

    Assign a signal's number to `signal` to have the run saved after the present iteration and
    `Stopped` raised.
    """

    def __init__(self, run: Run, config: Config, *, seconds: float = 60.0) -> None:
        super().__init__(run.last, seconds)
        self.run, self.config = run, config
        self.best: dict[str, Any] = {}
        self.signal = 0

    def state(self, trainer: Trainer) -> dict[str, Any]:
        """Return the trainer's state with the configuration and the best epoch so far."""
        return {"trainer": super().state(trainer), "config": self.config, "best": self.best}

    def resume(self, trainer: Trainer) -> None:
        """Bring `trainer` to the last saved state, if there is one."""
        remove_leftovers(self.run.folder, FILES)
        if not self.run.last.exists():
            return
        state = checkpoint.load(self.run.last)
        try:
            self.best = dict(state["best"])
            trainer.load_state(state["trainer"])
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"{self.run.last.name}: not the state of a run ({error!r})") from error

    def iteration(self, trainer: Trainer) -> None:
        """Save when it is time; stop when asked to."""
        if self.signal:
            self.save(trainer)
            raise Stopped(self.signal)
        super().iteration(trainer)

    def epoch(self, trainer: Trainer, evaluated: Evaluation | None) -> None:
        """Save the weights if they are the best so far, then the state and the history."""
        score = list(evaluated.score) if evaluated is not None else []
        if not self.best or score >= self.best["score"]:
            self.best = {"epoch": trainer.epoch, "score": score}
            state = {"model": trainer.model.state_dict(), "config": self.config, **self.best}
            checkpoint.save(self.run.best, state)
        self.save(trainer)
        for name in ("history.csv", "history.json"):
            trainer.history.write(self.run.folder / name)
        if self.signal:
            raise Stopped(self.signal)


def configuration(settings: Settings, splits: Splits, preparation: Preparation) -> Config:
    """Return all that must be known to use the run's model again, as plain data."""
    return {
        "chainrule": version("chainrule"),
        "settings": settings.as_dict(),
        "data": {
            "name": splits.name,
            "classes": list(splits.classes),
            "sample_shape": list(splits.sample_shape),
            "outputs": outputs_of(splits),
            "images": are_images(splits.sample_shape),
            "samples": {name: len(part) for name, part in splits.parts.items()},
            "fingerprint": fingerprint(splits),
        },
        "normalizer": preparation.state(),
    }


def read_config(state: Mapping[str, Any], path: Path) -> Config:
    """Return the configuration in a checkpoint; CheckpointError where it has none."""
    config = state.get("config")
    if not isinstance(config, dict) or not {"settings", "data", "normalizer"} <= set(config):
        raise CheckpointError(
            f"{path.name}: holds no configuration, so it belongs to no run",
            hint="a checkpoint of Trainer.fit(checkpoint=...) goes on in Python: fit(..., resume=True)",
        )
    return config
