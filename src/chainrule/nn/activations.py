"""Activation layers: an activation function as a module, for use in `Sequential`.

What they compute is `functional`'s; only `PReLU` has parameters of its own.
"""

from __future__ import annotations

from typing import Any

from chainrule.core.tensor import Tensor
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.applied import Applied
from chainrule.nn.module import Module
from chainrule.nn.parameter import blank
from chainrule.nn.sizes import check_sizes


class ReLU(Applied):
    """max(x, 0). `inplace` is accepted and changes nothing."""

    function = F.relu

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class LeakyReLU(Applied):
    """x, or `negative_slope` x where x is negative. `inplace` changes nothing."""

    function = F.leaky_relu

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope)


class ELU(Applied):
    """x, or `alpha` (exp(x) - 1) where x is negative. `inplace` changes nothing."""

    function = F.elu

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)


class SELU(Applied):
    """ELU scaled so that mean 0 and variance 1 are kept. `inplace` changes nothing."""

    function = F.selu

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class GELU(Applied):
    """x times the normal probability of being below x; `approximate` "none" or "tanh"."""

    function = F.gelu

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class SiLU(Applied):
    """x times its sigmoid. `inplace` changes nothing."""

    function = F.silu

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Sigmoid(Applied):
    """1 / (1 + exp(-x))."""

    function = F.sigmoid

    def __init__(self) -> None:
        super().__init__()


class Tanh(Applied):
    """Hyperbolic tangent."""

    function = F.tanh

    def __init__(self) -> None:
        super().__init__()


class Softplus(Applied):
    """log(1 + exp(beta x)) / beta; x itself where beta x exceeds `threshold`."""

    function = F.softplus

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class Softmax(Applied):
    """Scores as probabilities along `dim`."""

    function = F.softmax

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class LogSoftmax(Applied):
    """Logarithm of the softmax along `dim`."""

    function = F.log_softmax

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class PReLU(Module):
    """Leaky ReLU with learned slopes: one, or one a channel. Source: He et al. 2015, eq. 1."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = None) -> None:
        super().__init__()
        check_sizes(self, num_parameters=num_parameters)
        self.num_parameters, self.init = num_parameters, init
        self.weight = blank((num_parameters,), dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all slopes to their start."""
        init.constant_(self.weight, self.init)

    def forward(self, x: Any) -> Tensor:
        """Apply the slopes to what is negative in `x`."""
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        """Return the number of slopes."""
        return f"num_parameters={self.num_parameters}"
