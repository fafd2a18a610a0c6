"""Penalties: the part of a loss that looks at the weights only, R(W) in the lecture.

A penalty is added to the data loss, so that its gradient takes the same way as every other:
`loss = data_loss + penalty(model)`. It takes what has at least two axes (weights, kernels, tables
of embeddings), and leaves out biases and the scales of normalisation, which do not make a function
steeper; `biases=True` takes all.
"""

from __future__ import annotations

import functools
from typing import Any

from chainrule.core.families import elementwise
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import abs, add, multiply, square
from chainrule.ops.reduce import sum
from chainrule.optim.groups import NOT_NEGATIVE, several
from chainrule.scalar import Expr, absolute


@elementwise(domain=(0.3, 2.0), kinks={0.0: "the gradient at 0 is 0"})
def elastic_cost(w: Expr, *, beta: float = 0.5) -> Expr:
    """beta w^2 + |w|: round where weights are large, with the kink of |w| at 0."""
    return beta * (w * w) + absolute(w)


class Penalty:
    """Base of the penalties: strength times the sum of `cost` over the weights.

    Call it on a module, or on an iterable of tensors. Raises ArgumentError for a strength below 0,
    and when there is no weight to penalise.
    """

    def __init__(self, strength: float, *, biases: bool = False) -> None:
        self.strength = NOT_NEGATIVE.check(type(self).__name__, "strength", strength)
        self.biases = biases

    def cost(self, weight: Tensor) -> Tensor:
        """Return what each number of a weight costs."""
        raise NotImplementedError

    @property
    def formula(self) -> str:
        """What is added to the loss, in one line."""
        raise NotImplementedError

    def __call__(self, source: Any) -> Tensor:
        name = type(self).__name__
        own = getattr(source, "parameters", None)
        found = several(name, own() if callable(own) else source)
        weights = [each for each in found if self.biases or each.ndim >= 2]
        if not weights:
            raise ArgumentError(
                f"{name}: none of the {len(found)} parameters has two axes: no weight to penalise",
                hint="biases=True takes parameters of any shape",
            )
        total = functools.reduce(add, [sum(self.cost(weight)) for weight in weights])
        return multiply(total, self.strength)

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.formula}"


class L1(Penalty):
    """strength * sum |w|: drives weights to exactly 0.

    >>> L1(0.1, biases=True)([Tensor([1.0, -2.0])]).item()
    0.30000001192092896
    """

    def cost(self, weight: Tensor) -> Tensor:
        return abs(weight)

    @property
    def formula(self) -> str:
        return f"{self.strength:g} * sum |w|"


class L2(Penalty):
    """strength * sum w^2: prefers many small weights to few large ones.

    There is no factor 1/2: the gradient is 2 * strength * w.

    >>> L2(0.01)
    L2: 0.01 * sum w^2
    """

    def cost(self, weight: Tensor) -> Tensor:
        return square(weight)

    @property
    def formula(self) -> str:
        return f"{self.strength:g} * sum w^2"


class ElasticNet(Penalty):
    """strength * sum (beta w^2 + |w|): both at once.

    >>> ElasticNet(0.01, beta=0.5)
    ElasticNet: 0.01 * sum (0.5 w^2 + |w|)
    """

    def __init__(self, strength: float, beta: float = 0.5, *, biases: bool = False) -> None:
        super().__init__(strength, biases=biases)
        self.beta = NOT_NEGATIVE.check("ElasticNet", "beta", beta)

    def cost(self, weight: Tensor) -> Tensor:
        return elastic_cost(weight, beta=self.beta)

    @property
    def formula(self) -> str:
        return f"{self.strength:g} * sum ({self.beta:g} w^2 + |w|)"
