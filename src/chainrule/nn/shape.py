"""Layers without arithmetic: `Flatten` joins axes, `Identity` hands on what it is given."""

from __future__ import annotations

import math
from typing import Any

from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ShapeError
from chainrule.nn.module import Module


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
