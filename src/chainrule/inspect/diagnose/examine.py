"""One batch examined: forward and backward once, and everything put back as it was.

What is measured is `snapshot`'s, what it means `symptoms`'; a whole training is watched by a `Monitor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.registry import named
from chainrule.core.tensor import Tensor, as_tensor
from chainrule.errors import ArgumentError
from chainrule.inspect.checking.subject import Subject
from chainrule.inspect.diagnose.report import Diagnosis
from chainrule.inspect.diagnose.snapshot import take_snapshot
from chainrule.inspect.diagnose.symptoms import Course, Limits


def diagnose(
    model: Any, batch: Any, loss: Callable[..., Tensor] | None = None, *, limits: Limits | None = None
) -> Diagnosis:
    """Run `model` forward and backward on `batch`, and say what is wrong with it.

    `batch` is `(x, y)`; `loss(scores, y)` is the cross-entropy for integer `y` and the mean squared
    error for others, unless given. Weights, gradients, buffers and random state are as before
    afterwards. What needs several iterations (the rate) is found by a `Monitor`.

    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> model[0].bias.assign(-100.0)
    >>> found = diagnose(model, (cr.random.normal((32, 4)), cr.random.integers(0, 2, (32,))))
    >>> found.findings[0].kind, found.findings[0].where
    ('dead units', '1')
    """
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ArgumentError(
            f"diagnose: the batch must be a pair (x, y), got {type(batch).__name__}",
            hint="cr.inspect.diagnose(model, (x, y))",
        )
    x, y = map(as_tensor, batch)
    measure = loss or named("cross_entropy" if y.dtype.kind != "f" else "mse_loss")

    def total(x: Tensor, y: Tensor) -> Tensor:
        return measure(model(x), y)

    subject = Subject(total, model, (x, y))
    course = Course()
    with subject.conditions(still=True, wide=False):
        value, _ = subject.gradients()
        course.snapshots.append(take_snapshot(value, subject.parameters))
    return Diagnosis(course, limits or Limits())
