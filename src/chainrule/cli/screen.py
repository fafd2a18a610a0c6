"""What a training looks like: a progress bar on a terminal, a line for each epoch anywhere else.

Both are watchers of a `Trainer`; what is measured, and when, is its business.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from chainrule.train.evaluation import Evaluation
from chainrule.train.history import Row
from chainrule.train.trainer import Trainer, Watcher


class Lines:
    """Prints a line for each epoch."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console, self.epochs = console, epochs

    def iteration(self, trainer: Trainer) -> None:
        """Nothing is told within an epoch."""

    def epoch(self, trainer: Trainer, evaluated: Evaluation | None) -> None:
        """Print the row of the epoch."""
        self.console.print(epoch_line(trainer.history[-1], self.epochs), markup=False, highlight=False)


class Bar(Lines):
    """Moves a progress bar, and prints a line for each epoch above it."""

    def __init__(self, console: Console, epochs: int, progress: Progress, task: TaskID) -> None:
        super().__init__(console, epochs)
        self.progress, self.task = progress, task

    def iteration(self, trainer: Trainer) -> None:
        """Move the bar and show the means of the epoch so far."""
        self.progress.update(
            self.task,
            total=self.epochs * trainer.iterations,
            completed=trainer.epoch * trainer.iterations + trainer.iteration,
            means=numbers(trainer.tally.means()),
        )


@contextmanager
def watching(console: Console, epochs: int, quiet: bool) -> Iterator[list[Watcher]]:
    """Yield the watchers that show a training of `epochs` epochs on `console`."""
    if quiet:
        yield []
    elif not console.is_terminal:
        yield [Lines(console, epochs)]
    else:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[means]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield [Bar(console, epochs, progress, progress.add_task("", total=None, means=""))]


def epoch_line(row: Row, epochs: int) -> str:
    """Return 'epoch  3/30  train loss 0.1234 accuracy 0.9700  validation ...'."""
    parts = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}"]
    for split in ("train", "validation"):
        found = {name.removeprefix(f"{split}_"): row[name] for name in row if name.startswith(f"{split}_")}
        if found:
            parts.append(f"{split} {numbers(found)}")
    return "  ".join([*parts, f"{row['seconds']:.1f} s"])


def numbers(means: dict[str, Any]) -> str:
    """Return 'loss 0.1234 accuracy 0.9700'."""
    return " ".join(
        f"{name} {value:.4f}" for name, value in means.items() if name in ("loss", "accuracy", "rmse")
    )
