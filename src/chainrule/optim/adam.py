"""Adam and AdamW: every weight has a rate of its own, from running means of its gradient.

Source: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1; Loshchilov
and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2; Reddi et al. 2018 (amsgrad).
"""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule import scalar
from chainrule.core.calls import fitting
from chainrule.core.families import elementwise
from chainrule.core.sample import Real, sample
from chainrule.core.spec import known_dtype
from chainrule.core.tensor import Tensor
from chainrule.ops.arithmetic import maximum
from chainrule.optim.averages import counted, decayed, running_mean, running_square, shrunk, smallest
from chainrule.optim.groups import FRACTION, NOT_NEGATIVE, Group, Limits
from chainrule.optim.optimizer import Optimizer, State
from chainrule.scalar import Expr

_STEPS = [
    sample(Real((), 1.0, 9.0), dtype="float64"),
    sample(Real((3,), 1.0, 9.0), skip_gradient="the result is in float32, too coarse for differences"),
]


@elementwise(domain=(1.0, 9.0), samples=_STEPS)
def unbiased_rate(step: Expr, *, lr: float = 1e-3, decay: float = 0.9, dtype: Any = "float32") -> Expr:
    """The rate divided by how full a running mean is after `step` updates: lr / (1 - decay^step)."""
    return scalar.cast(lr / (1.0 - decay**step), known_dtype(dtype).name)


@elementwise(domain=(1.0, 9.0), samples=_STEPS)
def unbiased_root(step: Expr, *, decay: float = 0.999, dtype: Any = "float32") -> Expr:
    """What the root of a running mean of squares is multiplied with: 1 / sqrt(1 - decay^step)."""
    return scalar.cast(1.0 / scalar.sqrt(1.0 - decay**step), known_dtype(dtype).name)


@elementwise(domain=[(-2.0, 2.0), (-2.0, 2.0), (0.5, 2.0), (0.1, 1.0), (0.5, 2.0)])
def adam_step(p: Expr, mean: Expr, square: Expr, rate: Expr, root: Expr, *, eps: float = 1e-8) -> Expr:
    """One step along the mean gradient, measured in units of its own root mean square."""
    return p - rate * (mean / (scalar.sqrt(square) * root + eps))


class Adam(Optimizer):
    """Adam with PyTorch's arguments and update rule.

    >>> import chainrule as cr
    >>> w = cr.tensor([1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.9
    """

    limits: ClassVar[dict[str, Limits]] = {
        "lr": NOT_NEGATIVE, "betas": FRACTION, "eps": NOT_NEGATIVE, "weight_decay": NOT_NEGATIVE,
    }  # fmt: skip

    @fitting
    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize
        )

    def slots(self, group: Group) -> tuple[str, ...]:
        return ("step", "exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))

    def decay(self, p: Tensor, g: Tensor, group: Group) -> tuple[Tensor, Tensor]:
        """Return the parameter and its gradient, one of them with the weight decay in it."""
        return p, decayed(g, p, weight_decay=group["weight_decay"])

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, State]:
        one, two = group["betas"]
        if group["weight_decay"]:
            p, g = self.decay(p, g, group)
        step = counted(state["step"])
        tiny = smallest(p.dtype)
        mean = running_mean(state["exp_avg"], g, decay=one, tiny=tiny)
        square = running_square(state["exp_avg_sq"], g, decay=two, tiny=tiny)
        new: State = {"step": step, "exp_avg": mean, "exp_avg_sq": square}
        if group["amsgrad"]:
            square = new["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], square)
        rate = unbiased_rate(step, lr=group["lr"], decay=one, dtype=p.dtype)
        root = unbiased_root(step, decay=two, dtype=p.dtype)
        return adam_step(p, mean, square, rate, root, eps=group["eps"]), new


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves, apart from the gradient."""

    @fitting
    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def decay(self, p: Tensor, g: Tensor, group: Group) -> tuple[Tensor, Tensor]:
        return shrunk(p, lr=group["lr"], weight_decay=group["weight_decay"]), g
