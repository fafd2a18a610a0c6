"""Activation functions: what a unit does to its score.

Each is an expression of one number, with its partial claimed where the derived one would be less precise
or slower; softmax and its logarithm look at a whole axis.
"""

from __future__ import annotations

import math

from chainrule import scalar
from chainrule.core.families import composite, elementwise
from chainrule.core.sample import Real, sample, wrong
from chainrule.core.spec import normalize_axis
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError
from chainrule.ops.arithmetic import multiply, subtract
from chainrule.ops.elementary import exp, log
from chainrule.ops.reduce import max, sum
from chainrule.scalar import Expr

_ZERO = {0.0: "the gradient at 0 is that of the negative side"}
# PyTorch's constants; Klambauer et al. 2017, "Self-Normalizing Neural Networks", eq. 14.
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@elementwise(partial=lambda x, y: y * (1.0 - y), edges=(-90.0, 90.0))
def sigmoid(x: Expr) -> Expr:
    """Logistic function onto (0, 1), written through tanh so that exp never overflows."""
    return 0.5 * (1.0 + scalar.tanh(0.5 * x))


def _step(x: Expr, y: Expr) -> Expr:
    return scalar.select(x > 0.0, 1.0, 0.0)


@elementwise(partial=_step, kinks=_ZERO)
def relu(x: Expr) -> Expr:
    """The positive part: max(x, 0)."""
    return scalar.maximum(x, 0.0)


@elementwise(kinks=_ZERO)
def leaky_relu(x: Expr, *, negative_slope: float = 0.01) -> Expr:
    """Pass positive numbers, scale the others by a small slope. Source: Maas et al. 2013, eq. 2."""
    return scalar.select(x > 0.0, x, negative_slope * x)


def _elu_slope(x: Expr, y: Expr, *, alpha: Expr) -> Expr:
    return scalar.select(x > 0.0, 1.0, y + alpha)


@elementwise(partial=_elu_slope, kinks=_ZERO, edges=(-90.0,))
def elu(x: Expr, *, alpha: float = 1.0) -> Expr:
    """Pass positive numbers, bend the others towards -alpha. Source: Clevert et al. 2016, eq. 15."""
    return scalar.select(x > 0.0, x, alpha * scalar.expm1(scalar.minimum(x, 0.0)))


def _selu_slope(x: Expr, y: Expr) -> Expr:
    return scalar.select(x > 0.0, _SELU_SCALE, y + _SELU_SCALE * _SELU_ALPHA)


@elementwise(partial=_selu_slope, kinks=_ZERO, edges=(-90.0,))
def selu(x: Expr) -> Expr:
    """ELU scaled so that mean 0 and variance 1 are kept. Source: Klambauer et al. 2017."""
    bent = _SELU_ALPHA * scalar.expm1(scalar.minimum(x, 0.0))
    return _SELU_SCALE * scalar.select(x > 0.0, x, bent)


@elementwise(edges=(-10.0, 10.0))
def gelu(x: Expr, *, approximate: str = "none") -> Expr:
    """The number times the normal probability of being below it; `approximate` "none" or "tanh".

    Source: Hendrycks and Gimpel 2016, eq. 1 and 2.
    """
    if approximate == "none":
        return 0.5 * x * (1.0 + scalar.erf(x * math.sqrt(0.5)))
    if approximate == "tanh":
        return 0.5 * x * (1.0 + scalar.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")


@elementwise(edges=(-90.0, 90.0))
def silu(x: Expr) -> Expr:
    """The number times its sigmoid (also called swish)."""
    return 0.5 * x * (1.0 + scalar.tanh(0.5 * x))


@elementwise(edges=(-90.0, 90.0))
def softplus(x: Expr, *, beta: float = 1.0, threshold: float = 20.0) -> Expr:
    """Smooth positive part: log(1 + exp(beta x)) / beta; linear where beta x exceeds the threshold."""
    score = beta * x
    return scalar.select(
        score > threshold, x, scalar.log1p(scalar.exp(scalar.minimum(score, threshold))) / beta
    )


@elementwise(kinks=_ZERO)
def prelu(x: Expr, slope: Expr) -> Expr:
    """Leaky ReLU with a slope that is learned. Source: He et al. 2015, eq. 1."""
    return scalar.select(x > 0.0, x, slope * x)


def _softmax_gradient(g: Tensor, node: Tensor, x: Tensor, *, axis: int) -> tuple[Tensor]:
    weighted = multiply(g, node)
    return (subtract(weighted, multiply(node, sum(weighted, axis=axis, keepdims=True))),)


def _log_softmax_gradient(g: Tensor, node: Tensor, x: Tensor, *, axis: int) -> tuple[Tensor]:
    return (subtract(g, multiply(exp(node), sum(g, axis=axis, keepdims=True))),)


_AXIS = wrong("softmax(x): axis 2 is out of bounds for 2 dimension(s)", (2, 3), axis=2)


@composite(
    gradient=_softmax_gradient,
    samples=[sample((2, 3)), sample((2, 3, 4), axis=1), sample((0, 3)), sample(Real((2, 5), -90, 90))],
    wrong=[_AXIS],
)
def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Scores as probabilities: exp(x) over its sum along `axis`, without overflow."""
    return exp(log_softmax(x, axis=normalize_axis(axis, x.ndim, "softmax(x)")))


@composite(
    gradient=_log_softmax_gradient,
    samples=[sample((2, 3)), sample((2, 3, 4), axis=1), sample((0, 3)), sample(Real((2, 5), -90, 90))],
)
def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Logarithm of the softmax along `axis`, precise for small probabilities."""
    along = normalize_axis(axis, x.ndim, "log_softmax(x)")
    shifted = subtract(x, max(x.detach(), axis=along, keepdims=True))
    return subtract(shifted, log(sum(exp(shifted), axis=along, keepdims=True)))
