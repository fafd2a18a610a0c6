"""Checkpoints: one file that holds everything a run needs to go on.

A nested state of arrays, numbers and words becomes one safetensors file: the arrays as tensors, the
rest as JSON beside them, with a checksum over both. The file appears under its name only when it
is complete, so a kill leaves the old state or the new one, never a mixture. Nothing is pickled, and
nothing in a file is believed before it is checked. What the state means is the caller's business.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, CheckpointError, need
from chainrule.train.files import write_file

_FORMAT, _VERSION = "chainrule checkpoint", 1
_ARRAY, _TUPLE, _ITEMS = "$array", "$tuple", "$items"


def save(path: str | Path, state: dict[str, Any]) -> None:
    """Write `state` to `path` in one step: the file is the old one until the new one is complete.

    `state` is made of dicts, lists, tuples, arrays, tensors, numbers, words and None. Raises
    CheckpointError, naming the file, where it cannot be written; what was there before stays.
    """
    arrays: dict[str, Array] = {}
    text = json.dumps(_packed(state, "", arrays))
    metadata = {
        "format": _FORMAT,
        "version": str(_VERSION),
        "state": text,
        "checksum": _checksum(text, arrays),
    }
    write_file(Path(path), _safetensors().save(arrays, metadata))


def load(path: str | Path) -> dict[str, Any]:
    """Return the state that `save` wrote, array by array and type by type as it was.

    Raises CheckpointError, naming the file, where it is missing, damaged, or something else.
    """
    path = Path(path)
    metadata, arrays = _read(path)
    if metadata.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path.name}: not a checkpoint of chainrule, but other tensors in the safetensors format",
            got=f"{len(arrays)} tensors: {', '.join(list(arrays)[:4])}",
            hint="weights alone go into a model by model.load_state_dict(...)",
        )
    if metadata.get("version") != str(_VERSION):
        raise CheckpointError(
            f"{path.name}: written in version {metadata.get('version')} of the checkpoint format;"
            f" this chainrule reads version {_VERSION}"
        )
    text = metadata.get("state", "")
    if metadata.get("checksum") != _checksum(text, arrays):
        raise _damaged(path, "its checksum does not fit its content")
    try:
        state = _unpacked(json.loads(text), arrays)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(state, dict):
        raise _damaged(path, "it holds no state")
    return state


def _read(path: Path) -> tuple[dict[str, str], dict[str, Array]]:
    safetensors = need("safetensors", for_="reading checkpoints")
    if not path.is_file():
        raise CheckpointError(f"{path.name}: there is no such checkpoint file", got=str(path))
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # whatever the reader stumbles over in a damaged or foreign file
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> CheckpointError:
    hint = "use an earlier checkpoint, or start the run again"
    if zipfile.is_zipfile(path):
        hint = (
            "a file of torch.save or np.savez: model.load_state_dict takes what torch.load or np.load gives"
        )
    return CheckpointError(
        f"{path.name}: damaged, or not a checkpoint ({why})",
        got=f"{path}, {path.stat().st_size} bytes",
        hint=hint,
    )


def _packed(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """Return `value` as JSON data, its arrays moved into `arrays` under their path."""
    if isinstance(value, Tensor | np.ndarray):
        array = value.data if isinstance(value, Tensor) else value
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise ArgumentError(
                f"checkpoint.save: {path} is an array of {array.dtype}, which has no plain form"
            )
        while path in arrays:  # as `a.b` and `b` inside of `a`
            path += "'"
        arrays[path] = np.array(array, array.dtype.newbyteorder("="), order="C")
        return {_ARRAY: path}
    if isinstance(value, dict):
        inner = {
            key: _packed(each, f"{path}.{key}" if path else str(key), arrays) for key, each in value.items()
        }
        plain = all(isinstance(key, str) and not key.startswith("$") for key in inner)
        return inner if plain else {_ITEMS: [[key, each] for key, each in inner.items()]}
    if isinstance(value, list | tuple):
        items = [_packed(each, f"{path}.{index}", arrays) for index, each in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ArgumentError(
        f"checkpoint.save: {path or 'state'} is a {type(value).__name__}, which has no plain form"
    )


def _unpacked(value: Any, arrays: dict[str, Array]) -> Any:
    if isinstance(value, list):
        return [_unpacked(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return arrays[value[_ARRAY]]
    if _TUPLE in value:
        return tuple(_unpacked(each, arrays) for each in value[_TUPLE])
    if _ITEMS in value:
        return {key: _unpacked(each, arrays) for key, each in value[_ITEMS]}
    return {key: _unpacked(each, arrays) for key, each in value.items()}


def _checksum(text: str, arrays: dict[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(np.require(array, requirements="C").tobytes())
    return digest.hexdigest()


def _safetensors() -> ModuleType:
    return need("safetensors.numpy", for_="writing checkpoints")
