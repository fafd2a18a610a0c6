"""Adagrad: weights that have moved much move less.

Source: Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods for Online Learning".
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from chainrule import scalar
from chainrule.core.calls import fitting
from chainrule.core.families import elementwise
from chainrule.core.sample import Real, sample
from chainrule.core.spec import known_dtype
from chainrule.core.tensor import Tensor
from chainrule.optim.averages import counted, decayed
from chainrule.optim.groups import NOT_NEGATIVE, Group, Limits
from chainrule.optim.optimizer import Optimizer, State
from chainrule.scalar import Expr


@elementwise
def square_total(total: Expr, g: Expr) -> Expr:
    """All squared gradients so far."""
    return total + g * g


@elementwise(samples=[sample(Real((), 1.0, 9.0), lr_decay=0.1)])
def fading_rate(step: Expr, *, lr: float = 1e-2, lr_decay: float = 0.0, dtype: Any = "float32") -> Expr:
    """The rate after `step` updates: lr / (1 + (step - 1) lr_decay)."""
    return scalar.cast(lr / (1.0 + (step - 1.0) * lr_decay), known_dtype(dtype).name)


@elementwise(domain=[(-2.0, 2.0), (-2.0, 2.0), (0.5, 2.0), (0.1, 1.0)])
def adagrad_step(p: Expr, g: Expr, total: Expr, rate: Expr, *, eps: float = 1e-10) -> Expr:
    """One step along the gradient, in units of the root of all its squares."""
    return p - rate * (g / (scalar.sqrt(total) + eps))


class Adagrad(Optimizer):
    """Adagrad with PyTorch's arguments and update rule."""

    limits: ClassVar[dict[str, Limits]] = dict.fromkeys(
        ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"), NOT_NEGATIVE
    )

    @fitting
    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, eps=eps, maximize=maximize,
        )  # fmt: skip

    def slots(self, group: Group) -> tuple[str, ...]:
        return ("step", "sum")

    def initial(self, slot: str, parameter: Tensor, group: Group) -> Any:
        if slot == "step":
            return super().initial(slot, parameter, group)
        return np.full(parameter.shape, group["initial_accumulator_value"], parameter.dtype)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, State]:
        if group["weight_decay"]:
            g = decayed(g, p, weight_decay=group["weight_decay"])
        step, total = counted(state["step"]), square_total(state["sum"], g)
        rate = fading_rate(step, lr=group["lr"], lr_decay=group["lr_decay"], dtype=p.dtype)
        return adagrad_step(p, g, total, rate, eps=group["eps"]), {"step": step, "sum": total}
