"""Picture files as uint8 pixels: every kind of file that Pillow reads, brought to one form.

Turned upright by its EXIF note, first frame of an animation, 16 bits rounded to 8, transparency
laid on white, then scaled by area and cropped from the centre, never distorted. A file that
cannot be read is a DataError that names it. This module knows one picture, not folders.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, ChainruleError, DataError, need

Channels = Literal["rgb", "grey"]
Size = tuple[int, int]
Image = Any  # a PIL.Image.Image: Pillow is optional, and imported only when a picture is read

SUFFIXES = frozenset((*".jpg .jpeg .jfif .png .gif .bmp .webp .tif .tiff .ppm .pgm .pbm".split(),))
_GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"}
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)


class Header(NamedTuple):
    """What a picture file says before it is decoded: upright size (height, width), grey or not."""

    size: Size
    grey: bool


def read_image(
    path: str | Path, *, size: int | Size | None = None, channels: Channels | None = None
) -> Array:
    """Return the picture at `path` as uint8 (channels, height, width).

    `size` (height, width), or one number for both: the picture is scaled until it covers this
    and cropped from the centre; None keeps its own. `channels` "grey" gives one channel, "rgb"
    three, None what the file has. Raises DataError that names a file that cannot be read.
    """
    check_channels(channels)
    path = Path(path)
    header = read_header(path)
    return decode(path, as_size(size) or header.size, channels or ("grey" if header.grey else "rgb"))


def read_header(path: Path) -> Header:
    """Return the size and colour of the picture at `path` without decoding it."""

    def inspect(image: Image) -> Header:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION) in _TURNED
        return Header((width, height) if turned else (height, width), _is_grey(image))

    return _opened(path, inspect)


def decode(path: Path, size: Size, channels: Channels) -> Array:
    """Return the picture at `path` as uint8 (channels, height, width) of the given size."""
    operations = need("PIL.ImageOps", for_="reading images")
    resampling = need("PIL.Image", for_="reading images").Resampling

    def develop(image: Image) -> Array:
        upright = _eight_bit(operations.exif_transpose(image), channels)
        if upright.size != size[::-1]:
            # Boxes average areas exactly when shrinking; enlarged they would show as blocks.
            shrinks = upright.width * upright.height > size[0] * size[1]
            method = resampling.BOX if shrinks else resampling.BILINEAR
            upright = operations.fit(upright, size[::-1], method=method)
        pixels = np.asarray(upright)
        return pixels[None] if channels == "grey" else np.moveaxis(pixels, -1, 0)

    return _opened(path, develop)


def as_size(size: int | Size | None) -> Size | None:
    """Return `size` as (height, width), one number meaning a square; raises ArgumentError."""
    if size is None:
        return None
    pair = size if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2 or not all(isinstance(side, int) and 0 < side <= 2**14 for side in pair):
        raise ArgumentError(f"size: must be a number of pixels or (height, width), up to 16384, got {size!r}")
    return pair[0], pair[1]


def check_channels(channels: str | None) -> None:
    """Raise ArgumentError unless `channels` is "rgb", "grey" or None."""
    if channels not in (None, "rgb", "grey"):
        raise ArgumentError(f'channels: must be "rgb" or "grey", got {channels!r}')


def _opened(path: Path, use: Any) -> Any:
    """Return `use(image)`; whatever is wrong with the file becomes a DataError that names it."""
    module: ModuleType = need("PIL.Image", for_="reading images")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", module.DecompressionBombWarning)
            with module.open(path) as image:
                return use(image)
    except ChainruleError:
        raise
    except Exception as error:  # decoders raise whatever their format makes them stumble over
        raise DataError(f"{path.name}: not a readable image ({_reason(error)})", got=str(path)) from error


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "no known image format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _is_grey(image: Image) -> bool:
    if image.mode == "P" and image.palette is not None:
        red, green, blue = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3).T
        return bool((red == green).all() and (green == blue).all())
    return image.mode in _GREY


def _eight_bit(image: Image, channels: Channels) -> Image:
    if image.mode.startswith("I"):
        module = need("PIL.Image", for_="reading images")
        deep = np.asarray(image).astype(np.int64)
        if deep.min() < 0 or deep.max() > 65535:
            raise ValueError(f"pixels from {deep.min()} to {deep.max()} are not 16-bit")
        image = module.fromarray(((deep + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = need("PIL.Image", for_="reading images").new("RGBA", image.size, "white")
        paper.alpha_composite(image)
        image = paper
    return image.convert("L" if channels == "grey" else "RGB")
