"""Shapes, dtypes and axes: the part of an array that is known without its values.

Dtypes meet as NumPy would have them meet; an axis or a shape that cannot be is an error that names the
operation.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import DTypeError, ShapeError

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
Axes: TypeAlias = int | Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Spec:
    """The shape and dtype of an array; a Python number is weak and takes the dtype of the others."""

    shape: Shape
    dtype: np.dtype[Any]
    weak: bool = False

    def __str__(self) -> str:
        return f"{self.shape} {self.dtype}"

    def sample(self) -> Any:
        """Return an empty array (or a weak number) of this dtype, to ask NumPy for its promotion."""
        return self.dtype.type(1).item() if self.weak else np.empty(0, self.dtype)


def spec_of(value: Any) -> Spec:
    """Return the spec of an ndarray or a Python number."""
    if value.__class__ in (bool, int, float):
        return Spec((), np.dtype(value.__class__), weak=True)
    return Spec(value.shape, value.dtype)


def known_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return `dtype` as a NumPy dtype; complex, object and text are refused."""
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        hint = "use cr.float32 or 'float64'"
        if isinstance(dtype, int):
            hint += "; a shape of several axes is a tuple, as in cr.zeros((2, 3))"
        elif str(dtype).startswith(("cpu", "cuda", "mps")):
            hint = "a device is not needed: everything runs on the CPU"
        raise DTypeError(f"dtype: {dtype!r} is not a dtype", hint=hint) from error
    if found.kind not in "fiub" or found.itemsize > 8:
        words = "; np.unique(words, return_inverse=True)[1] numbers words" if found.kind in "US" else ""
        raise DTypeError(f"dtype: {found} is not supported", hint=f"use floats, integers or bool{words}")
    return found


def is_float(dtype: np.dtype[Any]) -> bool:
    """Tell whether gradients can flow through values of this dtype."""
    return dtype.kind == "f"


def normalize_axis(axis: Any, ndim: int, name: str) -> int:
    """Return `axis` counted from the front, or raise naming the operation."""
    try:
        index = operator.index(axis)
    except TypeError as error:
        raise DTypeError(f"{name}: an axis must be an integer, got {axis!r}") from error
    if not -ndim <= index < ndim:
        raise ShapeError(
            f"{name}: axis {index} is out of bounds for {ndim} dimension(s)",
            hint=f"use an axis from {-ndim} to {ndim - 1}" if ndim else "a 0-d tensor has no axes",
        )
    return index % ndim


def normalize_axes(axis: Axes, ndim: int, name: str) -> tuple[int, ...]:
    """Return the axes that `axis` (an integer, several, or None for all) stands for, in order."""
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, Sequence):
        return (normalize_axis(axis, ndim, name),)
    found = tuple(normalize_axis(each, ndim, name) for each in axis)
    if len(set(found)) != len(found):
        raise ShapeError(f"{name}: an axis is repeated in {tuple(axis)}")
    return found


def known_shape(shape: Any, name: str) -> Shape:
    """Return an integer or a sequence of integers as a shape."""
    try:
        return tuple(operator.index(each) for each in (shape if np.iterable(shape) else (shape,)))
    except TypeError as error:
        raise DTypeError(f"{name}: a shape is made of integers, got {shape!r}") from error


def broadcast(*shapes: Shape) -> Shape:
    """Return the common shape, or raise ValueError with NumPy's words."""
    return np.broadcast_shapes(*shapes)
