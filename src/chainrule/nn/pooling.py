"""Pooling layers: windows or parts of an image reduced to one number each.

PyTorch's arguments, but for `return_indices`, which is refused. A stride that is not given is the window's
size.
"""

from __future__ import annotations

from typing import Any

from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ArgumentError
from chainrule.nn import functional as F
from chainrule.nn.applied import Applied


class _Pool(Applied):
    """What all of them share: arguments that are None are not shown, and no indices are returned."""

    def __init__(self, *, return_indices: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        if return_indices:
            raise ArgumentError(f"{type(self).__name__}: return_indices is not supported")

    def extra_repr(self) -> str:
        """Return the arguments."""
        given = self._settings().items()
        return ", ".join(f"{name}={value!r}" for name, value in given if value is not None)


class _MaxPool(_Pool):
    """Max pooling over any number of axes, with PyTorch's arguments."""

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            dilation=dilation,
            ceil_mode=ceil_mode,
            return_indices=return_indices,
        )


class MaxPool1d(_MaxPool):
    """Largest number of every window of signals (n, c, length); `stride` is the window's size if None."""

    function = F.max_pool1d


class MaxPool2d(_MaxPool):
    """Largest number of every window of images (n, c, h, w); `stride` is the window's size if None.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> nn.MaxPool2d(3, stride=2, ceil_mode=True)(cr.ones((1, 2, 6, 6))).shape
    (1, 2, 3, 3)
    """

    function = F.max_pool2d


class AvgPool1d(_Pool):
    """Mean of every window of signals (n, c, length); `stride` is the window's size if None."""

    function = F.avg_pool1d

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
        )


class AvgPool2d(_Pool):
    """Mean of every window of images (n, c, h, w); `stride` is the window's size if None."""

    function = F.avg_pool2d

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            divisor_override=divisor_override,
        )


class AdaptiveAvgPool2d(_Pool):
    """Means of images over a grid of `output_size` parts (a number, or two; None keeps an axis)."""

    function = F.adaptive_avg_pool2d

    def __init__(self, output_size: Any) -> None:
        super().__init__(output_size=output_size)


class FractionalMaxPool2d(_Pool):
    """Largest number of random overlapping regions, for sizes that no stride gives.

    Regions are drawn at every call, in evaluation too, unless `_random_samples` (n, c, 2) is given.
    Source: Graham 2014, "Fractional Max-Pooling".
    """

    function = F.fractional_max_pool2d

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            output_size=output_size,
            output_ratio=output_ratio,
            return_indices=return_indices,
        )
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError("FractionalMaxPool2d: give either output_size or output_ratio")
        given = None if _random_samples is None else as_tensor(_random_samples)
        self.register_buffer("_random_samples", given)

    def forward(self, x: Any) -> Tensor:
        """Return the largest of every region."""
        return type(self).function(x, **self._settings(), _random_samples=self._random_samples)
