"""RMSprop: the gradient in units of its own running root mean square.

Source: Hinton, Srivastava and Swersky 2012, lecture 6a of "Neural Networks for Machine Learning";
`centered` after Graves 2013, "Generating Sequences With Recurrent Neural Networks", eq. 38 to 45.
"""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule import scalar
from chainrule.core.calls import fitting
from chainrule.core.families import elementwise
from chainrule.core.tensor import Tensor
from chainrule.optim.averages import decayed, running_mean, running_square, smallest
from chainrule.optim.groups import NOT_NEGATIVE, Group, Limits
from chainrule.optim.optimizer import Optimizer, State
from chainrule.optim.sgd import momentum_mean, sgd_step
from chainrule.scalar import Expr


@elementwise(domain=[(-2.0, 2.0), (0.5, 2.0)])
def scaled_by_root(g: Expr, square: Expr, *, eps: float = 1e-8) -> Expr:
    """The gradient divided by its root mean square."""
    return g / (scalar.sqrt(square) + eps)


@elementwise(domain=[(-1.0, 1.0), (0.3, 1.0)])
def variance_of(mean: Expr, square: Expr) -> Expr:
    """Mean of squares less square of mean; rounding may not bring it below 0."""
    return scalar.maximum(square - mean * mean, 0.0)


class RMSprop(Optimizer):
    """RMSprop with PyTorch's arguments and update rule."""

    limits: ClassVar[dict[str, Limits]] = dict.fromkeys(
        ("lr", "alpha", "eps", "weight_decay", "momentum"), NOT_NEGATIVE
    )

    @fitting
    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
            centered=centered, maximize=maximize,
        )  # fmt: skip

    def slots(self, group: Group) -> tuple[str, ...]:
        asked = {"square_avg": True, "grad_avg": group["centered"], "momentum_buffer": group["momentum"]}
        return tuple(slot for slot, wanted in asked.items() if wanted)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, State]:
        if group["weight_decay"]:
            g = decayed(g, p, weight_decay=group["weight_decay"])
        tiny = smallest(p.dtype)
        spread = running_square(state["square_avg"], g, decay=group["alpha"], tiny=tiny)
        new: State = {"square_avg": spread}
        if group["centered"]:
            new["grad_avg"] = running_mean(state["grad_avg"], g, decay=group["alpha"], tiny=tiny)
            spread = variance_of(new["grad_avg"], spread)
        direction = scaled_by_root(g, spread, eps=group["eps"])
        if group["momentum"]:
            buffer = state["momentum_buffer"]
            direction = momentum_mean(buffer, direction, momentum=group["momentum"], tiny=tiny)
            new["momentum_buffer"] = direction
        return sgd_step(p, direction, lr=group["lr"]), new
