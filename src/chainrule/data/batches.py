"""Batches: one pass over the data is an epoch, one item of it an iteration.

The order of epoch e is a function of the seed and e alone, and the randomness of a transform one
of the seed, e and the iteration. So a run that was killed goes on in the middle of an epoch with
exactly the batches that it would have seen. This module knows arrays, not tensors, files or models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.whole import whole_number
from chainrule.data.dataset import Dataset, as_array
from chainrule.data.transform import Transform
from chainrule.errors import ArgumentError, DataError

# Transforms draw from streams of their own; each iteration owns 2**32 counters of its epoch's.
_TRANSFORMS = 2**63
_COUNTERS = 2**32


class Batches:
    """The samples of `x`, `y` in batches of `batch_size`, in a new order every epoch.

    `transform` is a callable `(x_batch, stream) -> x_batch`, or several to be applied in turn (a
    `Normalizer`, the classes of `augment`). The last batch is smaller where the size does not
    divide the count, unless `drop_last`. `epoch` is the number of the next pass: set it to resume.

    >>> batches = Batches(np.arange(10.0).reshape(5, 2), [0, 1, 0, 1, 0], batch_size=2)
    >>> len(batches), [len(x) for x, y in batches], batches.epoch
    (3, [2, 2, 1], 1)
    """

    def __init__(
        self,
        x: Array | Sequence[Any],
        y: Array | Sequence[Any],
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        *,
        drop_last: bool = False,
        transform: Transform | Sequence[Transform] | None = None,
    ) -> None:
        if isinstance(x, Dataset):
            raise DataError("Batches: x is a Dataset, not its samples", hint="Batches(train.x, train.y, 64)")
        self.x, self.y = as_array("Batches: x", x), as_array("Batches: y", y)
        self.batch_size = whole_number("Batches", "batch_size", batch_size)
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.transforms = transforms_of("Batches", transform)
        self.epoch = 0
        self._check()

    def __len__(self) -> int:
        whole, rest = divmod(len(self.x), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        # The number moves on at the start, so that a pass left early is not dealt again.
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.iterate(epoch)

    def order(self, epoch: int) -> Array:
        """Return the positions of the samples in the order of epoch `epoch` (from 0), int64 (n,)."""
        if not self.shuffle:
            return np.arange(len(self.x))
        return Stream(self.seed, epoch + 1).permutation(len(self.x))

    def iterate(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]:
        """Return the batches of epoch `epoch` from iteration `start` on; `self.epoch` stays."""
        if epoch < 0 or not 0 <= start <= len(self):
            raise ArgumentError(
                f"Batches.iterate: epoch {epoch}, iteration {start} does not exist",
                got=f"epochs count from 0; {len(self)} iterations an epoch",
            )
        return self._deal(epoch, start)

    def _deal(self, epoch: int, start: int) -> Iterator[tuple[Array, Array]]:
        order = self.order(epoch) if self.shuffle else None
        for iteration in range(start, len(self)):
            rows = slice(iteration * self.batch_size, (iteration + 1) * self.batch_size)
            chosen = rows if order is None else order[rows]
            x, stream = self.x[chosen], self.stream(epoch, iteration)
            for transform in self.transforms:
                x = transform(x, stream)
            yield x, self.y[chosen]

    def stream(self, epoch: int, iteration: int) -> Stream:
        """Return the stream that the transforms of one iteration draw from, at its beginning."""
        made = Stream(self.seed, _TRANSFORMS + epoch)
        made.counter = iteration * _COUNTERS
        return made

    def _check(self) -> None:
        size, drop = self.batch_size, self.drop_last
        Stream(self.seed)
        lengths = f"x {self.x.shape}, y {self.y.shape}"
        if self.x.ndim < 1 or self.y.ndim < 1 or len(self.x) != len(self.y):
            raise DataError("Batches: x and y must have one row for each sample", got=lengths)
        if not len(self):
            rule = f"fewer samples than batch_size {size} and drop_last" if drop else "no samples"
            raise DataError(f"Batches: {rule}, so there is no batch", got=lengths)


def transforms_of(whose: str, given: Transform | Sequence[Transform] | None) -> tuple[Transform, ...]:
    """Return one transform or several as a tuple; ArgumentError, opened by `whose`, for what is none."""
    if given is None:
        return ()
    chain = tuple(given) if isinstance(given, Sequence) else (given,)
    for step in chain:
        if not callable(step):
            raise ArgumentError(f"{whose}: a transform must be callable (x, stream) -> x, got {step!r}")
    return chain
