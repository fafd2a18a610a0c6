"""`chainrule explain`: an expression, or a trained model on one sample, gate by gate.

The table, one gate's card, a walk in steps, or JSON; the graph and its cards come from
`chainrule.inspect`, the model from `chainrule.train`.
"""

from __future__ import annotations

import json as notation
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.cli import options as o
from chainrule.cli.draw import picture
from chainrule.cli.subject import Given, Label, Row, What, subject
from chainrule.inspect import ComputationalGraph
from chainrule.inspect.explain import fold, walk

GateName = Annotated[
    str | None, typer.Option("--gate", help="Show the whole card of this gate.", show_default=False)
]
Digits = Annotated[
    int | None, typer.Option("--digits", help="Digits after the point (the lecture writes 2).", min=0, max=17)
]
Step = Annotated[bool, typer.Option("--step", help="Walk forward and backward, one gate at a time.")]
Svg = Annotated[
    Path | None, typer.Option("--svg", help="Draw the graph into this file too.", show_default=False)
]
Html = Annotated[
    Path | None, typer.Option("--html", help="Write a page to walk through it too.", show_default=False)
]


def explain(
    what: What,
    given: Given = None,
    *,
    gate: GateName = None,
    digits: Digits = None,
    step: Step = False,
    svg: Svg = None,
    html: Html = None,
    label: Label = None,
    row: Row = 0,
    model: o.Model = None,
    json: o.Json = False,
) -> None:
    """Show every gate of EXPRESSION with its value, its gradient, and what it sends to its inputs.

    Of a RUN and a SAMPLE: the graph of the score of the predicted class, or of the loss for --label.
    """
    note, output = subject("explain", what, given, row=row, label=label, model=model)
    gradient = np.ones(output.shape)
    picture(ComputationalGraph(output), gradient, svg, html)
    graph = fold(ComputationalGraph(output))
    if step:
        _walk(graph, gradient, digits)
        return
    graph.backward(gradient)
    told = graph.explain()
    if json:
        found = told[gate].record() if gate else {"explains": note, **told.record()}
        typer.echo(notation.dumps(found, allow_nan=False))
        return
    if gate:
        typer.echo(told[gate].text(digits))
        return
    typer.echo(f"{note}\n\n{told.text(digits)}")
    typer.echo(f"\nupstream x local = downstream on every edge, to within {told.residual or 0:.2g}")
    if output.size > 1:
        typer.echo(f"The output has shape {output.shape}: gradients are those of the sum of its numbers.")


# ---- one gate at a time --------------------------------------------------------------------------
def _walk(graph: ComputationalGraph, gradient: Any, digits: int | None) -> None:
    """Show step after step: Enter for the next, b for the one before, q to leave.

    At the end of a pipe the rest is shown without stopping.
    """
    steps = [step.text(digits) for step in walk(graph.nodes_topologically_sorted(), gradient)]
    steps.append(graph.explain().text(digits))
    place, asks = 0, True
    while place < len(steps):
        typer.echo(steps[place] + "\n")
        key = _key() if asks else ""
        if key == "q":
            return
        asks = asks and key is not None
        place = max(0, place - 1) if key == "b" else place + 1


def _key() -> str | None:
    """Return the answer of the user; None at the end of a pipe, 'q' at the end of a terminal's input."""
    live = sys.stdin.isatty()
    if live:
        typer.echo("Enter: next, b: back, q: quit ", nl=False, err=True)
    line = sys.stdin.readline()
    return line.strip().lower()[:1] if line else "q" if live else None
