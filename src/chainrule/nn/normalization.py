"""Normalisation layers, and the running statistics that batch norm keeps.

The arithmetic is `functional`'s; the layers hold scale, shift and statistics, and say when to learn them.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from chainrule.core.mode import no_grad
from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ShapeError
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter, blank
from chainrule.nn.sizes import check_sizes


def fill_neutrally(weight: Parameter | None, bias: Parameter | None) -> None:
    """Set a scale to 1 and a shift to 0, where there are any."""
    if weight is not None:
        init.ones_(weight)
    if bias is not None:
        init.zeros_(bias)


class _BatchNorm(Module):
    """Batch norm over axis 1, for inputs whose number of axes is in `ranks`."""

    ranks: ClassVar[dict[int, str]]

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes(self, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = blank((num_features,), dtype) if affine else None
        self.bias = blank((num_features,), dtype) if affine else None
        kept = {
            "running_mean": blank((num_features,), dtype).detach(),
            "running_var": blank((num_features,), dtype).detach(),
            "num_batches_tracked": Tensor(np.zeros((), np.int64)),
        }
        for name, buffer in kept.items():
            self.register_buffer(name, buffer if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0 and the running variance to 1, and forget the number of batches."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0, and the statistics to their start."""
        self.reset_running_stats()
        fill_neutrally(self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        """Normalise by the batch in training (or without running statistics), else by the running ones."""
        x = as_tensor(x)
        if x.ndim not in self.ranks:
            wanted = " or ".join(f"{rank} axes ({names})" for rank, names in self.ranks.items())
            raise ShapeError(f"{type(self).__name__}: x has shape {x.shape}, needs {wanted}")
        by_batch = self.training or self.running_mean is None
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=by_batch,
            momentum=self._count() if self.training and self.track_running_stats else 0.0,
            eps=self.eps,
        )

    def _count(self) -> Any:
        """Count one more batch, and return the weight of its statistics: 1 / count for momentum None."""
        with no_grad():
            self.num_batches_tracked.assign(self.num_batches_tracked + 1)
            return 1.0 / self.num_batches_tracked if self.momentum is None else self.momentum

    def extra_repr(self) -> str:
        """Return the settings; momentum is the weight of the new value, as in PyTorch."""
        settings = f"{self.num_features}, eps={self.eps}, momentum={self.momentum} (weight of the new value)"
        return f"{settings}, affine={self.affine}, track_running_stats={self.track_running_stats}"


class BatchNorm1d(_BatchNorm):
    """Normalise features (n, c) or signals (n, c, length), channel by channel.

    Running statistics move towards each batch's by the share `momentum` (None: the plain mean over
    all batches). Source: Ioffe and Szegedy 2015.
    """

    ranks = {2: "n c", 3: "n c x"}  # noqa: RUF012


class BatchNorm2d(_BatchNorm):
    """Normalise images (n, c, h, w), channel by channel; see `BatchNorm1d`."""

    ranks = {4: "n c y x"}  # noqa: RUF012


class LayerNorm(Module):
    """Normalise every sample over its last axes, of shape `normalized_shape` (a number, or several).

    Source: Ba, Kiros and Hinton 2016.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        check_sizes(self, **{f"normalized_shape[{axis}]": size for axis, size in enumerate(shape)})
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = blank(shape, dtype) if elementwise_affine else None
        self.bias = blank(shape, dtype) if elementwise_affine and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        fill_neutrally(self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        """Return every sample with mean 0 and variance 1, scaled and shifted."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
