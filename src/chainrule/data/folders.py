"""Image folders: `root/class/*.jpg`, or `root/train/class/*.jpg` with other splits beside it.

The names of the folders are the classes, sorted; so are the files, so that the order is the same
everywhere. Hidden files and files that are no images are passed over. The headers are read first,
to settle size and colour, then every picture is decoded straight into one array for its split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from chainrule.core.spec import Array
from chainrule.data.dataset import Dataset, Skipped
from chainrule.data.pixels import (
    SUFFIXES,
    Channels,
    Header,
    Size,
    as_size,
    check_channels,
    decode,
    read_header,
)
from chainrule.data.splitting import Source
from chainrule.errors import ArgumentError, DataError, nearest

LAYOUT = "one folder for each class, as in photos/cat/1.jpg and photos/dog/2.jpg, or photos/train/cat/1.jpg"
_SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
_DEFAULT: Size = (64, 64)


@dataclass
class _Reading:
    """What is being read and what had to be left out."""

    bad_images: str
    skipped: list[Skipped] = field(default_factory=list)

    def refuse(self, path: Path, error: DataError) -> None:
        if self.bad_images == "error":
            hint = 'bad_images="skip" leaves such files out and lists them in .skipped'
            raise DataError(error.headline, got=str(path), hint=hint) from error
        self.skipped.append(Skipped(path, error.headline.partition(": ")[2]))


@dataclass(frozen=True)
class _Sample:
    path: Path
    label: int
    header: Header


def read_image_folder(
    root: Path,
    *,
    size: int | Size | None = None,
    channels: Channels | None = None,
    bad_images: Literal["error", "skip"] = "error",
) -> Source:
    """Return the pictures under `root` as uint8 (n, channels, height, width) for each split.

    `size` is (height, width) or one number for both; without it pictures of one size keep it
    and others become 64 x 64. `channels` "grey" or "rgb"; without it grey only if all are.
    `bad_images` "error" names the first file that cannot be read, "skip" lists them all.
    """
    wanted = as_size(size)
    check_channels(channels)
    if bad_images not in ("error", "skip"):
        raise ArgumentError(f'bad_images: must be "error" or "skip", got {bad_images!r}')
    folders, notes = _split_folders(root)
    classes = _classes(folders["train"])
    reading = _Reading(bad_images)
    surveys = {name: _survey(folder, classes, reading) for name, folder in folders.items()}
    headers = [sample.header for samples in surveys.values() for sample in samples]
    wanted = wanted or _own_size(headers)
    channels = channels or ("grey" if all(header.grey for header in headers) else "rgb")
    parts = {}
    for name, samples in surveys.items():
        x, y = _decoded(samples, wanted, channels, reading)
        _check_found(folders[name], y, classes if name == "train" else ())
        parts[name] = Dataset(x, y, classes)
    return Source(root.name, **parts, skipped=tuple(reading.skipped), notes=notes)


def _split_folders(root: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the folder of each split, and a note on folders that belong to none."""
    subfolders = _subfolders(root)
    if not subfolders:
        loose = "images but no folders for their classes" if any(_images(root)) else "no images"
        raise DataError(f"{root.name}: the folder holds {loose}", got=str(root), hint=f"expected {LAYOUT}")
    splits: dict[str, Path] = {}
    for folder in subfolders:
        name = _SPLITS.get(folder.name.lower())
        # A class may be called "train" too; a split is told by the folders that it holds.
        if name is None or not _subfolders(folder):
            continue
        if name in splits:
            raise DataError(
                f"{root.name}: the folders {splits[name].name!r} and {folder.name!r} both mean {name}",
                got=str(root),
            )
        splits[name] = folder
    if not splits:
        return {"train": root}, ()
    if "train" not in splits:
        raise DataError(
            f"{root.name}: there is a folder {next(iter(splits.values())).name!r} but none called 'train'",
            got=", ".join(folder.name for folder in subfolders),
            hint=f"expected {LAYOUT}",
        )
    others = [folder.name for folder in subfolders if folder not in splits.values()]
    return splits, (f"not used: {', '.join(others)} (beside train, but no split)",) if others else ()


def _survey(folder: Path, classes: tuple[str, ...], reading: _Reading) -> list[_Sample]:
    """Return the readable pictures of a split in order, with what their headers say."""
    samples = []
    for subfolder in _subfolders(folder):
        if subfolder.name not in classes:
            raise DataError(
                f"{folder.name}/{subfolder.name}: the class {subfolder.name!r} does not exist in train",
                got=str(subfolder),
                hint=nearest(subfolder.name, classes),
            )
        for path in _images(subfolder):
            try:
                samples.append(_Sample(path, classes.index(subfolder.name), read_header(path)))
            except DataError as error:
                reading.refuse(path, error)
    return samples


def _decoded(
    samples: list[_Sample], size: Size, channels: Channels, reading: _Reading
) -> tuple[Array, Array]:
    """Return the pixels and labels of the pictures that can be decoded."""
    x = np.empty((len(samples), 1 if channels == "grey" else 3, *size), np.uint8)
    labels: list[int] = []
    for sample in samples:
        try:
            x[len(labels)] = decode(sample.path, size, channels)
            labels.append(sample.label)
        except DataError as error:
            reading.refuse(sample.path, error)
    return x[: len(labels)], np.array(labels, np.int64)


def _classes(train: Path) -> tuple[str, ...]:
    classes = tuple(folder.name for folder in _subfolders(train))
    if len(classes) > 1 and not all(name.lower() in _SPLITS for name in classes):
        return classes
    if len(classes) > 1 or any(name.lower() in _SPLITS for name in classes):
        problem = f"the images in {' and '.join(classes)} are not sorted into folders for their classes"
    else:
        problem = f"there is only one class folder, {', '.join(classes)}, so there is nothing to tell apart"
    raise DataError(f"{train.name}: {problem}", got=str(train), hint=f"expected {LAYOUT}")


def _check_found(folder: Path, y: Array, needed: tuple[str, ...]) -> None:
    if not len(y):
        raise DataError(
            f"{folder.name}: no readable images in its folders", got=str(folder), hint=f"expected {LAYOUT}"
        )
    for label in np.setdiff1d(np.arange(len(needed)), y):
        name = needed[label]
        inner = "; images must lie in it directly, not deeper" if _subfolders(folder / name) else ""
        raise DataError(
            f"{folder.name}/{name}: no readable images for the class {name!r}{inner}",
            got=str(folder / name),
            hint="remove the folder if it is no class",
        )


def _own_size(headers: list[Header]) -> Size:
    sizes = {header.size for header in headers}
    return sizes.pop() if len(sizes) == 1 else _DEFAULT


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if path.is_dir() and not path.name.startswith("__")]


def _images(folder: Path) -> Iterator[Path]:
    return (path for path in _listed(folder) if path.suffix.lower() in SUFFIXES and path.is_file())


def pictures_below(folder: Path) -> list[Path]:
    """Return the image files in `folder` and below it, sorted; links are followed, once each."""
    found, seen, waiting = list[Path](), set[Path](), [folder]
    while waiting:
        here = waiting.pop()
        if (place := here.resolve()) not in seen:
            seen.add(place)
            found += _images(here)
            waiting += _subfolders(here)
    return sorted(found)


def _listed(folder: Path) -> list[Path]:
    return sorted(
        (path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name
    )
