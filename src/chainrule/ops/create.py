"""New tensors: from data, or filled with a rule.

They have no history, and may ask for gradients. Random ones are in `random`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.core.mode import mode
from chainrule.core.op import holds
from chainrule.core.registry import public
from chainrule.core.spec import known_dtype, known_shape
from chainrule.core.tensor import Tensor, to_array
from chainrule.errors import GraphError
from chainrule.ops.arithmetic import astype, identity

DType = npt.DTypeLike


@public
def tensor(
    data: Any, dtype: DType | None = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """Return a tensor with a copy of `data`: numbers, nested lists, an array or a tensor.

    Python floats become float32 unless `dtype` says otherwise; arrays keep their dtype.

    >>> tensor([[1.0, 2.0]], requires_grad=True)
    tensor([[1., 2.]], requires_grad=True)
    >>> tensor([0.1], dtype=np.float64).item()
    0.1
    """
    if holds(data, lambda each: each.op is not None):
        raise GraphError(
            "tensor: copying a tensor that has a gradient would cut the graph",
            hint="use cr.stack([...]) for several, x.detach() for a copy without history",
        )
    if isinstance(data, Tensor) and mode.trace is not None:
        copied = identity(data) if dtype is None else astype(data, dtype=known_dtype(dtype))
        return Tensor(copied._data, requires_grad, name)
    floats = np.dtype(np.float32) if dtype is None else known_dtype(dtype)
    array = np.array(to_array(data, floats), None if dtype is None else floats)
    return Tensor(array, requires_grad, name)


@public
def full(
    shape: Any,
    fill_value: Any,
    dtype: DType | None = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """Return a tensor of `shape` filled with one value."""
    value = fill_value.read("full") if isinstance(fill_value, Tensor) else to_array(fill_value)
    found = known_dtype(value.dtype if dtype is None else dtype)
    return Tensor(np.full(known_shape(shape, "full"), value, found), requires_grad, name)


@public
def zeros(
    shape: Any, dtype: DType = np.float32, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """Return a tensor of zeros.

    >>> zeros((2, 2)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    return Tensor(np.zeros(known_shape(shape, "zeros"), known_dtype(dtype)), requires_grad, name)


@public
def ones(
    shape: Any, dtype: DType = np.float32, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """Return a tensor of ones."""
    return Tensor(np.ones(known_shape(shape, "ones"), known_dtype(dtype)), requires_grad, name)


@public
def eye(N: int, M: int | None = None, k: int = 0, dtype: DType = np.float32) -> Tensor:
    """Return a matrix with ones on the k-th diagonal."""
    return Tensor(np.eye(N, M, k, known_dtype(dtype)))


@public
def arange(start: float, stop: float | None = None, step: float = 1, dtype: DType | None = None) -> Tensor:
    """Return evenly spaced numbers from `start` up to, not including, `stop`.

    Integers give int64, floats float32.
    """
    first, last = (0, start) if stop is None else (start, stop)
    return Tensor(_default(np.arange(first, last, step, dtype=dtype), dtype, first, last, step))


@public
def linspace(
    start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: DType | None = None
) -> Tensor:
    """Return `num` evenly spaced numbers from `start` to `stop`."""
    first, last = (each.numpy() if isinstance(each, Tensor) else each for each in (start, stop))
    return Tensor(_default(np.linspace(first, last, num, endpoint, dtype=dtype), dtype, start, stop))


def _default(array: Any, dtype: DType | None, *given: Any) -> Any:
    """Python floats make float32, as everywhere; NumPy's own scalars keep their dtype."""
    numpy_scalars = any(isinstance(each, np.generic) for each in given)
    if dtype is None and array.dtype == np.float64 and not numpy_scalars:
        return array.astype(np.float32)
    return array
