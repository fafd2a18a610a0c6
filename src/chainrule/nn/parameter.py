"""Parameter: a tensor that training changes.

The class alone tells a parameter from other tensors: a module counts as its own whatever
Parameters are found among its attributes. Layers begin with `blank` ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core import memory
from chainrule.core.spec import Shape, known_dtype
from chainrule.core.tensor import Tensor


class Parameter(Tensor):
    """A leaf that gets gradients, and belongs to the module it is assigned to.

    Shares the memory of an array, as `Tensor` does; its `name` becomes that of the attribute.

    >>> import numpy as np
    >>> Parameter(np.zeros(2, np.float32))
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, name: str | None = None) -> None:
        super().__init__(data, requires_grad, name)


def blank(shape: Shape, dtype: Any) -> Parameter:
    """Return a parameter of zeros, for an initialiser to fill; the dtype must be a float (None: float32)."""
    return Parameter(memory.zeros(shape, known_dtype(np.float32 if dtype is None else dtype)))
