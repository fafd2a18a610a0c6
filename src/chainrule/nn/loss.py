"""Losses as modules: the functions of `functional` with their settings kept.

PyTorch's classes and arguments, without the two that it has given up (`size_average`, `reduce`), and the
lecture's `HingeLoss`.
"""

from __future__ import annotations

from typing import Any

from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ArgumentError
from chainrule.nn import functional as F
from chainrule.nn.applied import Applied
from chainrule.ops.loss.reduction import check_reduction


class _Loss(Applied):
    """A loss with its settings; weights are buffers, so that they belong to the state."""

    def __init__(self, reduction: str, weights: dict[str, Any] | None = None, **settings: Any) -> None:
        for name, value in {**settings, "reduction": reduction}.items():
            if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
                raise ArgumentError(
                    f"{type(self).__name__}: {name} must be a single value, got {type(value).__name__}",
                    hint=f"make the loss first, then call it: nn.{type(self).__name__}()(scores, target)",
                )
        check_reduction(reduction, type(self).__name__)
        super().__init__(**settings, reduction=reduction)
        self._weights = tuple(weights or ())
        for name, weight in (weights or {}).items():
            self.register_buffer(name, None if weight is None else as_tensor(weight))

    def forward(self, input: Any, target: Any) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the loss of answers `input` for the right ones `target`."""
        weights = {name: getattr(self, name) for name in self._weights}
        return type(self).function(input, target, **weights, **self._settings())


class CrossEntropyLoss(_Loss):
    """Surprise at the right class, given scores (n, classes, ...) and labels, or probabilities."""

    function = F.cross_entropy

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            reduction, {"weight": weight}, ignore_index=ignore_index, label_smoothing=label_smoothing
        )


class NLLLoss(_Loss):
    """Minus the log-probability of the right class, given log-probabilities (n, classes, ...)."""

    function = F.nll_loss

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction, {"weight": weight}, ignore_index=ignore_index)


class MSELoss(_Loss):
    """Squared difference."""

    function = F.mse_loss

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)


class L1Loss(_Loss):
    """Absolute difference."""

    function = F.l1_loss

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)


class SmoothL1Loss(_Loss):
    """Absolute difference, rounded off where it is below `beta`."""

    function = F.smooth_l1_loss

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction, beta=beta)


class HuberLoss(_Loss):
    """Half the squared difference, growing like the absolute one from `delta` on."""

    function = F.huber_loss

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction, delta=delta)


class BCELoss(_Loss):
    """Surprise at yes or no, given probabilities of yes."""

    function = F.binary_cross_entropy

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction, {"weight": weight})


class BCEWithLogitsLoss(_Loss):
    """Surprise at yes or no, given scores of yes (before the sigmoid)."""

    function = F.binary_cross_entropy_with_logits

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction, {"weight": weight, "pos_weight": pos_weight})


class MultiMarginLoss(_Loss):
    """How far wrong classes come within `margin` of the right one; mean over the classes."""

    function = F.multi_margin_loss

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction, {"weight": weight}, p=p, margin=margin)


class HingeLoss(_Loss):
    """The multi-class support vector loss: as MultiMarginLoss, but summed over the wrong classes."""

    function = F.hinge_loss

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)
