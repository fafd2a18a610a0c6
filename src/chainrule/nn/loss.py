"""Losses as modules: the functions of `functional` with their settings kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, nearest
from chainrule.nn import functional as F
from chainrule.nn.module import Module

_REDUCTIONS = ("mean", "sum", "none")


class _Loss(Module):
    """A loss with its settings; weights are buffers, so that they belong to the state."""

    function: ClassVar[Callable[..., Tensor]]

    def _keep(self, reduction: str, weights: dict[str, Any] | None = None, **settings: Any) -> None:
        super().__init__()
        for name, value in {**settings, "reduction": reduction}.items():
            if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
                raise ArgumentError(
                    f"{type(self).__name__}: {name} must be a single value, got {type(value).__name__}",
                    hint=f"make the loss first, then call it: nn.{type(self).__name__}()(scores, target)",
                )
        if reduction not in _REDUCTIONS:
            hint = nearest(str(reduction), _REDUCTIONS)
            raise ArgumentError(f"{type(self).__name__}: there is no reduction {reduction!r}", hint=hint)
        self._weights = tuple(weights or ())
        self._shown = (*settings, "reduction")
        for name, weight in (weights or {}).items():
            self.register_buffer(name, None if weight is None else F.as_tensor(weight))
        for name, value in {**settings, "reduction": reduction}.items():
            setattr(self, name, value)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Return the loss of answers `input` for the right ones `target`."""
        settings = {name: getattr(self, name) for name in (*self._weights, *self._shown)}
        return type(self).function(input, target, **settings)

    def extra_repr(self) -> str:
        """Return the settings."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)


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
        self._keep(reduction, {"weight": weight}, ignore_index=ignore_index, label_smoothing=label_smoothing)


class NLLLoss(_Loss):
    """Minus the log-probability of the right class, given log-probabilities (n, classes, ...)."""

    function = F.nll_loss

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        self._keep(reduction, {"weight": weight}, ignore_index=ignore_index)


class MSELoss(_Loss):
    """Squared difference."""

    function = F.mse_loss

    def __init__(self, reduction: str = "mean") -> None:
        self._keep(reduction)


class L1Loss(_Loss):
    """Absolute difference."""

    function = F.l1_loss

    def __init__(self, reduction: str = "mean") -> None:
        self._keep(reduction)


class SmoothL1Loss(_Loss):
    """Absolute difference, rounded off where it is below `beta`."""

    function = F.smooth_l1_loss

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        self._keep(reduction, beta=beta)


class HuberLoss(_Loss):
    """Half the squared difference, growing like the absolute one from `delta` on."""

    function = F.huber_loss

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        self._keep(reduction, delta=delta)


class BCELoss(_Loss):
    """Surprise at yes or no, given probabilities of yes."""

    function = F.binary_cross_entropy

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        self._keep(reduction, {"weight": weight})


class BCEWithLogitsLoss(_Loss):
    """Surprise at yes or no, given scores of yes (before the sigmoid)."""

    function = F.binary_cross_entropy_with_logits

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        self._keep(reduction, {"weight": weight, "pos_weight": pos_weight})


class MultiMarginLoss(_Loss):
    """How far wrong classes come within `margin` of the right one; mean over the classes."""

    function = F.multi_margin_loss

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> None:
        self._keep(reduction, {"weight": weight}, p=p, margin=margin)


class HingeLoss(_Loss):
    """The multi-class support vector loss: as MultiMarginLoss, but summed over the wrong classes."""

    function = F.hinge_loss

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        self._keep(reduction, margin=margin)
