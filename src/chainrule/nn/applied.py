"""Applied: functions of `functional` as modules, which keep the settings that they are called with.

Activations, pooling and losses are made of it. Settings are attributes: they are shown, may be changed, and
are passed on at every call. Which functions there are is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chainrule.core.tensor import Tensor
from chainrule.nn.module import Module


class Applied(Module):
    """A module without parameters: `function`, called with an input and the settings."""

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._kept = tuple(settings)
        for name, value in settings.items():
            setattr(self, name, value)

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._kept}

    def forward(self, x: Any) -> Tensor:
        """Apply the function to `x`."""
        return type(self).function(x, **self._settings())

    def extra_repr(self) -> str:
        """Return the settings."""
        return ", ".join(f"{name}={value!r}" for name, value in self._settings().items())
