"""Units: weighted sums of inputs, and of labels given as numbers.

`linear` is the contraction `linear_scores` with a bias and with errors that know how weights are
stored; `maxout` takes the best of several; a lookup in a table (`embedding`) is the product with a
one-hot vector, without the zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.families import composite
from chainrule.core.mode import mode
from chainrule.core.op import Op
from chainrule.core.sample import Integers, sample, wrong
from chainrule.core.stand_in import is_stand_in
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DTypeError, IndexRangeError
from chainrule.ops.compare import equal, greater_equal, less, logical_or, not_equal, where
from chainrule.ops.index import Slot, picked
from chainrule.ops.linear import linear_scores
from chainrule.ops.reduce import max
from chainrule.ops.window import clash


@composite(
    samples=[
        sample((4, 3), (2, 3), (2,)),
        sample((3,), (2, 3)),
        sample((2, 4, 3), (5, 3), (5,)),
        sample((0, 3), (2, 3), (2,)),
    ],
    wrong=[
        wrong("linear(x, weight, bias): axis 'i' is 784 in x (axis 1) but 512 in weight (axis 1)",
              (2, 784), (10, 512)),
        wrong("linear(x, weight, bias): weight has shape (3,), needs 2 axes (o i)", (2, 3), (3,)),
        wrong("linear(x, weight, bias): bias has shape (3,) but weight has 2 outputs", (4, 3), (2, 3), (3,)),
        wrong("linear(x, weight, bias): x is int64, needs floats", Integers((4, 3), 0, 9), (2, 3)),
    ],
)  # fmt: skip
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The scores W x + b of every row of `x` (..., in), for `weight` (out, in) and `bias` (out)."""
    op: Any = linear
    inputs = (x, weight, bias)
    if x.dtype.kind != "f" and weight.dtype.kind == "f":
        raise clash(op, inputs, f"x is {x.dtype}, needs floats", "x.astype(np.float32)", DTypeError)
    if weight.ndim != 2:
        raise clash(op, inputs, f"weight has shape {weight.shape}, needs 2 axes (o i)")
    if x.ndim < 1 or x.shape[-1] != weight.shape[1]:
        size = x.shape[-1] if x.ndim else "missing"
        raise clash(
            op,
            inputs,
            f"axis 'i' is {size} in x (axis {x.ndim - 1}) but {weight.shape[1]} in weight (axis 1)",
            _advice(x, weight),
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise clash(op, inputs, f"bias has shape {bias.shape} but weight has {weight.shape[0]} outputs")
    scores = linear_scores(x, weight)
    return scores if bias is None else scores + bias


def _advice(x: Tensor, weight: Tensor) -> str:
    if x.ndim > 2 and int(np.prod(x.shape[1:])) == weight.shape[1]:
        return "put nn.Flatten() before the linear layer"
    if not x.ndim:
        return ""
    return f"weights are stored (out, in): did you mean Linear({x.shape[-1]}, {weight.shape[0]})?"


@composite(
    samples=[sample((4, 6), pieces=3), sample((4,), pieces=2), sample((2, 3, 4), pieces=1), sample((0, 4))],
    wrong=[wrong("maxout(x): 3 pieces do not divide the 4 features (axis 1) of x", (2, 4), pieces=3)],
)
def maxout(x: Tensor, *, pieces: int = 2) -> Tensor:
    """Largest of every `pieces` neighbouring features: (..., f * pieces) -> (..., f).

    Source: Goodfellow et al. 2013, "Maxout Networks", section 3.
    """
    op: Any = maxout
    if x.ndim < 1 or pieces < 1 or x.shape[-1] % pieces:
        size = x.shape[-1] if x.ndim else 0
        raise clash(op, (x,), f"{pieces} pieces do not divide the {size} features (axis {x.ndim - 1}) of x")
    return max(x.reshape((*x.shape[:-1], x.shape[-1] // pieces, pieces)), axis=-1)


def _check_places(op: Op, x: Tensor, count: int, what: str) -> None:
    """Raise unless `x` holds integers in [0, count)."""
    if x.dtype.kind not in "iu":
        hint = "x.astype(np.int64)"
        raise clash(op, (x,), f"x is {x.dtype}, needs integers", hint, DTypeError)
    if mode.trace is not None:  # the places of later runs are looked at when they are there
        beyond = logical_or(less(x, 0), greater_equal(x, count))
        mode.trace.refuse(beyond, f"{op.heading}: a number is no row of {what}, 0 to {count - 1}")
    if is_stand_in(x._data):
        return
    wrong_ones = x._data[(x._data < 0) | (x._data >= count)]
    if wrong_ones.size:
        raise clash(op, (x,), f"{wrong_ones[0]} is no row of {what}, 0 to {count - 1}", kind=IndexRangeError)


@composite(
    samples=[
        sample(Integers((4,), 0, 5), (5, 3)),
        sample(
            Integers((2, 3), 0, 5), (5, 3), padding_idx=1, skip_gradient="row padding_idx is not to learn"
        ),
        sample(Integers((0,), 0, 5), (5, 3)),
    ],
    wrong=[
        wrong("embedding(x, weight): 5 is no row of the table, 0 to 4", np.array([1, 5]), (5, 3)),
        wrong("embedding(x, weight): x is float64, needs integers", np.array([1.0]), (5, 3)),
    ],
)
def embedding(x: Tensor, weight: Tensor, *, padding_idx: int | None = None) -> Tensor:
    """The rows of a table `weight` (count, features) at integers `x`; row `padding_idx` learns nothing."""
    op: Any = embedding
    if weight.ndim != 2:
        raise clash(op, (x, weight), f"weight has shape {weight.shape}, needs 2 axes (count, features)")
    _check_places(op, x, weight.shape[0], "the table")
    rows = picked(weight, x, key=(Slot(0),))
    if padding_idx is None:
        return rows
    learns = not_equal(x, padding_idx % weight.shape[0])
    return where(learns.reshape((*x.shape, 1)), rows, rows.detach())


@composite(
    samples=[sample(Integers((4,), 0, 5), num_classes=5), sample(Integers((2, 0), 0, 2), num_classes=2)],
    wrong=[
        wrong("one_hot(x): 3 is no row of the classes, 0 to 2", np.array([0, 3]), num_classes=3),
        wrong("one_hot(x): num_classes is needed where x is empty", np.zeros(0, np.int64)),
    ],
)
def one_hot(x: Tensor, *, num_classes: int = -1) -> Tensor:
    """A row of zeros with a one at the label, int64: (...) -> (..., classes); -1 counts the classes."""
    op: Any = one_hot
    if num_classes == -1:
        if not x.size:
            raise ArgumentError("one_hot(x): num_classes is needed where x is empty")
        num_classes = int(x.data.max()) + 1
    _check_places(op, x, num_classes, "the classes")
    return equal(x.reshape((*x.shape, 1)), np.arange(num_classes)).astype(np.int64)
