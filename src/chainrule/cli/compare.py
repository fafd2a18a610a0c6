"""`chainrule compare`: which classifier for these data, and what the choices of the lecture change.

The ladder of classifiers, or with an option the amount of data, the regularisers, the searches. All
of it is `chainrule.train.comparison`'s; here is what is read from the options and told on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from chainrule.cli import choices
from chainrule.cli import options as o
from chainrule.cli.signals import stopping
from chainrule.cli.train import free_folder
from chainrule.data import Splits
from chainrule.errors import ArgumentError
from chainrule.train.assembly import read_data
from chainrule.train.comparison import figures
from chainrule.train.comparison import folder as told
from chainrule.train.comparison.fitting import Missing
from chainrule.train.comparison.ladder import Ladder
from chainrule.train.comparison.regularisers import SAMPLES, by_regulariser, effects
from chainrule.train.comparison.rungs import ladder
from chainrule.train.comparison.searches import Curve, Searches
from chainrule.train.comparison.trials import Outcome, Trials, ahead, by_fraction
from chainrule.train.comparison.verdict import Result, advice
from chainrule.train.run import Run, Stopped

_WIDTH = 120  # of the table: a narrower screen shows its lines broken, which is better than its words


@o.taking(o.NETWORK, o.TRAINING, o.SOURCE)
def compare(
    context: typer.Context,
    data: o.Data = None,
    *,
    budget: o.Budget = "15m",
    rung: o.Rungs = None,
    fractions: o.Fractions = None,
    regularisers: o.Regularisers = False,
    searches: o.Searches = False,
    seeds: o.Seeds = 3,
    out: o.ComparisonOut = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Train classifiers on DATA, from nearest centroid to a conv net, and say which to use.

    All share the time of --budget; what does not fit is left out. With --fractions, --regularisers
    or --searches another question is answered. Without DATA the handwritten digits are taken.
    """
    console = Console(quiet=quiet or json, soft_wrap=True, highlight=False)
    console.width = max(console.width, _WIDTH)
    params = context.params
    target, work = _prepared(params, console)
    stopped = _worked(work, console)
    sentence = work.write(target)
    if json:
        typer.echo((target.path / "result.json").read_text(encoding="utf-8"), nl=False)
    else:
        _tell(work, target, sentence, console)
    if stopped:
        typer.echo(f"stopped; what was done is in {target.path}", err=True)
        raise typer.Exit(128 + stopped)


@dataclass
class Work:
    """One kind of comparison: who does it, and how its results are told and written.

    `write` puts everything into a folder and returns what is to be said in one sentence.
    """

    runner: Ladder | Trials | Searches
    columns: tuple[str, ...]
    cells: Callable[[Any], list[str]]
    done: Callable[[], list[Any]]
    write: Callable[[told.Folder], str]


def _prepared(params: Mapping[str, Any], console: Console) -> tuple[told.Folder, Work]:
    """Return where to write and what to do, as the options say."""
    if params["searches"] + params["regularisers"] > 1 or (params["searches"] and params["fractions"]):
        raise ArgumentError("compare: --searches, --regularisers and --fractions are asked one at a time")
    given, options = choices.settings(params), choices.data_options(params)
    shares = choices.fractions(params["fractions"]) if params["fractions"] else ()
    if params["regularisers"] and len(shares) > 1:
        raise ArgumentError("compare: --regularisers takes one of --fractions", got=params["fractions"])
    seconds = choices.duration("--budget", params["budget"])
    data = params["data"] or "digits"
    splits = read_data(choices.source(data), options, 0.0, given.get("seed", 0))
    path = params["out"] or free_folder(splits.name, "compare")
    if Run(path).occupied and not params["overwrite"]:
        raise ArgumentError(
            f"compare: the folder {str(path)!r} is not empty", hint="--overwrite, or --out with another"
        )
    work = _work(params, splits, given, seconds, shares)
    for remark in splits.remarks:
        console.print(remark, markup=False)
    counts = ", ".join(f"{len(part):,} {name}" for name, part in splits.parts.items())
    console.print(f"{splits.name}: {counts}; {params['budget']} -> {path}", markup=False)
    target = told.Folder(path, f"{splits.name}: compared")
    target.begin()
    return target, work


def _work(
    params: Mapping[str, Any], splits: Splits, given: dict[str, Any], seconds: float, shares: Sequence[float]
) -> Work:
    if params["searches"]:
        return _searches(Searches(splits, seconds))
    if params["regularisers"]:
        share = shares[0] if shares else min(1.0, SAMPLES / len(splits.train))
        tried = Trials(splits, by_regulariser(splits, share, given), params["seeds"], seconds, equal=True)
        return _trials(tried, effects, figures.gaps)
    if shares:
        listed = by_fraction(splits, shares, given)
        return _trials(Trials(splits, listed, params["seeds"], seconds), ahead, figures.against_samples)
    return _ladder(Ladder(splits, ladder(splits, params["rung"] or ()), given, seconds))


def _ladder(runner: Ladder) -> Work:
    def write(folder: told.Folder) -> str:
        folder.ladder(runner)
        return advice(runner.results, len(runner.splits.train))

    return Work(runner, told.COLUMNS, told.cells, lambda: runner.results, write)


def _trials(
    runner: Trials, say: Callable[[Sequence[Outcome]], str], draw: Callable[[Sequence[Outcome]], bytes]
) -> Work:
    def write(folder: told.Folder) -> str:
        sentence = say(runner.outcomes)
        folder.trials(runner, sentence, draw)
        return sentence

    def done() -> list[Any]:
        return [each for each in runner.outcomes if each.test]

    return Work(runner, told.TRIED, told.tried_cells, done, write)


def _searches(runner: Searches) -> Work:
    def write(folder: told.Folder) -> str:
        folder.searches(runner.curves, runner.missing)
        lowest = min(runner.curves, key=lambda each: min(each.losses), default=None)
        return f"Lowest loss: {lowest.title}." if lowest else "No search made a step."

    return Work(runner, told.SEARCHED, told.searched_cells, lambda: runner.curves, write)


def _worked(work: Work, console: Console) -> int:
    """Do the work, telling each result; return the number of the signal that stopped it, or 0."""
    try:
        with stopping(work.runner), console.status("") as status:
            for each in work.runner.run():
                if isinstance(each, Missing):
                    console.print(f"{each.title}: left out, {each.reason}", markup=False)
                elif isinstance(each, Result | Outcome | Curve):
                    title, *cells = work.cells(each)
                    shown = dict(zip(work.columns[1:], cells, strict=True))
                    console.print(f"{title}: {shown['test accuracy']} in {shown['time']}", markup=False)
                else:
                    status.update(each if isinstance(each, str) else each.title)
    except Stopped as stopped:
        return stopped.signal
    return 0


def _tell(work: Work, target: told.Folder, sentence: str, console: Console) -> None:
    first, *others = work.columns
    table = Table(first, box=None, header_style="bold")
    for name in others:
        table.add_column(name, justify="right")
    for each in work.done():
        table.add_row(*work.cells(each))
    console.print()
    console.print(table)
    for note in target.notes:
        console.print(note, markup=False)
    console.print(f"report: {target.path / 'report.html'}", markup=False)
    typer.echo(sentence)
