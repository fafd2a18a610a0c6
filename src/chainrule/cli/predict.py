"""`chainrule predict`: what a trained model says of pictures, tables and archives.

A line for each picture, row or sample, or all of it as JSON. The scores come from a `Predictor`.
"""

from __future__ import annotations

import json as notation
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli import options as o
from chainrule.core.spec import Array
from chainrule.data.table import TABLES
from chainrule.errors import DataError
from chainrule.train.predictor import Predictor
from chainrule.train.reading import expand


def predict(
    run: o.RunPath,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES...", help="Pictures or folders of them, .csv or .npz.", show_default=False
        ),
    ],
    *,
    top: Annotated[int, typer.Option("--top", help="How many classes to name.", min=1)] = 1,
    model: o.Model = None,
    bad_images: o.BadImagesOption = None,
    json: o.Json = False,
) -> None:
    """Say for each of FILES which class it is, by the best weights of RUN.

    Files are prepared exactly as in training. A row of a table and a sample of an archive count as
    one file each.
    """
    predictor = Predictor.open(run, model or "")
    answers: list[dict[str, Any]] = []
    for path in expand(files):
        try:
            x = predictor.read(path)
        except DataError as error:
            if bad_images is not o.BadImages.SKIP:
                raise
            typer.echo(f"left out: {error.headline}", err=True)
            continue
        found = predictor.probabilities(x)
        answers += [_answer(predictor, _name(path, row, len(x)), found[row], top) for row in range(len(x))]
    if json:
        typer.echo(notation.dumps(answers))
    else:
        for answer in answers:
            typer.echo(_line(answer))


def _answer(predictor: Predictor, name: str, numbers: Array, top: int) -> dict[str, Any]:
    if not predictor.classes:
        return {"file": name, "predicted": numbers.tolist()}
    kind = "probability" if predictor.settings.loss == "softmax" else "score"
    best = (-numbers).argsort(kind="stable")[:top]
    return {"file": name, "top": [{"class": predictor.classes[k], kind: float(numbers[k])} for k in best]}


def _line(answer: dict[str, Any]) -> str:
    if "top" not in answer:
        return f"{answer['file']}: {', '.join(f'{value:.6g}' for value in answer['predicted'])}"
    named = (
        " ".join(f"{v:.4f}" if isinstance(v, float) else v for v in each.values()) for each in answer["top"]
    )
    return f"{answer['file']}: {', '.join(named)}"


def _name(path: Path, row: int, count: int) -> str:
    single = count == 1 and path.suffix.lower() not in (*TABLES, ".npz")
    return str(path) if single else f"{path}[{row}]"
