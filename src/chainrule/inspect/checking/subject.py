"""The function under check, run again and again under conditions that are known.

A check runs a function hundreds of times. Between two runs random numbers may be drawn, buffers may
change, and float32 may round. `Subject` can hold each of these still, so that which of them matters
is found by trying; whatever it changes is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule.core.mode import no_grad
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, GraphError
from chainrule.ops import random

Function = Callable[..., Tensor]


class Subject:
    """`f(*batch)`, a single value, as a function of its parameters.

    `source` is a module, or tensors by name. `still` holds random numbers and buffers fixed, `wide`
    computes in float64.
    """

    def __init__(self, f: Function, source: Any, batch: Sequence[Any] = ()) -> None:
        self.f, self.batch = f, tuple(batch)
        self.parameters: dict[str, Tensor] = _named(source, "named_parameters")
        self.buffers: dict[str, Tensor] = (
            {} if isinstance(source, Mapping) else _named(source, "named_buffers")
        )
        if not self.parameters:
            raise ArgumentError("check: there are no parameters to check")
        self.still = False
        self._state = random.get_state()
        self._kept: dict[str, Array] = {}

    @contextmanager
    def conditions(self, still: bool, wide: bool) -> Iterator[Subject]:
        """Set the conditions inside; afterwards parameters, buffers, gradients and random state are back."""
        tensors = [*self.parameters.values(), *self.buffers.values()]
        before = [(each, each.data, each.data.copy(), each.grad) for each in tensors]
        state, batch = random.get_state(), self.batch
        for each in tensors:
            each.data = each.data.astype(np.float64 if wide and each.data.dtype.kind == "f" else each.dtype)
        self.batch = tuple(map(double, batch)) if wide else batch
        self.still, self._state = still, state
        self._kept = {name: each.data.copy() for name, each in self.buffers.items()}
        try:
            yield self
        finally:
            for each, array, values, gradient in before:
                np.copyto(array, values)
                each.data, each.grad = array, gradient
            random.set_state(state)
            self.batch, self.still = batch, False

    def run(self) -> Tensor:
        """Return the loss, recorded."""
        if self.still:
            random.set_state(self._state)
            for name, values in self._kept.items():
                self.buffers[name].assign(values)
        with np.errstate(all="ignore"):
            loss = self.f(*self.batch)
        if not isinstance(loss, Tensor) or loss.size != 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise GraphError(f"check: the function must return one number as a tensor, got {loss!r:.60}")
        return loss

    def value(self) -> float:
        """Return the loss as a number."""
        with no_grad():
            return float(self.run().data)

    def gradients(self) -> tuple[Tensor, dict[str, Array | None]]:
        """Return the loss and the gradient of each parameter; None where none arrives."""
        for each in self.parameters.values():
            each.grad = None
        loss = self.run()
        if loss.requires_grad:
            with np.errstate(all="ignore"):
                loss.backward()
        return loss, {
            name: None if each.grad is None else each.grad.data.astype(np.float64)
            for name, each in self.parameters.items()
        }

    def along(self, name: str, direction: Array, step: float) -> tuple[float, float, float]:
        """Return the left, central and right difference quotient along a direction of one parameter."""
        parameter = self.parameters[name]
        middle = parameter.data.copy()
        values: list[float] = []
        for sign in (-1.0, 0.0, 1.0):
            parameter.assign(middle + (sign * step * direction).astype(middle.dtype))
            values.append(self.value())
        parameter.assign(middle)
        low, at, high = values
        return (at - low) / step, (high - low) / (2 * step), (high - at) / step


def _named(source: Any, what: str) -> dict[str, Tensor]:
    if isinstance(source, Mapping):
        return dict(source)
    return dict(getattr(source, what)())


def double(value: Any) -> Any:
    """Return a float tensor or array in float64, all else as it is."""
    array = value.data if isinstance(value, Tensor) else value
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        return value
    wide = array.astype(np.float64)
    return Tensor(wide, value.requires_grad, value.name) if isinstance(value, Tensor) else wide
