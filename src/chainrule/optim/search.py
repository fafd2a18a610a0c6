"""The two ways of the lecture that need no backpropagation: guessing, and numerical slopes.

Both are slow on purpose: they show what a gradient saves. Random search draws weights and keeps the
best; numerical gradient descent measures the slope of one weight after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from chainrule.core.mode import no_grad
from chainrule.core.numerical import numerical_gradient
from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.core.whole import whole_number
from chainrule.errors import ArgumentError
from chainrule.ops.random import default
from chainrule.optim.groups import NOT_NEGATIVE, POSITIVE, Group, Limits, as_groups, checked_group
from chainrule.optim.optimizer import Optimizer, State
from chainrule.optim.sgd import sgd_step


class RandomSearch:
    """Draws weights anew in each of many tries, and keeps the best.

    `weights` is a shape, and `loss` a function of one weight tensor; or `weights` is a list of
    parameters, and `loss` a function without arguments that uses them: they hold the best values at
    the end. Weights are normal with standard deviation `scale`. With `local=True` the draw is a
    step from the best so far: beginning at the parameters' own values, or zeros for a shape.
    `seed` None draws from the default stream.

    `run()` returns the best loss; `best` holds the best weights (one tensor for a shape, else a
    list), `history` the best loss after each try.

    >>> search = RandomSearch((2,), lambda w: ((w - 1.0) ** 2).sum(), scale=1.0, tries=200)
    >>> search.run() < 0.1
    True
    """

    def __init__(
        self,
        weights: Any,
        loss: Callable[..., Any],
        scale: float = 1e-4,
        tries: int = 1000,
        seed: int | None = 0,
        local: bool = False,
    ) -> None:
        self.scale = NOT_NEGATIVE.check("RandomSearch", "scale", scale)
        self.tries = whole_number("RandomSearch", "tries", tries)
        self.local, self.loss = local, loss
        self.stream = default if seed is None else Stream(seed)
        self.of_shape = _is_shape(weights)
        self.weights: list[Tensor] = (
            [Tensor(np.zeros(weights, np.float32))]
            if self.of_shape
            else checked_group("RandomSearch", as_groups("RandomSearch", weights)[0], ())["params"]
        )
        self.history: list[float] = []
        self.best_loss = math.inf
        self._kept = [each.data.copy() for each in self.weights]

    @property
    def best(self) -> Any:
        """The best weights so far: a tensor when a shape was given, else a list of tensors."""
        found = [Tensor(each.copy()) for each in self._kept]
        return found[0] if self.of_shape else found

    @no_grad()
    def run(self) -> float:
        """Make all the tries (again, from the best so far, when called again); return the best loss."""
        try:
            if self.local and not self.history:
                self.best_loss = self._evaluate()
            for _ in range(self.tries):
                self._try()
        finally:
            for weight, kept in zip(self.weights, self._kept, strict=True):
                weight.assign(kept)
        return self.best_loss

    def _try(self) -> None:
        for weight, kept in zip(self.weights, self._kept, strict=True):
            weight.assign(self._draw(kept))
        found = self._evaluate()
        if found < self.best_loss:
            self.best_loss = found
            self._kept = [each.data.copy() for each in self.weights]
        self.history.append(self.best_loss)

    def _draw(self, kept: Array) -> Array:
        drawn = self.stream.normal(kept.shape, 0.0, self.scale, kept.dtype)
        return kept + drawn if self.local else drawn

    def _evaluate(self) -> float:
        found = self.loss(self.weights[0]) if self.of_shape else self.loss()
        return float(found.item() if isinstance(found, Tensor) else found)


def _is_shape(weights: Any) -> bool:
    several: Any = weights if isinstance(weights, (tuple, list)) else (weights,)
    return bool(several) and all(isinstance(each, (int, np.integer)) for each in several)


class NumericalGradientDescent(Optimizer):
    """Follows the slope that finite differences measure: no graph, no backward, 2 losses a weight.

    `step(closure)` calls the closure twice for every single weight, and once more for the loss that
    it returns (the one before the update). While a parameter is measured it is in float64, because
    a step of `h` = 1e-5 would drown in the rounding of float32. The slopes are left in `.grad`.

    >>> import chainrule as cr
    >>> w = cr.tensor([2.0], requires_grad=True)
    >>> optimizer = NumericalGradientDescent([w], lr=0.1)
    >>> optimizer.step(lambda: (w * w).sum()).item()
    4.0
    >>> round(w.item(), 5)
    1.6
    """

    limits: ClassVar[dict[str, Limits]] = {"lr": NOT_NEGATIVE, "h": POSITIVE}

    def __init__(self, params: Any, lr: float = 1e-3, h: float = 1e-5) -> None:
        super().__init__(params, lr=lr, h=h, maximize=False)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> tuple[Tensor, State]:
        return sgd_step(p, g, lr=group["lr"]), {}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Measure the slope of `closure()`, the loss, and make one step down."""
        if closure is None:
            raise ArgumentError(
                "NumericalGradientDescent: step needs a closure that computes the loss",
                hint="optimizer.step(lambda: loss(model(x), y))",
            )
        with no_grad():
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = Tensor(self._slope(p, closure, group["h"]).astype(p.dtype))
        super().step()
        return loss

    @staticmethod
    def _slope(p: Tensor, closure: Callable[[], Any], h: float) -> Array:
        own = p.data

        def at(value: Tensor) -> Any:
            p.data = value.data
            return closure()

        try:
            return numerical_gradient(at, own, h).data
        finally:
            p.data = own
