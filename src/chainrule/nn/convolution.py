"""Convolution layers: one class for every number of axes, and what a user calls.

Sizes are checked when a layer is made, so that a mistake is told there and not at its first call. What a
convolution computes is an op's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, nearest
from chainrule.nn import functional as F
from chainrule.nn.affine import fill_evenly
from chainrule.nn.module import Module
from chainrule.nn.parameter import blank
from chainrule.nn.sizes import check_sizes

_MODES = ("zeros", "reflect", "replicate", "circular")


def spread(value: Any, axes: int) -> Any:
    """Return one number as a tuple of one an axis; tuples and words stay as they are."""
    return (value,) * axes if isinstance(value, int) else value if isinstance(value, str) else tuple(value)


class _Conv(Module):
    """Convolution over the last `axes` axes; `weight` is stored (out, in / groups, *kernel)."""

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes(self, in_channels=in_channels, out_channels=out_channels, groups=groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = self._checked("kernel_size", kernel_size)
        self.stride, self.dilation = self._checked("stride", stride), self._checked("dilation", dilation)
        self.padding = padding if isinstance(padding, str) else self._checked("padding", padding, 0)
        self.padding_mode = padding_mode
        self._check()
        self.weight = blank((out_channels, in_channels // groups, *self.kernel_size), dtype)
        self.bias = blank((out_channels,), dtype) if bias else None
        self.reset_parameters()

    def _checked(self, name: str, value: Any, least: int = 1) -> tuple[int, ...]:
        values = spread(value, self.axes)
        if len(values) != self.axes:
            raise ArgumentError(f"{type(self).__name__}: {name} needs {self.axes} number(s), got {value!r}")
        check_sizes(self, least=least, **{f"{name}[{axis}]": each for axis, each in enumerate(values)})
        return values

    def _check(self) -> None:
        kind = type(self).__name__
        for name, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ArgumentError(f"{kind}: {self.groups} groups do not divide {name} {channels}")
        if self.padding_mode not in _MODES:
            raise ArgumentError(
                f"{kind}: there is no padding_mode {self.padding_mode!r}",
                hint=nearest(self.padding_mode, _MODES),
            )
        if isinstance(self.padding, str) and self.padding not in ("same", "valid"):
            raise ArgumentError(f"{kind}: padding must be numbers, 'same' or 'valid', got {self.padding!r}")
        if self.padding == "same" and set(self.stride) != {1}:
            raise ArgumentError(f"{kind}: padding 'same' needs stride 1, got {self.stride}")

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        fill_evenly(self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        """Slide the weights over `x`."""
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = F.pad(x, self._widths(), self.padding_mode), 0
        return type(self).function(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def _widths(self) -> tuple[int, ...]:
        """Return the padding as `F.pad` takes it: (before, after) from the last axis to the first."""
        reach = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True)]
        if self.padding == "same":
            pairs = [(each // 2, each - each // 2) for each in reach]
        else:
            pairs = [(0, 0) if self.padding == "valid" else (int(each),) * 2 for each in self.padding]
        return tuple(width for pair in pairs[: self.axes][::-1] for width in pair)

    def extra_repr(self) -> str:
        """Return channels and kernel, and what differs from the defaults."""
        ones, zeros = (1,) * self.axes, (0,) * self.axes
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        parts += [f"stride={self.stride}"]
        parts += [f"padding={self.padding}"] if self.padding != zeros else []
        parts += [f"dilation={self.dilation}"] if self.dilation != ones else []
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(parts)


class Conv1d(_Conv):
    """Convolution of signals (n, in_channels, length), or without n; PyTorch's arguments.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> nn.Conv1d(2, 4, 3, padding="same")(cr.ones((5, 2, 9))).shape
    (5, 4, 9)
    """

    axes = 1
    function = F.conv1d


class Conv2d(_Conv):
    """Convolution of images (n, in_channels, height, width), or without n; PyTorch's arguments.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)(cr.ones((5, 3, 8, 8))).shape
    (5, 8, 4, 4)
    """

    axes = 2
    function = F.conv2d
