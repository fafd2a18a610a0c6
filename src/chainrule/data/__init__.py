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
from chainrule.errors import missing_name

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

_HABITS = {
    "DataLoader": "Batches(x, y, batch_size, shuffle=True, seed=0)",
    "ImageFolder": "load(folder), for root/class/*.jpg",
    "TensorDataset": "Dataset(x, y), or the arrays themselves",
    "random_split": "load(name_or_path, validation=0.1, test=0.1)",
}


def __getattr__(name: str) -> object:
    hint = f"here it is {_HABITS[name]}" if name in _HABITS else ""
    raise missing_name("chainrule.data", name, __all__, hint)
