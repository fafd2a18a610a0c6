"""`chainrule explain`: an expression, or a trained model on one sample, gate by gate.

The table, one gate's card, a walk in steps, or JSON; the graph and its cards come from
`chainrule.inspect`, the model from `chainrule.train`.
"""

from __future__ import annotations

import json as notation
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.cli import options as o
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DataError, UnknownNameError, nearest
from chainrule.inspect import ComputationalGraph
from chainrule.inspect.explain import fold, walk
from chainrule.inspect.expression import Expression, read_value
from chainrule.train.assembly import loss_function
from chainrule.train.inference import evaluating
from chainrule.train.predictor import Predictor

What = Annotated[
    str,
    typer.Argument(
        metavar="EXPRESSION|RUN",
        help='As in "1/(1+exp(-(w*x+b)))", or the folder of a run.',
        show_default=False,
    ),
]
Given = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=VALUE...|SAMPLE]",
        help="Values such as w=2 or w=[[1,2],[3,4]]; of a run, a file with a sample.",
        show_default=False,
    ),
]
GateName = Annotated[
    str | None, typer.Option("--gate", help="Show the whole card of this gate.", show_default=False)
]
Digits = Annotated[
    int | None, typer.Option("--digits", help="Digits after the point (the lecture writes 2).", min=0, max=17)
]
Step = Annotated[bool, typer.Option("--step", help="Walk forward and backward, one gate at a time.")]
Label = Annotated[
    str | None,
    typer.Option("--label", help="Explain a run's loss for this class (or target).", show_default=False),
]
Row = Annotated[int, typer.Option("--row", help="Which sample of a table or archive.", min=0)]


def explain(
    what: What,
    given: Given = None,
    *,
    gate: GateName = None,
    digits: Digits = None,
    step: Step = False,
    label: Label = None,
    row: Row = 0,
    model: o.Model = None,
    json: o.Json = False,
) -> None:
    """Show every gate of EXPRESSION with its value, its gradient, and what it sends to its inputs.

    Of a RUN and a SAMPLE: the graph of the score of the predicted class, or of the loss for --label.
    """
    if Path(what).exists():
        note, output = _of_run(Path(what), _sample(given), row, label, model or "")
    else:
        note, output = what, _of_expression(what, given or [])
    graph = fold(ComputationalGraph(output))
    gradient = np.ones(output.shape)
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


# ---- what is explained ---------------------------------------------------------------------------
def _of_expression(text: str, given: Sequence[str]) -> Tensor:
    values: dict[str, Any] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if each.startswith("--") or not sign:
            hint = nearest(each, ("--gate", "--digits", "--step", "--label", "--row", "--model", "--json"))
            raise ArgumentError(
                f"explain: {each!r} is not NAME=VALUE" + ("" if sign else f", and there is no run {text!r}"),
                hint=hint if each.startswith("-") else "write w=2, without spaces",
            )
        if name.strip() in values:
            raise ArgumentError(f"explain: {name.strip()!r} is given twice")
        values[name.strip()] = read_value(value)
    output = Expression(text).compute(values)
    if not output.requires_grad:
        raise ArgumentError(
            f"explain: {text!r} is a number, {output.tolist()}: there is no name to take a gradient by",
            hint="explain 'x * 3' x=2",
        )
    return output


def _sample(given: Sequence[str] | None) -> Path:
    if not given or len(given) > 1:
        raise ArgumentError(
            f"explain: a run takes one file with a sample, got {len(given or ())}",
            hint="chainrule explain RUN picture.png",
        )
    return Path(given[0])


def _of_run(run: Path, sample: Path, row: int, label: str | None, model: str) -> tuple[str, Tensor]:
    """Return what is explained, in words, and the score or loss of one sample."""
    predictor = Predictor.open(run, model)
    samples = predictor.read(sample)
    if row >= len(samples):
        raise DataError(f"{sample.name}: there is no sample {row}, it holds {len(samples)}")
    inference = predictor.inference
    x = Tensor(inference.inputs(samples[row : row + 1]).data, requires_grad=True, name="x")
    with evaluating(inference.model):
        scores = inference.model(x)
        if label is not None:
            loss = loss_function(predictor.settings, inference.model)
            return f"the loss of {sample.name} as {label!r}", loss(scores, _target(predictor, label))
    best = int(scores.data[0].argmax()) if predictor.classes else 0
    meant = f"class {predictor.classes[best]!r}" if predictor.classes else "target 0"
    return f"the score of {meant} for {sample.name}", scores[0, best]


def _target(predictor: Predictor, label: str) -> Tensor:
    """Return the label as the loss takes it: the number of a class, or the targets of a regression."""
    if not predictor.classes:
        return predictor.inference.targets(np.asarray(read_value(label), np.float64).reshape(1, -1))
    if label not in predictor.classes:
        raise UnknownNameError(
            f"explain: there is no class {label!r}", hint=nearest(label, predictor.classes)
        )
    return predictor.inference.targets(np.array([predictor.classes.index(label)]))


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
