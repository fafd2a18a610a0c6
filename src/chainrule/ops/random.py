"""`cr.random`: the default stream, and tensors drawn from it.

Initialisers, dropout and shuffles draw from `default` unless they are given a stream of their own.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.core.spec import known_dtype, known_shape
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DTypeError

default = Stream(0)


def seed(n: int) -> None:
    """Start the default stream anew from the seed `n` (0 <= n < 2**64).

    >>> seed(1); a = normal((2,)); seed(1); bool((a == normal((2,))).all())
    True
    """
    try:
        default.state = (operator.index(n), 0, 0)
    except TypeError:
        raise DTypeError(f"random.seed: must be an integer, got {n!r}") from None


def get_state() -> tuple[int, int, int]:
    """Return the state of the default stream: three integers."""
    return default.state


def set_state(state: tuple[int, int, int]) -> None:
    """Bring the default stream back to a state that `get_state` returned."""
    default.state = state


def uniform(
    shape: Any = (), low: float = 0.0, high: float = 1.0, dtype: npt.DTypeLike = np.float32
) -> Tensor:
    """Return numbers drawn evenly from [low, high)."""
    if not low < high:
        raise ArgumentError(f"random.uniform: low must be below high, got [{low}, {high})")
    return Tensor(default.uniform(known_shape(shape, "random.uniform"), low, high, known_dtype(dtype)))


def normal(shape: Any = (), mean: float = 0.0, std: float = 1.0, dtype: npt.DTypeLike = np.float32) -> Tensor:
    """Return numbers drawn from the normal distribution."""
    if std < 0:
        raise ArgumentError(f"random.normal: std must not be negative, got {std}")
    return Tensor(default.normal(known_shape(shape, "random.normal"), mean, std, known_dtype(dtype)))


def integers(low: int, high: int | None = None, shape: Any = ()) -> Tensor:
    """Return int64 numbers drawn evenly from [low, high), or from [0, low) when `high` is None."""
    first, last = (0, low) if high is None else (low, high)
    return Tensor(default.integers(first, last, known_shape(shape, "random.integers")))


def permutation(n: int) -> Tensor:
    """Return the numbers 0 .. n-1 in random order."""
    return Tensor(default.permutation(n))


def bernoulli(
    shape: Any, p: float, dtype: npt.DTypeLike = np.float32, stream: Stream | None = None
) -> Tensor:
    """Return ones with probability `p`, else zeros: the mask of dropout."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"random.bernoulli: p must be in [0, 1], got {p}")
    unit = (stream or default).uniform(known_shape(shape, "random.bernoulli"))
    return Tensor((unit < p).astype(known_dtype(dtype)))
