"""`chainrule draw`: the graph of an expression, or of a trained model on one sample, as a picture.

SVG, PNG, PDF, or a page in which parts open and close; `chainrule explain` writes the same pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.cli import options as o
from chainrule.cli.subject import Given, Label, Row, What, subject
from chainrule.errors import ArgumentError
from chainrule.inspect import ComputationalGraph
from chainrule.inspect.draw import Fold

Output = Annotated[
    Path, typer.Option("--output", "-o", help="The file: .svg, .png, .pdf or .html.", show_default=False)
]
FoldOption = Annotated[
    str, typer.Option("--fold", help="What to close: auto, none, a depth, or names with commas.")
]
Direction = Annotated[str, typer.Option("--direction", help="right, down or auto.")]


def draw(
    what: What,
    given: Given = None,
    *,
    output: Output = Path("graph.svg"),
    fold: FoldOption = "auto",
    direction: Direction = "auto",
    label: Label = None,
    row: Row = 0,
    model: o.Model = None,
) -> None:
    """Draw the graph of EXPRESSION, or of a RUN on a SAMPLE, with every value and every gradient."""
    _, value = subject("draw", what, given, row=row, label=label, model=model)
    graph = ComputationalGraph(value)
    graph.backward(np.ones(value.shape))
    typer.echo(str(_written(graph, output, _fold(fold), direction)))


def picture(graph: ComputationalGraph, gradient: Any, svg: Path | None, html: Path | None) -> None:
    """Write the pictures that are asked for; the reverse sweep begins with `gradient`."""
    for path in filter(None, (svg, html)):
        graph.backward(gradient)
        _written(graph, path)


def _written(graph: ComputationalGraph, path: Path, fold: Fold = "auto", direction: str = "auto") -> Path:
    if not path.parent.is_dir():
        raise ArgumentError(f"draw: there is no folder {str(path.parent)!r}")
    if path.suffix.lower() in (".html", ".htm"):
        return graph.show(path, fold, direction).path
    return graph.draw(path, fold, direction)


def _fold(text: str) -> Fold:
    """Return what `--fold` means."""
    if text in ("auto", "none"):
        return text if text == "auto" else None
    return int(text) if text.lstrip("-").isdigit() else text.split(",")
