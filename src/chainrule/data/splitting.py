"""Drawing splits: which samples are held back for validation and test.

A draw is stratified (each class gives its share) and depends only on the seed and the labels. A
class always keeps at least one sample to learn from, so a class of one sample stays in train
whole. What a source gives as validation or test is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.data.dataset import Dataset, Skipped, Splits
from chainrule.errors import ArgumentError, DataError

# Far above the stream numbers of epochs, so that no shuffle repeats a draw.
_STREAMS = {"test": 2**62, "validation": 2**62 + 1}


@dataclass(frozen=True)
class Source:
    """What a reader found: the splits as they are, before any is drawn."""

    name: str
    train: Dataset
    validation: Dataset | None = None
    test: Dataset | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def divide(source: Source, validation: float, test: float, seed: int) -> Splits:
    """Return the splits of `source`, with those drawn from train that it does not have.

    `test` is a fraction of the samples of train, `validation` one of what is then left; 0 draws
    none. Raises DataError where train holds samples of only one class.
    """
    for part, fraction in (("validation", validation), ("test", test)):
        if not isinstance(fraction, int | float) or not 0 <= fraction < 1:
            raise ArgumentError(f"load: the fraction {part} must be in [0, 1), got {fraction!r}")
    _check_variety(source)
    notes = list(source.notes)
    if source.test is None and test:
        source = _draw(source, "test", test, seed, notes)
    if source.validation is None and validation:
        source = _draw(source, "validation", validation, seed, notes)
    return Splits(source.train, source.validation, source.test, source.name, source.skipped, tuple(notes))


def stratified(y: Array, fraction: float, stream: Stream) -> Array:
    """Return the sorted positions of about `fraction` of `y`, each label giving its share.

    The shares are rounded by largest remainder, so that their sum is right as well, and at least
    1; no label gives its last sample. Float `y` are drawn from without regard to their values.
    """
    labels = y if y.dtype.kind == "i" else np.zeros(len(y), np.int64)
    order = stream.permutation(len(y))
    kinds, counts = np.unique(labels, return_counts=True)
    shares = _shares(counts, fraction)
    chosen = [order[labels[order] == kind][:share] for kind, share in zip(kinds, shares, strict=True)]
    return np.sort(np.concatenate(chosen))


def _shares(counts: Array, fraction: float) -> Array:
    exact = np.minimum(counts * fraction, counts - 1)
    total = max(1, round(exact.sum()))
    shares = np.floor(exact).astype(np.int64)
    for kind in np.argsort(shares - exact, kind="stable"):
        if shares.sum() < total and shares[kind] < counts[kind] - 1:
            shares[kind] += 1
    return shares


def _draw(source: Source, part: str, fraction: float, seed: int, notes: list[str]) -> Source:
    held = stratified(source.train.y, fraction, Stream(seed, _STREAMS[part]))
    notes.extend(note for note in _absent(source.train, held, part) if note)
    if not len(held):
        return source
    kept = np.ones(len(source.train), bool)
    kept[held] = False
    drawn = {part: source.train.subset(held), "train": source.train.subset(kept)}
    return replace(source, **drawn)


def _absent(train: Dataset, held: Array, part: str) -> list[str]:
    if not len(held):
        return [f"{part}: too few samples to draw from, so there is none"]
    if not train.classes:
        return []
    missing = np.setdiff1d(train.y, train.y[held])
    if not len(missing):
        return []
    names = ", ".join(train.classes[label] for label in missing[:5]) + (", ..." if len(missing) > 5 else "")
    return [f"{part}: too few samples to draw any of {names}"]


def _check_variety(source: Source) -> None:
    train = source.train
    if train.classes and (train.y == train.y[0]).all():
        raise DataError(
            f"{source.name}: every training sample is of the class {train.classes[train.y[0]]!r}, so there is"
            " nothing to tell apart",
            got=f"{len(train)} samples, {len(train.classes)} classes",
        )
