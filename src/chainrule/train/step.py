"""One training step: the plain function around which everything else in this package is built.

Forward, loss, penalty, backward, in ops on tensors only and with no decision that depends on a value:
the shape of code that can be traced and compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chainrule.core.tensor import Tensor
from chainrule.nn import Module
from chainrule.optim import Optimizer
from chainrule.train.parts import computed

Loss = Callable[[Tensor, Tensor], Tensor]
Penalty = Callable[[Module], Tensor]


class Step(NamedTuple):
    """What one step computed: the loss that was minimised, the data loss in it, and the scores."""

    loss: Tensor
    data_loss: Tensor
    scores: Tensor


def gradients(
    model: Module, loss: Loss, optimizer: Optimizer, x: Tensor, y: Tensor, *, penalty: Penalty | None
) -> Step:
    """Leave the gradients of one batch in the parameters of `model`, and return what was computed.

    With `optimizer.step()` after it, this is a training step; between the two, gradients can be checked.
    """
    optimizer.zero_grad()
    scores = computed(model(x), "the model", "let forward end in `return scores`")
    data_loss = computed(loss(scores, y), "the loss", "return the loss itself, without .item() or float()")
    total = data_loss if penalty is None else data_loss + penalty(model)
    total.backward()
    return Step(total, data_loss, scores)
