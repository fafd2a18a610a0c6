"""Samples: what an op is tried on, declared beside the op and run by the generic test.

A sample names inputs by shape, by range or by value; the test fills them in every dtype. A wrong
sample names a call that must fail, and the first line of its error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from chainrule.core.spec import Array, Shape
from chainrule.core.stream import Stream


@dataclass(frozen=True)
class Real:
    """Random numbers of a shape, uniform over the open domain (low, high)."""

    shape: Shape
    low: float = -2.0
    high: float = 2.0


@dataclass(frozen=True)
class Integers:
    """Random integers of a shape in [low, high): labels or indices."""

    shape: Shape
    low: int
    high: int


Input: TypeAlias = "Shape | Real | Integers | Array | float | int"


@dataclass(frozen=True)
class Sample:
    """A call that must work: its inputs and parameters.

    `skip_gradient` gives the reason why its numerical gradient cannot be compared.
    """

    inputs: tuple[Input, ...]
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    skip_gradient: str = ""

    def arrays(self, dtype: Any, seed: int = 0) -> list[Any]:
        """Return the inputs as arrays; real ones in `dtype`."""
        stream = Stream(seed)
        return [_filled(each, dtype, stream) for each in self.inputs]


@dataclass(frozen=True)
class Wrong:
    """A call that must raise an error whose first line is `message`."""

    inputs: tuple[Input, ...]
    message: str
    params: dict[str, Any] = field(default_factory=dict[str, Any])


def sample(*inputs: Input, skip_gradient: str = "", **params: Any) -> Sample:
    """Return a sample: `sample((2, 3), axis=0)`."""
    return Sample(inputs, params, skip_gradient)


def wrong(message: str, *inputs: Input, **params: Any) -> Wrong:
    """Return a call that must fail: `wrong("sum(x): ...", (2, 3), axis=5)`."""
    return Wrong(inputs, message, params)


def _filled(spec: Input, dtype: Any, stream: Stream) -> Any:
    if isinstance(spec, tuple):
        spec = Real(spec)
    if isinstance(spec, Real):
        return stream.uniform(spec.shape, spec.low, spec.high, np.float64).astype(dtype)
    if isinstance(spec, Integers):
        return stream.integers(spec.low, spec.high, spec.shape)
    if isinstance(spec, np.ndarray) and spec.dtype.kind == "f":
        return spec.astype(dtype)
    return spec
