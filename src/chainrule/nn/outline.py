"""The summary of a model: every layer with its output shape and its parameters, as one table.

Shapes come from a real call on zeros, without gradients, in evaluation mode; training mode, random
stream and hooks are afterwards as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.mode import no_grad
from chainrule.core.spec import known_shape
from chainrule.core.tensor import Tensor
from chainrule.errors import ShapeError
from chainrule.nn.module import Module
from chainrule.ops import random


@dataclass(frozen=True)
class Row:
    """One module: its path and class, the shape it gave, and how many numbers it owns itself."""

    path: str
    kind: str
    shape: str
    parameters: int


@dataclass(frozen=True)
class Summary:
    """What `summary` found: a row a module, and totals; print it for the table."""

    rows: list[Row]
    parameters: int
    trainable: int
    buffers: int

    def __str__(self) -> str:
        cells = [("layer", "type", "output shape", "parameters")]
        cells += [(row.path, row.kind, row.shape, f"{row.parameters:,}") for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                [*(c.ljust(w) for c, w in zip(line[:3], widths, strict=False)), line[3].rjust(widths[3])]
            )
            for line in cells
        ]
        rule = "-" * max(map(len, lines))
        frozen = self.parameters - self.trainable
        total = f"{self.parameters:,} parameters: {self.trainable:,} trainable, {frozen:,} frozen"
        buffers = f"; {self.buffers:,} numbers in buffers" if self.buffers else ""
        return "\n".join([lines[0], rule, *lines[1:], rule, total + buffers])

    __repr__ = __str__


def summary(model: Module, input_shape: Any, dtype: Any = np.float32) -> Summary:
    """Return the table of a model's layers for an input of `input_shape`, batch axis included.

    Parameters are counted where they are first met. Give `dtype=int` for a model that takes integers.

    >>> from chainrule import nn
    >>> print(nn.summary(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), (1, 4)))
    layer  type        output shape  parameters
    -------------------------------------------
           Sequential  (1, 3)                 0
    0      Linear      (1, 8)                40
    1      ReLU        (1, 8)                 0
    2      Linear      (1, 3)                27
    -------------------------------------------
    67 parameters: 67 trainable, 0 frozen
    """
    size = known_shape(input_shape, "summary")
    try:
        shapes = _shapes(model, np.zeros(size, dtype))
    except ShapeError as error:
        hint = f"input_shape has the batch axis in front, as in {(1, *size)}"
        raise ShapeError(f"summary: {error.headline}", got=error.got, hint=hint) from error
    seen: set[int] = set()
    rows: list[Row] = []
    for path, module in model.named_modules():
        new = [p for _, p in module.own_parameters() if id(p) not in seen]
        seen.update(map(id, new))
        shape = shapes.get(id(module), "not called")
        rows.append(Row(path, type(module).__name__, shape, sum(p.size for p in new)))
    every = list(model.parameters())
    trainable = sum(p.size for p in every if p.requires_grad)
    return Summary(rows, sum(p.size for p in every), trainable, sum(b.size for b in model.buffers()))


def _shapes(model: Module, x: Any) -> dict[int, str]:
    """Run the model once and return the shape that each module gave, by the module's id."""
    shapes: dict[int, str] = {}

    def note(module: Module, _inputs: Any, output: Any) -> None:
        shapes[id(module)] = str(output.shape) if isinstance(output, Tensor) else type(output).__name__

    modes = {module: module.training for module in model.modules()}
    state = random.get_state()
    handles = [module.register_forward_hook(note) for module in modes]
    try:
        with no_grad():
            model.eval()(Tensor(x))
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
        random.set_state(state)
    return shapes
