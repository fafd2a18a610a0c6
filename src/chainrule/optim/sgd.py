"""Stochastic gradient descent: follow the slope, with momentum if asked.

Source of the momentum: Polyak 1964; of its look ahead: Nesterov 1983, in the form of Sutskever et
al. 2013, "On the importance of initialization and momentum in deep learning".
"""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule import scalar
from chainrule.core.calls import fitting
from chainrule.core.families import elementwise
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.optim.averages import counted, decayed, flushed, smallest
from chainrule.optim.groups import ANY, NOT_NEGATIVE, Group, Limits
from chainrule.optim.optimizer import Optimizer, State
from chainrule.scalar import Expr


@elementwise
def sgd_step(p: Expr, direction: Expr, *, lr: float = 1e-3) -> Expr:
    """One step down the slope: p - lr * direction."""
    return p - lr * direction


@elementwise
def momentum_mean(buffer: Expr, g: Expr, *, momentum: float = 0.9, tiny: float = 0.0) -> Expr:
    """What is left of the old direction, and the gradient; 0 below `tiny`."""
    return flushed(momentum * buffer + g, tiny)


@elementwise(domain=[(-2.0, 2.0), (-2.0, 2.0), (1.1, 3.0)])
def dampened_mean(
    buffer: Expr, g: Expr, step: Expr, *, momentum: float = 0.9, dampening: float = 0.0, tiny: float = 0.0
) -> Expr:
    """As `momentum_mean`, with the gradient dampened from the second step on."""
    return flushed(scalar.select(step <= 1.0, g, momentum * buffer + (1.0 - dampening) * g), tiny)


@elementwise
def nesterov_direction(g: Expr, buffer: Expr, *, momentum: float = 0.9) -> Expr:
    """The gradient, and where momentum will lead next."""
    return g + momentum * buffer


class SGD(Optimizer):
    """Stochastic gradient descent with PyTorch's arguments and update rule.

    >>> import chainrule as cr
    >>> w = cr.tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.8
    """

    limits: ClassVar[dict[str, Limits]] = {
        "lr": NOT_NEGATIVE, "momentum": NOT_NEGATIVE, "dampening": ANY, "weight_decay": NOT_NEGATIVE,
    }  # fmt: skip

    @fitting
    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize,
        )  # fmt: skip

    def check_group(self, group: Group) -> None:
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ArgumentError("SGD: nesterov needs momentum above 0, and no dampening")

    def slots(self, group: Group) -> tuple[str, ...]:
        if not group["momentum"]:
            return ()
        return ("momentum_buffer", "step") if group["dampening"] else ("momentum_buffer",)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, State]:
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"]:
            g = decayed(g, p, weight_decay=group["weight_decay"])
        if not momentum:
            return sgd_step(p, g, lr=lr), {}
        buffer = state["momentum_buffer"]
        new: State = {}
        keep = {"momentum": momentum, "tiny": smallest(p.dtype)}
        if group["dampening"]:
            new["step"] = counted(state["step"])
            buffer = dampened_mean(buffer, g, new["step"], dampening=group["dampening"], **keep)
        else:
            buffer = momentum_mean(buffer, g, **keep)
        new["momentum_buffer"] = buffer
        direction = nesterov_direction(g, buffer, momentum=momentum) if group["nesterov"] else buffer
        return sgd_step(p, direction, lr=lr), new
