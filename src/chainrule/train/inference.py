"""Using a model without changing it: scores for samples, and what they are worth.

Evaluation mode inside, each module's own mode afterwards; nothing is recorded and no random number
is drawn. Samples go through in batches, so that memory does not grow with their number. Preparation
that is written in ops is compiled with the model, so batches of images stay bytes on their way there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.compiler import compile as compiled
from chainrule.core.mode import mode, no_grad
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.core.whole import whole_number
from chainrule.data import Dataset, TensorTransform
from chainrule.data.dataset import as_array
from chainrule.errors import DataError
from chainrule.nn import Module
from chainrule.ops.arithmetic import astype
from chainrule.train.evaluation import Evaluation, measure
from chainrule.train.step import Loss

Prepare = Callable[[Array], Array]


@dataclass
class Inference:
    """A model with what its inputs go through first: `prepare`, such as a fitted `Normalizer`.

    Floating-point samples and targets take on the dtype of the model's parameters. The model is
    compiled unless `compile` is False.
    """

    model: Module
    prepare: Prepare | None = None
    compile: bool = True

    def __post_init__(self) -> None:
        self._forward = compiled(self._scored) if self.compile else self._scored
        first = next((each for each in self.model.parameters() if each.dtype.kind == "f"), None)
        self.dtype = np.dtype(np.float32) if first is None else first.dtype

    @property
    def in_ops(self) -> bool:
        """Tell whether `prepare` is written in ops, so that compiled code can take it in."""
        return self.prepare is None or isinstance(self.prepare, TensorTransform)

    def inputs(self, x: Array) -> Tensor:
        """Return a batch of samples as the tensor that the model takes."""
        return self.taken(self.arrived(x))

    def arrived(self, x: Array) -> Tensor:
        """Return a batch of samples as it comes to compiled code, prepared where ops cannot."""
        x = x if self.prepare is None or self.in_ops else self.prepare(x)
        native = x.dtype.kind != "f" or x.dtype.itemsize in (4, 8)  # no half precision in native code
        return Tensor(x if native else x.astype(self.dtype), name="x")

    def taken(self, x: Tensor) -> Tensor:
        """Return what `arrived`, as the model takes it: the part of the way that is made of ops."""
        if mode.trace is not None:
            mode.trace.guard(self, "prepare")
        if isinstance(self.prepare, TensorTransform):
            x = self.prepare(x)
        x = astype(x, dtype=self.dtype) if x.dtype.kind == "f" and x.dtype != self.dtype else x
        x.name = "x"
        return x

    def targets(self, y: Array) -> Tensor:
        """Return a batch of labels or targets as the tensor that the loss takes."""
        return Tensor(y.astype(self.dtype, copy=False) if y.dtype.kind == "f" else y, name="y")

    def scores(self, x: Any, batch_size: int = 512) -> Array:
        """Return the model's scores (n, classes) for samples `x` (n, ...)."""
        if isinstance(x, tuple):
            raise DataError("predict: takes samples alone, got a tuple", hint="trainer.predict(x)")
        x = as_array("predict: x", x.x if isinstance(x, Dataset) else x)
        batch_size = whole_number("predict", "batch_size", batch_size)
        if not x.ndim or not len(x):
            raise DataError("predict: x holds no samples", got=f"x {x.shape}")
        rows = range(0, len(x), batch_size)
        with evaluating(self.model), no_grad():
            return np.concatenate(
                [self._forward(self.arrived(x[row : row + batch_size])).data for row in rows]
            )

    def evaluate(self, data: Dataset, loss: Loss, batch_size: int = 512) -> Evaluation:
        """Return the mean loss on `data`, and its accuracy or the error of its regression."""
        scores, total = self.scores(data.x, batch_size), 0.0
        with no_grad():
            for row in range(0, len(data), batch_size):
                part = slice(row, row + batch_size)
                mean = loss(Tensor(scores[part]), self.targets(data.y[part]))
                total += float(mean.data) * len(data.y[part])
        return measure(scores, data.y, total / len(data), data.classes)

    def _scored(self, x: Tensor) -> Tensor:
        return self.model(self.taken(x))


_turn = threading.Lock()
_inside: dict[int, tuple[int, bool]] = {}  # by id of a module: how many evaluate it now, and its own mode


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Evaluation mode inside, each module's own mode from before after it, also from several threads."""
    modules = list(model.modules())
    with _turn:
        for module in modules:
            count, own = _inside.get(id(module), (0, module.training))
            _inside[id(module)] = count + 1, own
        model.eval()
    try:
        yield
    finally:
        with _turn:
            for module in modules:
                count, own = _inside.pop(id(module))
                if count > 1:
                    _inside[id(module)] = count - 1, own
                else:
                    module.training = own
