"""What keeps the numbers between layers in range: normalisation, and dropping at random.

Statistics and masks are inputs here. Who computes them, keeps their running mean or draws them
(a layer in training) is the business of `nn`.
"""

from __future__ import annotations

from typing import Any

from chainrule.core.families import composite
from chainrule.core.sample import Integers, Real, sample, wrong
from chainrule.core.spec import Shape
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DTypeError
from chainrule.ops.arithmetic import multiply, square, subtract
from chainrule.ops.elementary import sqrt
from chainrule.ops.reduce import mean
from chainrule.ops.window import clash

_POSITIVE = Real((3,), 0.5, 2.0)


@composite(
    samples=[
        sample((4, 3), (3,), _POSITIVE, (3,), (3,)),
        sample((2, 3, 5), (3,), _POSITIVE),
        sample((2, 3, 2, 4), (3,), _POSITIVE, (3,), (3,), eps=0.1),
        sample((0, 3), (3,), _POSITIVE, (3,)),
    ],
    wrong=[
        wrong("batch_norm(x, mean, variance, weight, bias): "
              "mean has shape (4,) but x has 3 channels (axis 1)",
              (2, 3, 5), (4,), (3,)),
        wrong("batch_norm(x, mean, variance, weight, bias): "
              "x has shape (3,), needs a batch and a channel axis",
              (3,), (3,), (3,)),
    ],
)  # fmt: skip
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> Tensor:
    """Every channel (axis 1) less its mean, over its standard deviation; then scaled and shifted.

    Source: Ioffe and Szegedy 2015, "Batch Normalization", algorithms 1 and 2.
    """
    op: Any = batch_norm
    inputs = (x, mean, variance, weight, bias)
    if x.ndim < 2:
        raise clash(op, inputs, f"x has shape {x.shape}, needs a batch and a channel axis")
    for name, each in zip(op.inputs[1:], inputs[1:], strict=True):
        if each is not None and each.shape != x.shape[1:2]:
            raise clash(op, inputs, f"{name} has shape {each.shape} but x has {x.shape[1]} channels (axis 1)")
    beside = (-1, *(1,) * (x.ndim - 2))
    centred = subtract(x, mean.reshape(beside))
    return _affine(
        centred / sqrt(variance + eps).reshape(beside),
        None if weight is None else weight.reshape(beside),
        None if bias is None else bias.reshape(beside),
    )


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


@composite(
    samples=[
        sample((4, 3), (3,), (3,), normalized_shape=(3,)),
        sample((2, 3, 5), (3, 5), normalized_shape=(3, 5), eps=0.1),
        sample((5,), normalized_shape=5),
        sample((0, 3), (3,), (3,), normalized_shape=(3,)),
    ],
    wrong=[
        wrong("layer_norm(x, weight, bias): x has shape (4, 3), must end in normalized_shape (4,)",
              (4, 3), normalized_shape=4),
        wrong("layer_norm(x, weight, bias): bias has shape (4,), needs normalized_shape (3,)",
              (4, 3), (3,), (4,), normalized_shape=3),
    ],
)  # fmt: skip
def layer_norm(
    x: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    normalized_shape: int | Shape = (),
    eps: float = 1e-5,
) -> Tensor:
    """Every sample less its mean over the last axes, over its standard deviation; scaled and shifted.

    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", eq. 4.
    """
    op: Any = layer_norm
    inputs = (x, weight, bias)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise clash(op, inputs, f"x has shape {x.shape}, must end in normalized_shape {shape}")
    for name, each in zip(op.inputs[1:], inputs[1:], strict=True):
        if each is not None and each.shape != shape:
            raise clash(op, inputs, f"{name} has shape {each.shape}, needs normalized_shape {shape}")
    axes = tuple(range(-len(shape), 0))
    centred = subtract(x, mean(x, axis=axes, keepdims=True))
    variance = mean(square(centred), axis=axes, keepdims=True)
    return _affine(centred / sqrt(variance + eps), weight, bias)


@composite(
    samples=[
        sample((4, 3), Integers((4, 3), 0, 2), p=0.3),
        sample((2, 3, 4), Integers((2, 1, 1), 0, 2)),
        sample((2, 3), Integers((2, 3), 0, 1), p=1.0),
    ],
    wrong=[wrong("dropout(x, keep): p must be in [0, 1], got 1.5", (2, 3), (2, 3), p=1.5)],
)
def dropout(x: Tensor, keep: Tensor, *, p: float = 0.5) -> Tensor:
    """What `keep` (ones and zeros, broadcast) leaves of `x`, divided by 1 - p so that the mean stays.

    `p` is the probability of dropping. Source: Srivastava et al. 2014, "Dropout", section 10.
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout(x, keep): p must be in [0, 1], got {p}")
    if x.dtype.kind != "f":
        op: Any = dropout
        raise clash(op, (x, keep), f"x is {x.dtype}, needs floats", "x.astype(np.float32)", DTypeError)
    # With p = 1 nothing is kept, so that any finite factor gives the zeros that are meant.
    factor = 1.0 / (1.0 - p) if p < 1 else 0.0
    keep = keep if keep.dtype == x.dtype else keep.astype(x.dtype)
    return multiply(x, multiply(keep, factor))
