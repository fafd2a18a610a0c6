"""What `explain`, `draw` and `check` look at: an expression with values, or a trained model on one sample.

An expression is read, never evaluated as Python; a model comes from `chainrule.train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DataError, UnknownNameError, nearest
from chainrule.inspect.expression import Expression, read_value
from chainrule.train.assembly import loss_function
from chainrule.train.inference import evaluating
from chainrule.train.predictor import Predictor
from chainrule.train.run import no_run

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
Label = Annotated[
    str | None,
    typer.Option("--label", help="Take a run's loss for this class (or target).", show_default=False),
]
Row = Annotated[int, typer.Option("--row", help="Which sample of a table or archive.", min=0)]

_OPTIONS = {
    "explain": "--gate --digits --step --svg --html --label --row --model --json".split(),
    "draw": "--output --fold --direction --label --row --model".split(),
    "check": "--samples --limit --step --training --model --json".split(),
}


def subject(
    verb: str, what: str, given: Sequence[str] | None, *, row: int, label: str | None, model: str | None
) -> tuple[str, Tensor]:
    """Return what is meant, in words, and the value whose graph is to be shown.

    Of a run it is the score of the predicted class, or the loss for `label`.
    """
    if Path(what).exists():
        return _of_run(verb, Path(what), _sample(verb, given), row=row, label=label, model=model or "")
    return what, of_expression(verb, what, given or [])


def _refuse_lost_run(text: str, given: Sequence[str]) -> None:
    """Raise where an expression without values looks like the path of a run that is not there."""
    if not given and "/" in text and Path(text).parent.is_dir():
        raise no_run(Path(text))


def of_expression(verb: str, text: str, given: Sequence[str]) -> Tensor:
    """Return the value of an expression with `NAME=VALUE` given for its names."""
    values: dict[str, Any] = {}
    _refuse_lost_run(text, given)
    for each in given:
        name, sign, value = each.partition("=")
        if each.startswith("--") or not sign:
            hint = nearest(each, _OPTIONS[verb])
            raise ArgumentError(
                f"{verb}: {each!r} is not NAME=VALUE" + ("" if sign else f", and there is no run {text!r}"),
                hint=hint if each.startswith("-") else "write w=2, without spaces",
            )
        if name.strip() in values:
            raise ArgumentError(f"{verb}: {name.strip()!r} is given twice")
        values[name.strip()] = read_value(value)
    output = Expression(text).compute(values)
    if not output.requires_grad:
        raise ArgumentError(
            f"{verb}: {text!r} is a number, {output.tolist()}: there is no name to take a gradient by",
            hint=f"{verb} 'x * 3' x=2",
        )
    return output


def _sample(verb: str, given: Sequence[str] | None) -> Path:
    if not given or len(given) > 1:
        raise ArgumentError(
            f"{verb}: a run takes one file with a sample, got {len(given or ())}",
            hint=f"chainrule {verb} RUN picture.png",
        )
    return Path(given[0])


def _of_run(
    verb: str, run: Path, sample: Path, *, row: int, label: str | None, model: str
) -> tuple[str, Tensor]:
    """Return what is shown, in words, and the score or loss of one sample."""
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
            return f"the loss of {sample.name} as {label!r}", loss(scores, _target(verb, predictor, label))
    best = int(scores.data[0].argmax()) if predictor.classes else 0
    meant = f"class {predictor.classes[best]!r}" if predictor.classes else "target 0"
    return f"the score of {meant} for {sample.name}", scores[0, best]


def _target(verb: str, predictor: Predictor, label: str) -> Tensor:
    """Return the label as the loss takes it: the number of a class, or the targets of a regression."""
    if not predictor.classes:
        return predictor.inference.targets(np.asarray(read_value(label), np.float64).reshape(1, -1))
    if label not in predictor.classes:
        raise UnknownNameError(f"{verb}: there is no class {label!r}", hint=nearest(label, predictor.classes))
    return predictor.inference.targets(np.array([predictor.classes.index(label)]))
