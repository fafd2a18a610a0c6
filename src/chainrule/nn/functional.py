"""`nn.functional`, by custom `F`: what layers compute, as functions with PyTorch's names and arguments.

Most are the ops themselves. The few written here turn PyTorch's argument order or names into the
ops' own, draw what an op takes as given (a mask, regions), or keep running statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core.calls import fitting
from chainrule.core.mode import no_grad
from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ArgumentError, ShapeError, missing_name, nearest
from chainrule.ops import activation, loss, norm, pool, random, reduce
from chainrule.ops import shape as movements
from chainrule.ops.activation import elu, gelu, leaky_relu, relu, selu, sigmoid, silu, softplus
from chainrule.ops.affine import embedding, linear, maxout, one_hot
from chainrule.ops.elementary import tanh
from chainrule.ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from chainrule.ops.pool import adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from chainrule.ops.window import conv1d, conv2d

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "cross_entropy",
    "dropout",
    "dropout2d",
    "elu",
    "embedding",
    "fractional_max_pool2d",
    "gelu",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool1d",
    "max_pool2d",
    "maxout",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "prelu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "stochastic_depth",
    "tanh",
]

_PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@fitting
def softmax(input: Any, dim: int | None = None) -> Tensor:
    """Scores as probabilities along `dim`; None is PyTorch's choice (0 for 0, 1 or 3 axes, else 1)."""
    x = as_tensor(input)
    return activation.softmax(x, axis=_implied(x) if dim is None else dim)


@fitting
def log_softmax(input: Any, dim: int | None = None) -> Tensor:
    """Logarithm of the softmax along `dim`, precise for small probabilities."""
    x = as_tensor(input)
    return activation.log_softmax(x, axis=_implied(x) if dim is None else dim)


def _implied(x: Tensor) -> int:
    return 0 if x.ndim in (0, 1, 3) else 1


@fitting
def prelu(input: Any, weight: Any) -> Tensor:
    """Leaky ReLU with learned slopes: one, or one for each channel (axis 1)."""
    x, slope = as_tensor(input), as_tensor(weight)
    if slope.size > 1:
        if x.ndim < 2 or slope.shape != x.shape[1:2]:
            raise ShapeError(
                f"prelu(x, weight): {slope.size} slopes but x has shape {x.shape}, axis 1 counts"
            )
        slope = slope.reshape((-1, *(1,) * (x.ndim - 2)))
    return activation.prelu(x, slope)


@fitting
def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Widen the last axes, as PyTorch counts: `pad` is (left, right, top, bottom, ...), last axis first.

    `mode` is "constant", "reflect", "replicate" or "circular".
    """
    x = as_tensor(input)
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ArgumentError(f"pad(x): pad needs two numbers an axis, at most {2 * x.ndim}, got {tuple(pad)}")
    if mode != "constant" and mode not in _PAD_MODES:
        raise ArgumentError(
            f"pad(x): there is no mode {mode!r}", hint=nearest(mode, ["constant", *_PAD_MODES])
        )
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    return movements.pad(x, tuple(widths), _PAD_MODES.get(mode, mode), value)


@fitting
def dropout(input: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """Set each number to 0 with probability `p`, and divide the rest by 1 - p; nothing unless training."""
    x = as_tensor(input)
    return _dropped(x, p, training, x.shape)


@fitting
def dropout2d(input: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """Set each whole channel (axis 1) to 0 with probability `p`, and divide the rest by 1 - p."""
    x = as_tensor(input)
    if x.ndim < 3:
        raise ShapeError(
            f"dropout2d(x): x has shape {x.shape}, needs channels with axes behind them (n c y x)"
        )
    return _dropped(x, p, training, (*x.shape[:2], *(1,) * (x.ndim - 2)))


@fitting
def stochastic_depth(input: Any, p: float, mode: str, training: bool = True) -> Tensor:
    """Set whole samples ("row") or the whole batch ("batch") to 0 with probability `p`, rest / (1 - p).

    On the branch of a residual block, this skips the block. Source: Huang et al. 2016, in
    torchvision's scaling, so that evaluation needs none.
    """
    x = as_tensor(input)
    if mode not in ("row", "batch"):
        raise ArgumentError(f"stochastic_depth(x): mode must be 'row' or 'batch', got {mode!r}")
    if x.ndim < 1:
        raise ShapeError("stochastic_depth(x): x is a single number, needs a batch axis")
    return _dropped(x, p, training, (len(x) if mode == "row" else 1, *(1,) * (x.ndim - 1)))


def _dropped(x: Tensor, p: float, training: bool, shape: tuple[int, ...]) -> Tensor:
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p, the probability of dropping, must be in [0, 1], got {p}")
    if not training or p == 0:
        return x
    return norm.dropout(x, random.bernoulli(shape, 1.0 - p, x.dtype), p=p)


@fitting
def fractional_max_pool2d(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    _random_samples: Any = None,
) -> Tensor:
    """Largest number of overlapping regions that lie at random, giving any output size.

    Give `output_size`, or `output_ratio` of the input's. Regions are drawn unless `_random_samples`
    (n, c, 2) in [0, 1) places them.
    """
    x = as_tensor(input)
    if (output_size is None) == (output_ratio is None):
        raise ArgumentError("fractional_max_pool2d(x): give either output_size or output_ratio")
    if output_ratio is not None:
        ratios = np.broadcast_to(output_ratio, (2,)).tolist()
        if not all(0 < ratio < 1 for ratio in ratios):
            raise ArgumentError(
                f"fractional_max_pool2d(x): output_ratio must lie in (0, 1), got {output_ratio}"
            )
        output_size = tuple(int(size * ratio) for size, ratio in zip(x.shape[-2:], ratios, strict=True))
    if _random_samples is None:
        lead = x.shape[:-2] if x.ndim == 4 else (1, *x.shape[:-2])
        _random_samples = random.uniform((*lead, 2), dtype=x.dtype)
    return pool.fractional_max_pool2d(x, _random_samples, kernel_size=kernel_size, output_size=output_size)


@fitting
def batch_norm(  # noqa: PLR0917 - PyTorch's signature
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise channels (axis 1): in training by the batch's statistics, else by the running ones.

    In training the running ones move towards the batch's, in place, by the share `momentum` (a number
    or a tensor); the variance among them is the unbiased one.
    """
    x = as_tensor(input)
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm(x): without training, running_mean and running_var are needed")
        return norm.batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    axes = (0, *range(2, x.ndim))
    count = int(np.prod([x.shape[axis] for axis in axes]))
    if count == 1:
        raise ShapeError(
            f"batch_norm(x): one value a channel, shape {x.shape}, has no variance to train with",
            hint="use larger batches, the last one of an epoch too, or model.eval()",
        )
    if count == 0:  # nothing to normalise, and no statistics to learn from
        zeros = np.zeros(x.shape[1], x.dtype)
        return norm.batch_norm(x, zeros, zeros, weight, bias, eps=eps)
    mean, variance = reduce.mean(x, axis=axes), reduce.var(x, axis=axes)
    with no_grad():
        for running, new in ((running_mean, mean), (running_var, variance * (count / (count - 1)))):
            if running is not None:
                running.assign(running * (1 - momentum) + new * momentum)
    return norm.batch_norm(x, mean, variance, weight, bias, eps=eps)


@fitting
def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Normalise every sample over its last axes, of shape `normalized_shape`."""
    return norm.layer_norm(input, weight, bias, normalized_shape=normalized_shape, eps=eps)


@fitting
def multi_margin_loss(  # noqa: PLR0917 - PyTorch's signature
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Hinge loss to the power `p` (1 or 2) of scores and labels, divided by the number of classes.

    `weight`, one number a class, multiplies the losses of the samples of that class.
    """
    return loss.multi_margin_loss(input, target, weight, p=p, margin=margin, reduction=reduction)


def __getattr__(name: str) -> object:
    raise missing_name("nn.functional", name, __all__)
