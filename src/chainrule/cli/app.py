"""The verbs of the command line, gathered; each lives in a file of its own.

Only names are given here, and what holds for all of them: help, version and `--debug`.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from chainrule.cli import check, compare, draw, evaluate, explain, features, info, predict, train

app = typer.Typer(
    name="chainrule",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("compare")(compare.compare)
app.command("info")(info.info)
app.command("features")(features.features)
app.command("check", context_settings={"ignore_unknown_options": True})(check.check)
app.command("explain", context_settings={"ignore_unknown_options": True})(explain.explain)  # -(x)
app.command("draw", context_settings={"ignore_unknown_options": True})(draw.draw)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chainrule {version('chainrule')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of errors (anywhere on the line).")
    ] = False,
) -> None:
    """Train networks on digits, images and tables, and use what was learnt.

    Begin with: [bold]chainrule train digits[/bold]
    """
