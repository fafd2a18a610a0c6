"""`chainrule evaluate`: what a trained model is worth on a split of its own data, or of others.

Precision, recall and F1 of each class as a table, then the means; the last line is the accuracy. What is
measured is `chainrule.train.evaluation`'s.
"""

from __future__ import annotations

import json as notation
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from chainrule.cli import choices
from chainrule.cli import options as o
from chainrule.errors import DataError
from chainrule.train.assembly import read_data
from chainrule.train.evaluation import Evaluation
from chainrule.train.predictor import Predictor, choose_split


def evaluate(
    context: typer.Context,
    run: o.RunPath,
    data: o.Data = None,
    *,
    split: Annotated[str, typer.Option("--split", help="train, validation, test or all.")] = "test",
    model: o.Model = None,
    folder: o.Folder = None,
    bad_images: o.BadImagesOption = None,
    label: o.Label = None,
    json: o.Json = False,
) -> None:
    """Measure the best weights of RUN on a split of its own data, or of DATA."""
    predictor = Predictor.open(run, model or "")
    settings, given = predictor.settings, choices.data_options(context.params)
    if data is None:
        source, options = settings.data, {**settings.options, **given}
    else:
        source, options = choices.source(data), given
        if predictor.images and choices.is_picture_folder(data):
            _, *size = predictor.sample_shape
            options = {**given, "size": size, "channels": "grey" if predictor.sample_shape[0] == 1 else "rgb"}
    if data is None and os.path.isabs(source) and not os.path.exists(source):
        raise DataError(f"evaluate: the data of the run are no more at {source}", hint=f"evaluate {run} DATA")
    splits = read_data(source, options, settings.validation, settings.seed)
    found = predictor.evaluate(choose_split(splits, split))
    if json:
        typer.echo(notation.dumps({"split": split, **found.as_dict()}))
        return
    if found.per_class():
        Console().print(_classes(found))
    for name, value in found.means().items():
        if name != "accuracy":
            typer.echo(f"{split} {name} {value:.4f}")
    if found.accuracy is not None:
        typer.echo(f"{split} accuracy {found.accuracy:.4f}")


def _classes(found: Evaluation) -> Table:
    table = Table("class", box=None, header_style="bold")
    for name in ("precision", "recall", "F1", "samples"):
        table.add_column(name, justify="right")
    for each in found.per_class():
        shares = (f"{value:.4f}" for value in (each.precision, each.recall, each.f1))
        table.add_row(each.name, *shares, str(each.samples))
    return table
