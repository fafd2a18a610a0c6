"""Initialisers: PyTorch's `nn.init`, which fill a tensor in place from the default random stream.

All of them return the tensor. `fan_in` and `fan_out` are the numbers of inputs and outputs of one
unit, read from a weight of shape (out, in, *kernel).
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, ShapeError, missing_name, nearest
from chainrule.ops import random

T = TypeVar("T", bound=Tensor)

_GAINS = {
    **dict.fromkeys(("linear", "identity", "sigmoid", "conv1d", "conv2d"), 1.0),
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that makes up for what an activation does to the variance.

    `param` is the slope of "leaky_relu" (0.01 unless given).

    >>> calculate_gain("tanh") == 5 / 3
    True
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1.0 + slope * slope))
    if nonlinearity not in _GAINS:
        raise ArgumentError(
            f"calculate_gain: there is no gain for {nonlinearity!r}",
            hint=nearest(nonlinearity, [*_GAINS, "leaky_relu"]),
        )
    return _GAINS[nonlinearity]


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0) -> T:
    """Fill with numbers drawn evenly from [a, b)."""
    return _filled(tensor, random.default.uniform(tensor.shape, a, b, tensor.dtype))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0) -> T:
    """Fill with numbers from the normal distribution."""
    return _filled(tensor, random.default.normal(tensor.shape, mean, std, tensor.dtype))


def trunc_normal_(tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> T:
    """Fill with normal numbers, those outside [a, b] drawn again."""
    if not a < b or mean + 4 * std < a or mean - 4 * std > b:
        raise ArgumentError(f"trunc_normal_: [{a}, {b}] must be an interval within 4 std of the mean {mean}")
    values = random.default.normal(tensor.shape, mean, std, tensor.dtype)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = random.default.normal((int(outside.sum()),), mean, std, tensor.dtype)
    return _filled(tensor, values)


def constant_(tensor: T, val: float) -> T:
    """Fill with one value."""
    return _filled(tensor, np.full(tensor.shape, val, tensor.dtype))


def zeros_(tensor: T) -> T:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def eye_(tensor: T) -> T:
    """Fill a matrix with ones on the diagonal, zeros elsewhere."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: needs a matrix, got shape {tensor.shape}")
    return _filled(tensor, np.eye(*tensor.shape, dtype=tensor.dtype))


def xavier_uniform_(tensor: T, gain: float = 1.0) -> T:
    """Fill evenly from +-gain sqrt(6 / (fan_in + fan_out)). Source: Glorot and Bengio 2010, eq. 16."""
    bound = gain * math.sqrt(6.0 / sum(fans(tensor, "xavier_uniform_")))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: T, gain: float = 1.0) -> T:
    """Fill with normal numbers of std gain sqrt(2 / (fan_in + fan_out)). Source: Glorot and Bengio 2010."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor, "xavier_normal_"))))


def kaiming_uniform_(tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> T:
    """Fill evenly from +-gain sqrt(3 / fan); `a` is the slope of leaky ReLU. Source: He et al. 2015."""
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound) if bound else zeros_(tensor)


def kaiming_normal_(tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> T:
    """Fill with normal numbers of std gain / sqrt(fan). Source: He et al. 2015, eq. 10 and 14."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_"))


def orthogonal_(tensor: T, gain: float = 1.0) -> T:
    """Fill with a matrix (out, everything else) of orthonormal rows or columns. Source: Saxe et al. 2013."""
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: needs at least 2 axes, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = random.default.normal((max(rows, columns), min(rows, columns)), dtype=np.float64)
    q, r = np.linalg.qr(drawn)
    q = q * np.sign(np.diagonal(r))
    return _filled(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def fans(tensor: Tensor, name: str = "fans") -> tuple[int, int]:
    """Return the numbers of inputs and outputs of one unit of a weight (out, in, *kernel)."""
    if tensor.ndim < 2:
        raise ShapeError(
            f"{name}: needs a weight of at least 2 axes (out, in, ...), got shape {tensor.shape}",
            hint="biases are usually filled with zeros_",
        )
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str, name: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"{name}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor, name)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def _filled(tensor: T, values: Array) -> T:
    tensor.assign(values)
    return tensor


def __getattr__(name: str) -> object:
    raise missing_name("nn.init", name, [each for each in globals() if each.endswith("_")])
