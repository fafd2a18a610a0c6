"""From the options of a command to what the packages below take: pure sorting and parsing.

What a value may be is checked where it is used; here it is only read. Nothing is told on the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

from chainrule.data import names
from chainrule.data.pixels import SUFFIXES
from chainrule.errors import ArgumentError
from chainrule.train.settings import Settings

SETTINGS = {each.name for each in fields(Settings)} - {"data", "options"}
_UNITS = {"s": 1, "m": 60, "h": 3600}
OPTIONS = ("folder", "size", "channels", "bad_images", "label", "task", "samples", "noise")


def data_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `data.load` that were given, in its own terms."""
    given = {name: params[name] for name in OPTIONS if params.get(name) is not None}
    parse = {"size": _size, "label": _label, "folder": lambda path: str(Path(path).resolve())}
    return {
        name: parse[name](value) if name in parse else value.value if isinstance(value, Enum) else value
        for name, value in given.items()
    }


def settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, in the terms of `Settings`."""
    nothing = (None, [], ())  # an option that may be repeated and was not given is an empty list or tuple
    given = {name: value for name, value in params.items() if name in SETTINGS and value not in nothing}
    if "hidden" in given:
        given["hidden"] = _sizes(given["hidden"])
    if "augment" in given:
        given["augment"] = tuple(each for each in given["augment"] if each != "none")
    if "features" in given:
        given["features"] = tuple(given["features"])
    if given.get("penalty") == "none":
        given["penalty"] = ""
    return given


def duration(option: str, text: str) -> float:
    """Return the seconds of `90s`, `10m`, `1.5h`, or a plain number of seconds.

    >>> duration("--budget", "10m")
    600.0
    """
    try:
        seconds = float(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise ArgumentError(f"{option}: must be a time such as 90s, 10m or 1h, got {text!r}")
    return seconds


def fractions(text: str) -> tuple[float, ...]:
    """Return the shares of `1%,10%,100%` or `0.01,0.1,1`.

    >>> fractions("1%,100%")
    (0.01, 1.0)
    """
    try:
        found = [
            float(each.removesuffix("%")) / (100 if each.endswith("%") else 1)
            for each in (part.strip() for part in text.split(","))
        ]
    except ValueError:
        found = []
    if not found or not all(0 < each <= 1 for each in found):
        raise ArgumentError(f"--fractions: must be shares of the data, got {text!r}", hint="1%,10%,100%")
    return tuple(sorted(set(found)))


def source(data: str) -> str:
    """Return a path in full, so that a run is found again from anywhere; a name stays a name."""
    if not data or data.lower().replace("_", "-") in names():
        return data
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() else data


def is_picture_folder(data: str) -> bool:
    """Say whether `data` is a folder of pictures, which can be read in any size."""
    path = Path(data).expanduser()
    return path.is_dir() and any(each.suffix.lower() in SUFFIXES for each in path.rglob("*"))


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split(",") if size.strip() and text != "none")
    except ValueError:
        raise ArgumentError(
            f"--hidden: must be sizes with commas between, got {text!r}", hint="128,64"
        ) from None


def _size(text: str) -> int | list[int]:
    try:
        sides = [int(side) for side in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise ArgumentError(f"--size: must be one number or HEIGHTxWIDTH, got {text!r}", hint="64 or 48x64")
    return sides[0] if len(sides) == 1 else sides


def _label(text: str) -> str | int:
    return int(text) if text.lstrip("-").isdigit() else text
