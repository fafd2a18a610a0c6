"""The folder of a comparison: numbers as JSON, figures, models, and one page that is complete by itself.

result.json        all numbers
report.html        sentence, tables, figures, confusion matrices, images taken for others
*.png              the figures
models/NAME.safetensors   each trained network of the ladder, for `chainrule predict`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from chainrule.errors import MissingDependencyError
from chainrule.train import checkpoint, plots
from chainrule.train.comparison import figures
from chainrule.train.comparison.fitting import Fitted, Missing
from chainrule.train.comparison.ladder import Ladder
from chainrule.train.comparison.searches import Curve
from chainrule.train.comparison.trials import Outcome, Trials, summary
from chainrule.train.comparison.verdict import Result, advice
from chainrule.train.files import write_file
from chainrule.train.recipes import are_images
from chainrule.train.report import document, picture, table
from chainrule.train.run import configuration
from chainrule.train.templates import template_weights, templates

COLUMNS = ("model", "test accuracy", "95 % interval", "training", "parameters", "epochs", "time", "a sample")


class Folder:
    """Where a comparison is written; `notes` says what could not be made."""

    def __init__(self, path: Path, title: str) -> None:
        self.path, self.title = path, title
        self.notes: list[str] = []

    def begin(self) -> None:
        """Make the folder, and see before anything is trained that results can be written there."""
        write_file(self.path / "result.json", "")
        (self.path / "result.json").unlink()

    def ladder(self, climbed: Ladder) -> None:
        """Write the results of a ladder, also of one that was stopped."""
        sentence = advice(climbed.results, len(climbed.splits.train))
        found = [each.as_dict() for each in climbed.results]
        self._numbers({"advice": sentence, "results": found, "left_out": _plain(climbed.missing)})
        for name, fitted in climbed.fitted.items():
            self._model(name, fitted, climbed)
        parts = [table(COLUMNS, map(cells, climbed.results)), missing(climbed.missing)]
        if climbed.results:
            parts.append(self._figure("accuracy", "Accuracy and time", lambda: figures.bars(climbed.results)))
        for each in climbed.results:
            parts.append(self._of_model(each, climbed))
        self._page(sentence, parts)

    def trials(self, tried: Trials, sentence: str, draw: Callable[[Sequence[Outcome]], bytes]) -> None:
        """Write the outcomes of trials and the figure that `draw` makes of them."""
        found = [each.as_dict() for each in tried.outcomes]
        self._numbers({"advice": sentence, "outcomes": found, "left_out": _plain(tried.missing)})
        done = [each for each in tried.outcomes if each.test]
        parts = [table(TRIED, map(tried_cells, done)), missing(tried.missing)]
        if done:
            parts.append(self._figure("accuracy", "Accuracy", lambda: draw(done)))
        self._page(sentence, parts)

    def searches(self, curves: Sequence[Curve], left_out: Sequence[Missing]) -> None:
        """Write the curves of searches."""
        self._numbers({"curves": [each.as_dict() for each in curves], "left_out": _plain(left_out)})
        drawn = [each for each in curves if each.steps]
        parts = [table(SEARCHED, map(searched_cells, drawn)), missing(left_out)]
        if drawn:
            caption = "Loss against time and epochs"
            parts.append(self._figure("losses", caption, lambda: figures.descents(drawn)))
        self._page("", parts)

    def _of_model(self, result: Result, climbed: Ladder) -> str:
        """Return the part about one rung: its confusion matrix, and what it took for something else."""
        test = climbed.test
        found = self._figure(
            f"{result.name}-confusion",
            f"{result.title}: confusion matrix",
            lambda: plots.confusion(result.confusion, test.classes),
        )
        if (fitted := climbed.fitted.get(result.name)) is not None:
            model = fitted.assembled.trainer.model
            weights = template_weights(fitted.settings, model, test.sample_shape)
            if weights is not None:
                caption = f"{result.title}: templates"
                found += self._figure(
                    f"{result.name}-templates", caption, lambda: templates(weights, test.classes)
                )
        if result.wrong and are_images(test.sample_shape):
            caption = f"{result.title}: the surest of its wrong answers"
            found += self._figure(f"{result.name}-wrong", caption, lambda: figures.sheet(result.wrong, test))
        return found

    def _model(self, name: str, fitted: Fitted, climbed: Ladder) -> None:
        path = self.path / "models" / f"{name}.safetensors"
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        assembled = fitted.assembled
        config = configuration(fitted.settings, climbed.splits, assembled.preparation)
        checkpoint.save(path, {"model": assembled.trainer.model.state_dict(), "config": config})

    def _figure(self, name: str, caption: str, draw: Callable[[], bytes]) -> str:
        try:
            drawn = draw()
        except MissingDependencyError as error:
            note = f"no figures: {error.headline}; {error.hint}"
            self.notes += [] if note in self.notes else [note]
            return ""
        write_file(self.path / f"{name}.png", drawn)
        return picture(caption, drawn)

    def _numbers(self, plain: Mapping[str, Any]) -> None:
        write_file(self.path / "result.json", json.dumps(plain, indent=1) + "\n")

    def _page(self, sentence: str, parts: Iterable[str]) -> None:
        opening = [f"<h1>{escape(self.title)}</h1>", f'<p class="headline">{escape(sentence)}</p>']
        write_file(self.path / "report.html", document(self.title, [*opening, *parts]))


def missing(left_out: Sequence[Missing]) -> str:
    """Return what was left out, in HTML."""
    return "".join(f"<p>Left out: {escape(each.title)}, {escape(each.reason)}.</p>" for each in left_out)


def cells(result: Result) -> list[str]:
    """Return the cells of a rung, in the order of COLUMNS."""
    low, high = result.interval
    made = f"{result.epochs:,}" if result.epochs == result.wanted else f"{result.epochs} of {result.wanted}"
    return [
        result.title,
        f"{result.accuracy:.2%}",
        f"{low:.1%} to {high:.1%}",
        f"{result.train_accuracy:.2%}",
        f"{result.parameters:,}",
        made,
        duration(result.seconds),
        f"{1e6 * result.seconds_a_sample:,.1f} µs",
    ]


TRIED = ("model", "samples", "epochs", "test accuracy", "training", "gap", "runs", "time")


def tried_cells(outcome: Outcome) -> list[str]:
    """Return the cells of a trial, in the order of TRIED."""
    return [
        outcome.trial.title,
        f"{outcome.samples:,}",
        f"{outcome.epochs:,}",
        summary(outcome.test),
        summary(outcome.train),
        summary(outcome.gaps),
        str(len(outcome.test)),
        duration(outcome.seconds),
    ]


SEARCHED = ("search", "steps", "epochs", "time", "loss", "test accuracy")


def searched_cells(curve: Curve) -> list[str]:
    """Return the cells of a search, in the order of SEARCHED."""
    return [
        curve.title,
        f"{curve.steps:,}",
        f"{curve.epochs[-1]:,.1f}",
        duration(curve.seconds[-1]),
        f"{min(curve.losses):.4f}",
        f"{curve.accuracy:.2%}",
    ]


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(0.25), duration(75.0)
    ('0.25 s', '1 m 15 s')
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{int(seconds // 60)} m {int(seconds % 60)} s"


def _plain(left_out: Sequence[Missing]) -> list[dict[str, str]]:
    return [dict(vars(each)) for each in left_out]
