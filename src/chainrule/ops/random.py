"""`cr.random`: the default stream, and tensors drawn from it.

Initialisers, dropout and shuffles draw from `default` unless they are given a stream of their own.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.core.calls import fitting
from chainrule.core.families import opaque
from chainrule.core.habits import RANDOM, habit
from chainrule.core.sample import sample
from chainrule.core.spec import Array, Spec, known_dtype, known_shape
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.core.whole import whole_number
from chainrule.errors import ArgumentError, DTypeError, missing_name
from chainrule.ops.arithmetic import astype
from chainrule.ops.compare import less

default = Stream(0)


def __getattr__(name: str) -> Any:
    known = [each for each, value in globals().items() if getattr(value, "__module__", "") == __name__]
    raise missing_name("chainrule.random", name, known, habit(RANDOM, name))


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


def _drawn_spec(*, kind: str, shape: Any, numbers: Any, dtype: Any, stream: Any) -> Spec:
    return Spec(known_shape(shape, "drawn"), np.dtype(np.int64) if kind == "integers" else known_dtype(dtype))


@opaque(
    spec=_drawn_spec,
    reason="random numbers depend on nothing",
    pure=False,
    samples=[
        sample(shape=(2, 3)),
        sample(kind="normal", shape=(), dtype="float64"),
        sample(kind="integers", shape=(0, 2), numbers=(1, 9)),
    ],
)
def drawn(
    *,
    kind: str = "uniform",
    shape: Any = (),
    numbers: Any = (0, 1),
    dtype: Any = "float32",
    stream: Any = None,
) -> Array:
    """Random numbers from a stream (None: the default one), which moves on."""
    source: Stream = stream or default
    one, two = numbers
    if kind == "integers":
        return source.integers(one, two, shape)
    return (source.normal if kind == "normal" else source.uniform)(shape, one, two, dtype)


@fitting
def uniform(
    shape: Any = (),
    low: float = 0.0,
    high: float = 1.0,
    dtype: npt.DTypeLike = np.float32,
    stream: Stream | None = None,
) -> Tensor:
    """Return numbers drawn evenly from [low, high), from `stream` if it is given."""
    _check_numbers("uniform(shape, low, high)", low=low, high=high)
    if not low < high:
        raise ArgumentError(f"random.uniform: low must be below high, got [{low}, {high})")
    size = known_shape(shape, "random.uniform")
    return drawn(shape=size, numbers=(low, high), dtype=known_dtype(dtype), stream=stream)


@fitting
def normal(
    shape: Any = (),
    mean: float = 0.0,
    std: float = 1.0,
    dtype: npt.DTypeLike = np.float32,
    stream: Stream | None = None,
) -> Tensor:
    """Return numbers drawn from the normal distribution, from `stream` if it is given."""
    _check_numbers("normal(shape, mean, std)", mean=mean, std=std)
    if std < 0:
        raise ArgumentError(f"random.normal: std must not be negative, got {std}")
    size = known_shape(shape, "random.normal")
    return drawn(kind="normal", shape=size, numbers=(mean, std), dtype=known_dtype(dtype), stream=stream)


def _check_numbers(usage: str, **given: Any) -> None:
    for each, value in given.items():
        if isinstance(value, tuple | list):
            wrong = f"random.{usage.partition('(')[0]}: {each} must be a number, got {value}"
            raise DTypeError(wrong, hint=f"cr.random.{usage}")


@fitting
def integers(low: int, high: int | None = None, shape: Any = (), stream: Stream | None = None) -> Tensor:
    """Return int64 numbers drawn evenly from [low, high), or from [0, low) when `high` is None."""
    _check_numbers("integers(low, high, shape)", low=low, high=high)
    numbers = (0, low) if high is None else (low, high)
    size = known_shape(shape, "random.integers")
    return drawn(kind="integers", shape=size, numbers=numbers, stream=stream)


@fitting
def permutation(n: int) -> Tensor:
    """Return the numbers 0 .. n-1 in random order."""
    _check_numbers("permutation(len(x)), as places: x[places]", n=n)
    return Tensor(default.permutation(whole_number("random.permutation", "n", n, least=0)))


@fitting
def bernoulli(
    shape: Any, p: float, dtype: npt.DTypeLike = np.float32, stream: Stream | None = None
) -> Tensor:
    """Return ones with probability `p`, else zeros: the mask of dropout."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"random.bernoulli: p must be in [0, 1], got {p}")
    unit = drawn(shape=known_shape(shape, "random.bernoulli"), stream=stream)
    return astype(less(unit, p), dtype=known_dtype(dtype))
