"""`chainrule check`: are the gradients of an expression, or of a trained network, right?

Exit status 0 if they are, 1 if not. The checks are `chainrule.inspect`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli import options as o
from chainrule.cli.subject import of_expression
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.inspect import CheckReport, FunctionReport, check_function
from chainrule.inspect import check as check_graph
from chainrule.train.assembly import loss_function, read_data
from chainrule.train.inference import Inference, evaluating
from chainrule.train.predictor import Predictor, choose_split


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="EXPRESSION|RUN",
            help='As in "max(x*y, z)", or the folder of a run.',
            show_default=False,
        ),
    ],
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE...]", help="Values such as x=2 or x=[1,2].", show_default=False),
    ] = None,
    *,
    samples: Annotated[int, typer.Option("--samples", help="How many samples of a run's data.", min=1)] = 3,
    limit: Annotated[int, typer.Option("--limit", help="How many numbers of each parameter.", min=1)] = 10,
    step: Annotated[float, typer.Option("--step", help="Step of the plain check of a run.")] = 1e-5,
    training: Annotated[
        bool, typer.Option("--training", help="Check a run in training mode, dropout and all.")
    ] = False,
    model: o.Model = None,
    json: o.Json = False,
) -> None:
    """Compare every gradient with finite differences, and name the op where one is wrong.

    Of EXPRESSION, gate by gate. Of a RUN, the loss on some samples: gate by gate, and as a whole by
    each parameter, with the usual causes of a failed check.
    """
    report: CheckReport | FunctionReport
    if Path(what).exists():
        if given:
            raise ArgumentError(f"check: a run takes no values, got {given[0]!r}")
        predictor = Predictor.open(what, model or "")
        report = _of_run(predictor, samples, training, limit=limit, step=step)
    else:
        report = check_graph(of_expression("check", what, given or []), limit=10 * limit)
    typer.echo(report.json() if json else str(report))
    if not report.ok:
        raise typer.Exit(1)


def _of_run(predictor: Predictor, samples: int, training: bool, **options: Any) -> FunctionReport:
    """Check the loss on the first samples of the run's training data, with its weights in float64."""
    settings, model = predictor.settings, predictor.inference.model.double()
    inference = Inference(model, predictor.inference.prepare)
    splits = read_data(settings.data, settings.options, settings.validation, settings.seed)
    data = predictor.matched(choose_split(splits, "train"))
    batch = inference.inputs(data.x[:samples]), inference.targets(data.y[:samples])
    loss = loss_function(settings, model)

    def total(x: Tensor, y: Tensor) -> Tensor:
        return loss(model(x), y)

    if training:
        return check_function(total, model.train(), batch, **options)
    with evaluating(model):
        return check_function(total, model, batch, **options)
