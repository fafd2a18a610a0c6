"""Losses of probabilities against probabilities: of yes or no, and of whole distributions.

What is a probability is checked, at each run in compiled code, too; single terms are those of `deviation`.
"""

from __future__ import annotations

from chainrule.core.families import composite
from chainrule.core.mode import mode
from chainrule.core.sample import Real, sample, wrong
from chainrule.core.stand_in import is_stand_in
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import divide, multiply, subtract
from chainrule.ops.compare import greater_equal, less_equal, logical_and, logical_not
from chainrule.ops.elementary import exp
from chainrule.ops.loss.deviation import binary_surprise, divergence, logit_surprise
from chainrule.ops.loss.reduction import like, paired, reduced, weighed_losses
from chainrule.ops.reduce import sum

_UNIT = Real((2, 3), 0.05, 0.95)


def _check_probabilities(input: Tensor, name: str) -> None:
    text = f"{name}: input must be probabilities in [0, 1]"
    if mode.trace is not None:  # the numbers of later runs are looked at when they are there
        inside = logical_and(greater_equal(input, 0), less_equal(input, 1))
        mode.trace.refuse(logical_not(inside), text, ArgumentError)
    if is_stand_in(input._data):
        return
    outside = input._data[~((input._data >= 0) & (input._data <= 1))]
    if outside.size:
        hint = "give scores to binary_cross_entropy_with_logits"
        raise ArgumentError(f"{text}, got {outside[0]:g}", hint=hint)


@composite(
    samples=[
        sample(_UNIT, _UNIT),
        sample(_UNIT, _UNIT, Real((3,), 0.5, 2.0), reduction="sum"),
        sample(Real((4,), 0.05, 0.95), Real((4,), 0.0, 1.0), reduction="none"),
        sample(Real((0, 2), 0.0, 1.0), Real((0, 2), 0.0, 1.0), reduction="sum"),
    ],
    wrong=[
        wrong(
            "binary_cross_entropy: input must be probabilities in [0, 1], got 1.5", Real((2,), 1.5, 1.5), (2,)
        ),
        wrong(
            "binary_cross_entropy: input has shape (2, 1) but target (2,): they must be equal",
            Real((2, 1), 0.0, 1.0),
            (2,),
        ),
    ],
)
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Surprise at the truth, given probabilities of yes: -(t log p + (1 - t) log(1 - p)).

    Logarithms are cut off at -100. Raises ArgumentError for probabilities outside [0, 1]. Prefer
    `binary_cross_entropy_with_logits`, which is precise for all scores.
    """
    name = "binary_cross_entropy"
    target = paired(input, target, name)
    _check_probabilities(input, name)
    return reduced(weighed_losses(binary_surprise(input, target), weight, name), reduction, name)


@composite(
    samples=[
        sample((2, 3), _UNIT),
        sample((2, 3), _UNIT, Real((2, 1), 0.5, 2.0), Real((3,), 0.5, 2.0)),
        sample(Real((4,), -90, 90), Real((4,), 0.0, 1.0), reduction="sum"),
        sample((0, 2), (0, 2), reduction="none"),
    ],
    wrong=[
        wrong(
            "binary_cross_entropy_with_logits: input has shape (3, 1) but target (3,): they must be equal",
            (3, 1),
            (3,),
        )
    ],
)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of scores: sigmoid and loss in one, so that no score is too large.

    `weight` broadcasts over the losses; `pos_weight` multiplies the part of the positive class.
    """
    name = "binary_cross_entropy_with_logits"
    target = paired(input, target, name)
    losses = logit_surprise(input, target, 1.0 if pos_weight is None else like(input, pos_weight))
    return reduced(weighed_losses(losses, weight, name), reduction, name)


@composite(
    samples=[
        sample(Real((2, 3), -3.0, 0.0), Real((2, 3), 0.05, 1.0)),
        sample(Real((2, 3), -3.0, 0.0), Real((2, 3), -3.0, 0.0), log_target=True, reduction="batchmean"),
        sample(Real((4,), -3.0, 0.0), Real((4,), 0.05, 1.0), reduction="none"),
    ],
    wrong=[
        wrong("kl_div: input has shape (2, 3) but target (3,): they must be equal", (2, 3), (3,)),
        wrong("kl_div: reduction must be mean, sum or none, got 'batch'", (2,), (2,), reduction="batch"),
    ],
)
def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence of log-probabilities `input` from the probabilities `target`.

    target (log target - input); "batchmean" divides the sum by the batch size, as the mathematical
    definition does, while "mean" divides by the number of elements. `log_target`: the target holds
    logarithms too.
    """
    target = paired(input, target, "kl_div")
    if log_target:
        losses = multiply(exp(target), subtract(target, input))
    else:
        losses = divergence(input, target)
    if reduction == "batchmean":
        return divide(sum(losses), input.shape[0] if input.ndim else 1)
    return reduced(losses, reduction, "kl_div")
