"""Normalisation: mean 0 and standard deviation 1, with numbers learnt from the training split only.

One rule serves images and tables: axis 1 (the channels of NCHW, the features of a table) keeps its
own mean and deviation, all other axes are averaged over. What comes out is float32. It is written in
ops, so images are bytes until native code reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.data.dataset import as_array
from chainrule.data.transform import TensorTransform
from chainrule.errors import CheckpointError, DataError, ShapeError
from chainrule.ops.arithmetic import astype

_CHUNK = 2**20


class Normalizer(TensorTransform):
    """`(x - mean) / std` for each channel or feature (axis 1), float32 out.

    A channel that does not vary is only shifted. Call it on arrays or tensors; it draws nothing.

    >>> scale = Normalizer().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scale(np.array([[1.0, 5.0], [5.0, 6.0]])).tolist()
    [[-1.0, 0.0], [3.0, 1.0]]
    """

    def __init__(self) -> None:
        self.mean: Array | None = None
        self.std: Array | None = None
        self.fits = 0  # how often it has learnt: a program compiled before that holds no longer

    def fit(self, x: Array) -> Normalizer:
        """Learn mean and deviation from `x` (n, channels or features, ...) and return self."""
        x = as_array("Normalizer.fit: x", x)
        if x.ndim < 2 or x.size == 0 or x.dtype.kind not in "iubf":
            raise DataError(f"Normalizer.fit: needs numbers (n, channels or features, ...), got {_what(x)}")
        axes = (0, *range(2, x.ndim))
        count = x.size // x.shape[1]
        # Sums of differences from one value are exactly 0 for a feature that does not vary.
        first = x[0].reshape(x.shape[1], -1)[:, 0].astype(np.float64).reshape(_column(x))
        centre = first + sum((part - first).sum(axes, keepdims=True) for part in _chunks(x)) / count
        variance = sum(np.square(part - centre).sum(axes) for part in _chunks(x)) / count
        if not np.isfinite(variance).all():
            raise DataError("Normalizer.fit: x has values that are not finite", got=_what(x))
        std = np.sqrt(variance)
        self.mean, self.std = centre.reshape(-1), np.where(std > np.finfo(np.float32).tiny, std, 1.0)
        self.fits += 1
        return self

    def transform(self, x: Array) -> Array:
        """Return `x` normalised, float32, as a new array."""
        return self(x)

    def changed(self, x: Tensor, stream: Stream | None) -> Tensor:
        """Return `x` normalised, float32."""
        mean, std = self._numbers("transform", x)
        return astype((astype(x, dtype=mean.dtype) - mean) / std, dtype=np.float32)

    def inverse(self, x: Array) -> Array:
        """Return the values that `transform` made `x` of, float32."""
        x = as_array("Normalizer.inverse: x", x)
        mean, std = self._numbers("inverse", x)
        return (x.astype(mean.dtype) * std + mean).astype(np.float32, copy=False)

    def state(self) -> dict[str, list[float]]:
        """Return mean and deviation as plain lists, exact when written as JSON."""
        mean, std = self._fitted("state")
        return {"mean": mean.tolist(), "std": std.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Normalizer:
        """Return the normaliser that `state()` describes."""
        try:
            mean, std = (np.array(state[key], np.float64) for key in ("mean", "std"))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"Normalizer.from_state: not a state of a normaliser ({error!r})"
            ) from error
        if mean.ndim != 1 or mean.shape != std.shape or not (np.isfinite(mean).all() and (std > 0).all()):
            raise CheckpointError(
                "Normalizer.from_state: mean and std must be two equally long lists, std above 0",
                got=f"mean {mean.shape}, std {std.shape}",
            )
        normalizer = cls()
        normalizer.mean, normalizer.std = mean, std
        return normalizer

    def __repr__(self) -> str:
        if self.mean is None or self.std is None:
            return "Normalizer(not fitted)"
        return f"Normalizer(mean={_short(self.mean)}, std={_short(self.std)})"

    def _fitted(self, operation: str) -> tuple[Array, Array]:
        if self.mean is None or self.std is None:
            raise DataError(
                f"Normalizer.{operation}: not fitted yet", hint="Normalizer().fit(splits.train.x)"
            )
        return self.mean, self.std

    def _numbers(self, operation: str, x: Array | Tensor) -> tuple[Array, Array]:
        """Return mean and deviation in the dtype to compute in, shaped to meet `x`."""
        mean, std = self._fitted(operation)
        if x.ndim < 2 or x.shape[1] != len(mean):
            raise ShapeError(
                f"Normalizer.{operation}: axis 1 must be {len(mean)} (channels or features), as when fitted",
                got=_what(x),
            )
        # Small types are exact in float32; wider ones keep their digits until after the shift.
        dtype = np.float32 if np.can_cast(x.dtype, np.float32) else np.float64
        return mean.astype(dtype).reshape(_column(x)), std.astype(dtype).reshape(_column(x))


def _chunks(x: Array) -> Iterator[Array]:
    rows = max(1, _CHUNK * len(x) // x.size)
    for start in range(0, len(x), rows):
        yield x[start : start + rows].astype(np.float64)


def _column(x: Array | Tensor) -> tuple[int, ...]:
    return (1, x.shape[1], *(1,) * (x.ndim - 2))


def _what(x: Array | Tensor) -> str:
    return f"x {x.shape} {x.dtype}"


def _short(values: Array) -> str:
    listed = ", ".join(f"{value:.4g}" for value in values[:4])
    return f"[{listed}{', ...' if len(values) > 4 else ''}]"
