"""Data: sets by name or path, their splits, batches, normalisation and augmentation.

`load` gives three splits of NumPy arrays, `Batches` deals them out. Everything here is a function
of files and seeds. Transforms are written in ops, so that compiled steps take them in; models are
unknown on this floor.
"""

from __future__ import annotations

from chainrule.data.augment import Cutout, HorizontalFlip, RandomCrop
from chainrule.data.batches import Batches
from chainrule.data.counts import summary
from chainrule.data.dataset import Dataset, Skipped, Splits
from chainrule.data.normalize import Normalizer
from chainrule.data.pixels import read_image
from chainrule.data.sources import load, names
from chainrule.data.toys import blobs, circles, moons, spiral, xor
from chainrule.data.transform import TensorTransform

__all__ = [
    "Batches",
    "Cutout",
    "Dataset",
    "HorizontalFlip",
    "Normalizer",
    "RandomCrop",
    "Skipped",
    "Splits",
    "TensorTransform",
    "blobs",
    "circles",
    "load",
    "moons",
    "names",
    "read_image",
    "spiral",
    "summary",
    "xor",
]
