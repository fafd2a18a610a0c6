"""Gradients by finite differences: slow, approximate, and independent of every rule.

All arithmetic is in float64, whatever the input's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.mode import no_grad
from chainrule.core.spec import Array, is_float
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor, to_array
from chainrule.core.transform import vjp
from chainrule.errors import ArgumentError, CheckError


def numerical_gradient(f: Callable[[Any], Any], x: Any, h: float = 1e-5) -> Tensor:
    """Return the gradient of `f` (a single value) at `x` by central differences, in x's shape.

    (f(x + h) - f(x - h)) / 2h for one element of x after the other: 2 * x.size calls. `f` gets a
    float64 tensor and may return a tensor or a number. Error about h^2 |f'''| / 6 + 1e-16 |f| / h.

    >>> numerical_gradient(lambda x: (x * x).sum(), [1.0, 3.0]).data.round(6).tolist()
    [2.0, 6.0]
    """
    if not h > 0:
        raise ArgumentError(f"numerical_gradient: h must be positive, got {h}")
    point = np.array(to_array(x), np.float64)
    gradient = np.zeros_like(point)
    for place in np.ndindex(point.shape):
        middle = point[place]
        above, below = (_value(f, _moved(point, place, middle + step)) for step in (h, -h))
        gradient[place] = (above - below) / (2 * h)
    return Tensor(gradient)


def _moved(point: Array, place: tuple[int, ...], value: Any) -> Array:
    moved = point.copy()
    moved[place] = value
    return moved


def _value(f: Callable[[Any], Any], point: Array) -> float:
    with no_grad():
        return float(np.asarray(f(Tensor(point))).item())


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    *,
    h: float = 1e-4,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Compare the gradients of `f` at `args` with numerical ones, up to the given order.

    In one random direction v and for one random upstream gradient g, <g, J v> from finite
    differences must equal <J^T g, v> from the rules; then the same for the gradient function
    itself. Float arguments are taken in float64, others are held fixed. Raises CheckError.

    >>> import chainrule as cr
    >>> check_grads(lambda x: cr.exp(x) * x, ([0.5, -1.0],))
    """
    arrays = [to_array(arg) for arg in args]
    places = [i for i, array in enumerate(arrays) if is_float(array.dtype)]
    points = [array.astype(np.float64) for array in (arrays[i] for i in places)]

    def of_floats(*floats: Any) -> Any:
        inputs: list[Any] = list(arrays)
        for place, each in zip(places, floats, strict=True):
            inputs[place] = each
        return f(*inputs)

    for level in range(1, order + 1):
        _check_once(of_floats, points, Stream(seed, level), h, Tolerance(level, rtol, atol))
        of_floats = _projected(of_floats, points, Stream(seed, 100 + level))


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers of a given order of derivative may be apart."""

    order: int
    rtol: float
    atol: float

    def compare(self, ours: float, numerical: float, size: float) -> None:
        """Raise CheckError unless the two agree, `size` being the sum of the terms' magnitudes."""
        gap, allowed = abs(ours - numerical), self.atol + self.rtol * max(size, abs(numerical))
        if not gap <= allowed:
            raise CheckError(
                f"check_grads: order {self.order}: the rules give {ours:.8g}, "
                f"finite differences {numerical:.8g}",
                got=f"difference {gap:.3g}, allowed {allowed:.3g}",
                hint="look for a kink within h of the point, or a wrong gradient rule",
            )


def _projected(f: Callable[..., Any], points: Sequence[Array], stream: Stream) -> Callable[..., Any]:
    """Return the function (x...) -> <J^T g, w> of fixed random g and w: one number to differentiate."""
    with no_grad():
        shape = f(*map(Tensor, points)).shape
    upstream = stream.normal(shape, dtype=np.float64)
    weights = [stream.normal(point.shape, dtype=np.float64) for point in points]

    def projected(*floats: Any) -> Any:
        _, pullback = vjp(f, *floats)
        total: Any = Tensor(np.zeros((), np.float64))
        for gradient, weight in zip(pullback(upstream), weights, strict=True):
            total = total + (gradient * weight).sum()
        return total

    return projected


def _check_once(
    f: Callable[..., Any], points: Sequence[Array], stream: Stream, h: float, tolerance: Tolerance
) -> None:
    value, pullback = vjp(f, *map(Tensor, points))
    upstream = stream.normal(value.shape, dtype=np.float64)
    directions = [stream.normal(point.shape, dtype=np.float64) for point in points]
    terms = [g.data * v for g, v in zip(pullback(upstream), directions, strict=True)]
    above, below = (
        f(*(Tensor(p + step * v) for p, v in zip(points, directions, strict=True))).data for step in (h, -h)
    )
    numerical = float((upstream * (above - below)).sum()) / (2 * h)
    ours, size = sum(float(t.sum()) for t in terms), sum(float(np.abs(t).sum()) for t in terms)
    tolerance.compare(ours, numerical, size)
