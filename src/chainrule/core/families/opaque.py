"""Opaque ops: those whose meaning no other family can state, so that all is spelled out.

The body computes the NumPy value; `spec` gives shape and dtype; `gradient` is written in ops, or a
`reason` says why there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.core.op import Op, declare
from chainrule.core.sample import Sample, Wrong
from chainrule.core.spec import Spec
from chainrule.core.tensor import Tensor


class Opaque(Op):
    """An op with its value, spec and gradient given as three functions."""

    family = "opaque"

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        spec: Callable[..., Spec],
        gradient: Callable[..., Sequence[Tensor | None]] | None = None,
        reason: str = "",
        reads: Sequence[bool] | None = None,
        pure: bool = True,
        samples: Sequence[Sample] = (),
        wrong: Sequence[Wrong] = (),
    ) -> None:
        super().__init__(body, samples, wrong)
        self._spec, self.gradient, self.reason, self._reads = spec, gradient, reason, reads
        self.differentiable, self.pure = gradient is not None, pure

    def value(self, *arrays: Any, **params: Any) -> Any:
        return self.body(*arrays, **params)

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        return self._spec(*specs, **params)

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        assert self.gradient is not None
        return self.gradient(g, node, *node.inputs, **node.params)

    def reads(self, node: Tensor) -> Sequence[bool]:
        return super().reads(node) if self._reads is None else self._reads


def opaque(**options: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare an opaque op: the decorated function computes its value with NumPy."""
    return lambda body: declare(Opaque(body, **options))
