"""Activation layers: an activation function as a module, for use in `Sequential`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chainrule.core.tensor import Tensor
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.affine import empty, sized
from chainrule.nn.module import Module


class _Activation(Module):
    """A function of `functional` with its settings kept, shown and passed on."""

    function: ClassVar[Callable[..., Tensor]]
    shown: ClassVar[tuple[str, ...]] = ()

    def forward(self, x: Any) -> Tensor:
        """Apply the function to `x`."""
        return type(self).function(x, **{name: getattr(self, name) for name in self.shown})

    def extra_repr(self) -> str:
        """Return the settings."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.shown)


class ReLU(_Activation):
    """max(x, 0). `inplace` is accepted and changes nothing."""

    function = F.relu

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class LeakyReLU(_Activation):
    """x, or `negative_slope` x where x is negative. `inplace` changes nothing."""

    function, shown = F.leaky_relu, ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope


class ELU(_Activation):
    """x, or `alpha` (exp(x) - 1) where x is negative. `inplace` changes nothing."""

    function, shown = F.elu, ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha


class SELU(_Activation):
    """ELU scaled so that mean 0 and variance 1 are kept. `inplace` changes nothing."""

    function = F.selu

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class GELU(_Activation):
    """x times the normal probability of being below x; `approximate` "none" or "tanh"."""

    function, shown = F.gelu, ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class SiLU(_Activation):
    """x times its sigmoid. `inplace` changes nothing."""

    function = F.silu

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    function = F.sigmoid


class Tanh(_Activation):
    """Hyperbolic tangent."""

    function = F.tanh


class Softplus(_Activation):
    """log(1 + exp(beta x)) / beta; x itself where beta x exceeds `threshold`."""

    function, shown = F.softplus, ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold


class Softmax(_Activation):
    """Scores as probabilities along `dim`."""

    function, shown = F.softmax, ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class LogSoftmax(_Activation):
    """Logarithm of the softmax along `dim`."""

    function, shown = F.log_softmax, ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class PReLU(Module):
    """Leaky ReLU with learned slopes: one, or one a channel. Source: He et al. 2015, eq. 1."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = None) -> None:
        super().__init__()
        sized(self, num_parameters=num_parameters)
        self.num_parameters, self.init = num_parameters, init
        self.weight = empty((num_parameters,), dtype)
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
