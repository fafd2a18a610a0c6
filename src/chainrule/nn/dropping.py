"""Layers that drop at random in training, and do nothing in evaluation.

`p` is always the probability of dropping; what stays is divided by 1 - p, so that evaluation needs no
factor. Masks come from the default random stream.
"""

from __future__ import annotations

from typing import Any

from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.nn import functional as F
from chainrule.nn.module import Module


class _Drop(Module):
    """What all of them keep: a probability of dropping, checked."""

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(
                f"{type(self).__name__}: p, the probability of dropping, must be in [0, 1], got {p}"
            )
        self.p = p

    def extra_repr(self) -> str:
        """Return p with its meaning."""
        return f"p={self.p} (probability of dropping)"


class Dropout(_Drop):
    """Drop single numbers. Source: Srivastava et al. 2014.

    >>> from chainrule import nn
    >>> nn.Dropout(0.2)
    Dropout(p=0.2 (probability of dropping))
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p)

    def forward(self, x: Any) -> Tensor:
        """Return what is left of `x`."""
        return F.dropout(x, self.p, self.training)


class Dropout2d(_Drop):
    """Drop whole channels of images (n, c, h, w). Source: Tompson et al. 2015, section 3.2."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p)

    def forward(self, x: Any) -> Tensor:
        """Return what is left of `x`."""
        return F.dropout2d(x, self.p, self.training)


class StochasticDepth(_Drop):
    """Drop the branch of a residual block: for single samples ("row") or for the whole batch ("batch").

    Put it on the branch: `x + drop(block(x))`. Source: Huang et al. 2016, "Deep Networks with
    Stochastic Depth", scaled as dropout is.
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__(p)
        if mode not in ("row", "batch"):
            raise ArgumentError(f"StochasticDepth: mode must be 'row' or 'batch', got {mode!r}")
        self.mode = mode

    def forward(self, x: Any) -> Tensor:
        """Return what is left of `x`."""
        return F.stochastic_depth(x, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        """Return p and the mode with their meaning."""
        unit = "single samples" if self.mode == "row" else "the whole batch"
        return f"{super().extra_repr()}, mode={self.mode!r} (drops {unit})"
