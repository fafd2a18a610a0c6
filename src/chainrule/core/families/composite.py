"""Composites: ops made of other ops.

Value, shape and gradient come from running the body. While it runs, what it computes is marked as
belonging to one box, which a drawing can open and close. A composite may claim a quicker gradient;
it is then recorded as one node, and the generic test compares the claim with the body's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.mode import Scope, mode, no_grad
from chainrule.core.op import Op, apply, declare, taken
from chainrule.core.sample import Sample, Wrong
from chainrule.core.spec import Spec
from chainrule.core.tensor import Tensor


class Composite(Op):
    """An op whose body calls other ops; `gradient(g, node, *inputs, **params)` is an optional claim."""

    family = "composite"

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        gradient: Callable[..., Sequence[Tensor | None]] | None = None,
        samples: Sequence[Sample] = (),
        wrong: Sequence[Wrong] = (),
    ) -> None:
        super().__init__(body, samples, wrong)
        self.gradient = gradient

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        if kwargs or (len(args) != self.arity and not self.variadic):
            args, kwargs = self.bind(args, kwargs)
        params = kwargs or self.parameters
        return self.open(args, params) if self.gradient is None else apply(self, args, params)

    def open(self, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
        """Run the body, marking what it computes as inside this op."""
        outer = mode.scope
        mode.scope = Scope("composite", self.name, self, outer)
        try:
            given = [
                each if isinstance(each, Tensor) else self._lifted(i, each) for i, each in enumerate(inputs)
            ]
            return self.body(*given, **params)
        finally:
            mode.scope = outer

    def _lifted(self, place: int, value: Any) -> Tensor | None:
        """Return an array or number as a tensor, so that bodies can use methods on every input."""
        absent = value is None and place >= self.arity - len(self.optional)
        return None if absent else Tensor(taken(self, value))

    def value(self, *arrays: Any, **params: Any) -> Any:
        with no_grad():
            return self.open(arrays, params)._data

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        zeros = [
            0.0 if spec.weak else np.broadcast_to(np.zeros((), spec.dtype), spec.shape) for spec in specs
        ]
        with np.errstate(all="ignore"):
            made = self.value(*zeros, **params)
        return Spec(made.shape, made.dtype)

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        assert self.gradient is not None
        return self.gradient(g, node, *node.inputs, **node.params)


def composite(body: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Declare a composite: the decorated function is written in other ops."""
    if body is not None:
        return declare(Composite(body))
    return lambda function: declare(Composite(function, **options))  # pyright: ignore
