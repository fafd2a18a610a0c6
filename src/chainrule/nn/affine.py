"""Layers that weigh their inputs: linear, maxout, and the lookup in a table.

Weights are stored (out, in) and begin as PyTorch's do; `fill_evenly` is the start of convolutions, too.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter, blank
from chainrule.nn.sizes import check_sizes


def fill_evenly(weight: Parameter, bias: Parameter | None) -> None:
    """Draw weight and bias evenly from +-1 / sqrt(fan_in), PyTorch's default for weighing layers."""
    fan_in = init.fans(weight)[0]
    bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
    for parameter in (weight, bias):
        if parameter is not None and bound:
            init.uniform_(parameter, -bound, bound)


class Linear(Module):
    """Scores W x + b of the last axis: (..., in_features) -> (..., out_features).

    `weight` is stored (out, in). Both parameters start evenly in +-1 / sqrt(in_features).

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> nn.Linear(3, 2)(cr.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None) -> None:
        super().__init__()
        check_sizes(self, least=0, in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = blank((out_features, in_features), dtype)
        self.bias = blank((out_features,), dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        fill_evenly(self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        """Return the scores of every row."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Maxout(Module):
    """The largest of `pieces` linear functions, unit by unit: (..., in) -> (..., out).

    Its weight is that of `Linear(in_features, out_features * pieces)`; the pieces of one unit are
    neighbours. Source: Goodfellow et al. 2013, "Maxout Networks", section 3.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> nn.Maxout(4, 3, pieces=2)
    Maxout(in_features=4, out_features=3, pieces=2, bias=True)  # 30 parameters
    """

    def __init__(
        self, in_features: int, out_features: int, pieces: int = 2, bias: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        check_sizes(self, in_features=in_features, out_features=out_features, pieces=pieces)
        self.in_features, self.out_features, self.pieces = in_features, out_features, pieces
        self.weight = blank((out_features * pieces, in_features), dtype)
        self.bias = blank((out_features * pieces,), dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        fill_evenly(self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        """Return the largest piece of every unit."""
        return F.maxout(F.linear(x, self.weight, self.bias), pieces=self.pieces)

    def extra_repr(self) -> str:
        """Return the sizes."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}, pieces={self.pieces}"
        return f"{sizes}, bias={self.bias is not None}"


class Embedding(Module):
    """A table of learned rows: integers (...) -> (..., embedding_dim).

    The row `padding_idx` starts at zero and learns nothing. Rows start with normal numbers.

    >>> from chainrule import nn
    >>> nn.Embedding(10, 4)([[1, 2, 3]]).shape
    (1, 3, 4)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_sizes(self, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ArgumentError(f"Embedding: padding_idx {padding_idx} is no row of {num_embeddings}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = blank((num_embeddings, embedding_dim), dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the rows anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0.0

    def forward(self, x: Any) -> Tensor:
        """Return the rows at `x`."""
        return F.embedding(x, self.weight, padding_idx=self.padding_idx)

    def extra_repr(self) -> str:
        """Return the sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
