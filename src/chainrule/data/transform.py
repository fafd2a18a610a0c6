"""Transform: what a batch of samples goes through on its way to the model.

Any callable on arrays will do. One that is written in ops, a `TensorTransform`, runs on arrays and
tensors alike, so the trainer makes it a part of its compiled step: then a batch goes to native code
as it lies in memory. What it draws comes from the stream that it is given, never from elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from chainrule.core.mode import mode, no_grad
from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.data.dataset import as_array

Transform = Callable[[Array, Stream], Array]

_PLAIN = (bool, int, float, str)


class TensorTransform(ABC):
    """A transform `(x, stream) -> x` whose `changed` is written in ops on tensors.

    Given an array it returns a new array, given a tensor a tensor. In compiled code plain attributes
    may change (it is traced again), arrays among them count as constants. `stream` None is the default
    one of `cr.random`.

    >>> import chainrule as cr
    >>> class Noise(TensorTransform):
    ...     def changed(self, x, stream):
    ...         return x + 0.1 * cr.random.normal(x.shape, stream=stream)
    >>> Noise()(np.zeros((2, 3), np.float32), Stream(0)).shape
    (2, 3)
    """

    @abstractmethod
    def changed(self, x: Tensor, stream: Stream | None) -> Tensor:
        """Return the samples `x` (n, ...) transformed, by ops alone."""

    @overload
    def __call__(self, x: Array, stream: Stream | None = None) -> Array: ...
    @overload
    def __call__(self, x: Tensor, stream: Stream | None = None) -> Tensor: ...
    def __call__(self, x: Any, stream: Stream | None = None) -> Any:
        """Return the samples transformed."""
        if isinstance(x, Tensor):
            if mode.trace is not None:
                for name, value in vars(self).items():
                    if isinstance(value, _PLAIN):
                        mode.trace.guard(self, name)
            return self.changed(x, stream)
        with no_grad():
            made = self.changed(Tensor(as_array(f"{type(self).__name__}: x", x)), stream)
        return np.ascontiguousarray(made.data)
