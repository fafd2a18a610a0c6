"""`chainrule info`: what is in a data set, or in a run.

Counts and ranges come from `chainrule.data.summary`, settings and epochs from the run folder; here they
become tables.
"""

from __future__ import annotations

import json as notation
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from chainrule.cli import choices
from chainrule.cli import options as o
from chainrule.data import load, summary
from chainrule.train import checkpoint
from chainrule.train.run import Run


def info(
    context: typer.Context,
    what: o.DataOrRun,
    *,
    folder: o.Folder = None,
    size: o.Size = None,
    channels: o.ChannelsOption = None,
    bad_images: o.BadImagesOption = None,
    label: o.Label = None,
    task: o.TaskOption = None,
    samples: o.Samples = None,
    noise: o.Noise = None,
    json: o.Json = False,
) -> None:
    """Show what a data set holds, or how a run was made and how far it is."""
    console = Console(soft_wrap=True, highlight=False)
    if Run(what).exists:
        found = _of_run(Run(what))
        typer.echo(notation.dumps(found)) if json else _show_run(console, found)
        return
    found = summary(load(what, **choices.data_options(context.params)))
    typer.echo(notation.dumps(found)) if json else _show_data(console, found)


def _of_run(run: Run) -> dict[str, Any]:
    config = run.config()
    trainer: dict[str, Any] = {"epoch": 0, "history": []}
    if run.last.exists():
        trainer = checkpoint.load(run.last)["trainer"]
    return {
        "run": str(run.folder),
        "epochs_done": trainer["epoch"],
        "last_epoch": trainer["history"][-1] if trainer["history"] else None,
        "files": sorted(path.name for path in run.folder.iterdir() if not path.name.startswith(".")),
        **config,
    }


def _show_run(console: Console, found: dict[str, Any]) -> None:
    console.print(
        f"{found['run']}: {found['epochs_done']} of {found['settings']['epochs']} epochs", markup=False
    )
    for title in ("settings", "data"):
        table = Table(title, "", box=None, header_style="bold")
        for name, value in found[title].items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(name, shown)
        console.print(table)
    if found["last_epoch"]:
        console.print("last epoch: " + ", ".join(f"{k} {v}" for k, v in found["last_epoch"].items()))
    console.print("files: " + ", ".join(found["files"]), markup=False)


def _show_data(console: Console, found: dict[str, Any]) -> None:
    parts = found["parts"]
    shape = " x ".join(str(size) for size in found["sample_shape"])
    console.print(f"{found['name']}: {found['task']}, samples {shape} {found['dtype']}", markup=False)
    table = Table("", *parts, box=None, header_style="bold")
    table.add_row("samples", *(str(part["samples"]) for part in parts.values()))
    table.add_row("values", *(_between(part["x_range"]) for part in parts.values()))
    if not found["classes"]:
        table.add_row("targets", *(_between(part["y_range"]) for part in parts.values()))
    for name in found["classes"]:
        table.add_row(name, *(str(part["per_class"][name]) for part in parts.values()))
    console.print(table)
    for note in (
        *found["notes"],
        *(f"left out: {each['path']} ({each['reason']})" for each in found["skipped"]),
    ):
        console.print(note, markup=False)


def _between(ends: list[float]) -> str:
    return f"{ends[0]:.6g} to {ends[1]:.6g}"
