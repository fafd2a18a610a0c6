"""The problem that every search is given: a linear classifier, its hinge loss, and the training data.

The samples stand in memory as the classifier takes them. Losses are compiled, so that a search by
thousands of them is as quick as it can be.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.compiler import compile as compiled
from chainrule.core.mode import no_grad
from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.data import Dataset, Splits
from chainrule.errors import DataError
from chainrule.nn import Linear
from chainrule.nn import functional as F
from chainrule.train.preparation import Preparation

_JUDGED = 2_000  # samples by which the loss of all searches is drawn


class Problem:
    """A linear classifier of `train`, whose weights begin at 0; `preparation` is fitted already.

    At most `limit` samples are kept, drawn at random.
    """

    def __init__(self, train: Dataset, preparation: Preparation, limit: int | None = None) -> None:
        chosen: Any = slice(None)
        if limit is not None and limit < len(train):
            chosen = np.sort(Stream(0, 3).permutation(len(train))[:limit])
        self.preparation = preparation
        self.x, self.y = self._prepared(train.x[chosen]), Tensor(train.y[chosen])
        self.width = self.x.shape[1]
        self.model = Linear(self.width, len(train.classes))
        for weight in self.model.parameters():
            weight.assign(np.zeros(weight.shape, np.float32))
        self._loss = compiled(lambda x, y: F.hinge_loss(self.model(x), y))
        judged = slice(min(_JUDGED, len(train)))
        self._judged = self._prepared(train.x[judged]), Tensor(train.y[judged])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def scale(self) -> float:
        """The deviation of weights with which scores have a deviation of 1, the margin of the loss."""
        return 1 / math.sqrt(self.width)

    def loss(self, part: slice | None = None) -> Tensor:
        """Return the hinge loss on all samples, or on a part of them."""
        if part is None:
            return self._loss(self.x, self.y)
        return self._loss(self.x[part], self.y[part])

    def judged(self) -> float:
        """Return the loss on the samples by which all searches are judged."""
        with no_grad():
            return float(self._loss(*self._judged).item())

    def predicted(self, x: Array) -> Array:
        """Return the classes of samples as they were read."""
        with no_grad():
            parts = [self.model(self._prepared(x[start : start + 1024])) for start in range(0, len(x), 1024)]
        return np.concatenate([part.data.argmax(axis=1) for part in parts])

    def _prepared(self, x: Array) -> Tensor:
        # A copy in rows: a view of another layout would be copied in every call.
        return Tensor(np.ascontiguousarray(self.preparation(x).reshape(len(x), -1), np.float32))


def tested_split(splits: Splits) -> Dataset:
    """Return the test split, or the validation split where there is none; DataError without either."""
    found = splits.test or splits.validation
    if found is None:
        raise DataError(f"compare: {splits.name} has no samples to test on")
    return found
