"""Layers that weigh their inputs: linear, maxout, and the lookup in a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core import memory
from chainrule.core.spec import Shape, known_dtype
from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ArgumentError, ShapeError
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter


def empty(shape: Shape, dtype: Any) -> Parameter:
    """Return a parameter of zeros, for an initialiser to fill; the dtype must be a float."""
    return Parameter(memory.zeros(shape, known_dtype(np.float32 if dtype is None else dtype)))


def sized(layer: Module, least: int = 1, **sizes: Any) -> None:
    """Raise ArgumentError unless each named size is an integer of at least `least`."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < least:
            raise ArgumentError(
                f"{type(layer).__name__}: {name} must be an integer of at least {least}, got {size!r}"
            )


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
        sized(self, least=0, in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = empty((out_features, in_features), dtype)
        self.bias = empty((out_features,), dtype) if bias else None
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
        sized(self, in_features=in_features, out_features=out_features, pieces=pieces)
        self.in_features, self.out_features, self.pieces = in_features, out_features, pieces
        self.weight = empty((out_features * pieces, in_features), dtype)
        self.bias = empty((out_features * pieces,), dtype) if bias else None
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
        sized(self, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ArgumentError(f"Embedding: padding_idx {padding_idx} is no row of {num_embeddings}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = empty((num_embeddings, embedding_dim), dtype)
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


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one: (n, c, h, w) -> (n, c * h * w)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Tensor:
        """Return the same values in fewer axes."""
        x = as_tensor(x)
        ndim = max(x.ndim, 1)
        if not (-ndim <= self.start_dim < ndim and -ndim <= self.end_dim < ndim):
            raise ShapeError(f"Flatten: axes {self.start_dim} to {self.end_dim} are not in shape {x.shape}")
        first, last = self.start_dim % ndim, self.end_dim % ndim
        if first > last:
            raise ShapeError(f"Flatten: axis {self.start_dim} comes after {self.end_dim} in shape {x.shape}")
        joined = math.prod(x.shape[first : last + 1])
        return x.reshape((*x.shape[:first], joined, *x.shape[last + 1 :]))

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """The input as it is, whatever the arguments: a place holder."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Tensor:
        """Return the input."""
        return as_tensor(x)
