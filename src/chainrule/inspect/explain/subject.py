"""What a card reads of a gate. Gates fit this description; this package does not import them.

It is all that the package knows of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.inspect.local import Local


class Subject(Protocol):
    """A gate, a leaf or a closed box, as a card sees it."""

    name: str
    op: str
    tensor: Tensor
    tracked: bool

    @property
    def inputs(self) -> Sequence[Subject]:
        """The gates it takes, in order."""
        ...

    @property
    def places(self) -> Sequence[int]:
        """Where each of them stands among the op's arguments."""
        ...

    @property
    def inside(self) -> Sequence[Subject]:
        """The gates in a closed box."""
        ...

    @property
    def users(self) -> Sequence[tuple[Subject, int]]:
        """The edges that leave it: (gate, which of its inputs)."""
        ...

    @property
    def is_leaf(self) -> bool:
        """Whether no op made it."""
        ...

    @property
    def value(self) -> Array:
        """Its value."""
        ...

    @property
    def upstream(self) -> Array | None:
        """The gradient of the output by it, None until complete."""
        ...

    def local(self, i: int) -> Array | Local | None:
        """Return d(this) / d(input i)."""
        ...

    def downstream(self, i: int) -> Array | None:
        """Return what was sent to input i, None before."""
        ...

    def forward(self) -> Array:
        """Compute its value anew."""
        ...

    def backward(self, gradient: Any = None) -> None:
        """Send upstream x local to every input."""
        ...
