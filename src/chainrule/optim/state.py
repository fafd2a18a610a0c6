"""The state of an optimiser as plain arrays and numbers, out and back in.

Parameters are known by their place in the list of all groups' parameters, as in PyTorch. Nothing
is written before everything has been found to fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.core import memory
from chainrule.core.tensor import Tensor
from chainrule.errors import CheckpointError
from chainrule.optim.groups import Group


def collect(groups: Sequence[Group], state: Mapping[Tensor, Mapping[str, Tensor]]) -> dict[str, Any]:
    """Return `{"state": {place: {slot: array}}, "param_groups": [...]}`, all copies."""
    places: dict[int, int] = {id(p): place for place, p in enumerate(_parameters(groups))}
    arrays = {
        places[id(p)]: {slot: each.data.copy() for slot, each in slots.items()} for p, slots in state.items()
    }
    plain = [{**group, "params": [places[id(p)] for p in group["params"]]} for group in groups]
    return {"state": arrays, "param_groups": plain}


def restore(
    name: str,
    groups: Sequence[Group],
    state: dict[Tensor, dict[str, Tensor]],
    saved: Mapping[str, Any],
) -> None:
    """Write a collected state back; arrays that are there already keep their place in memory."""
    options, arrays = _checked_groups(name, groups, saved), _checked_arrays(name, groups, saved)
    for group, given in zip(groups, options, strict=True):
        group.update({key: _frozen(value) for key, value in given.items() if key != "params"})
    for p in list(state):
        if id(p) not in {id(each) for each, _ in arrays}:
            del state[p]
    for p, slots in arrays:
        known = state.setdefault(p, {})
        for slot in [slot for slot in known if slot not in slots]:
            del known[slot]
        for slot, array in slots.items():
            if slot in known:
                known[slot].assign(array)
            else:
                known[slot] = Tensor(memory.copied(array))


def _parameters(groups: Sequence[Group]) -> Iterator[Tensor]:
    for group in groups:
        yield from group["params"]


def _frozen(value: Any) -> Any:
    """Pairs that a file has turned into lists become tuples again."""
    return tuple(value) if isinstance(value, list) else value


def _checked_groups(name: str, groups: Sequence[Group], saved: Mapping[str, Any]) -> list[Group]:
    if not {"state", "param_groups"} <= set(saved):
        raise CheckpointError(f"{name}: a state_dict holds 'state' and 'param_groups', got {sorted(saved)}")
    given: list[Group] = saved["param_groups"]
    sizes, wanted = ([len(group["params"]) for group in each] for each in (given, groups))
    if sizes != wanted:
        raise CheckpointError(
            f"{name}: saved for groups of {sizes} parameters, but this one has groups of {wanted}",
            hint="make the optimiser with the same groups before loading",
        )
    for number, (group, own) in enumerate(zip(given, groups, strict=True)):
        missing = sorted(set(own) - set(group) - {"name", "initial_lr"})
        if missing:
            raise CheckpointError(
                f"{name}: saved group {number} has no option {missing[0]!r}",
                hint="was it saved by another kind of optimiser?",
            )
    return given


def _checked_arrays(
    name: str, groups: Sequence[Group], saved: Mapping[str, Any]
) -> list[tuple[Tensor, dict[str, Any]]]:
    """Return the saved slots with their parameters, found to have the right shapes."""
    parameters = list(_parameters(groups))
    found: list[tuple[Tensor, dict[str, Any]]] = []
    for key, slots in saved["state"].items():
        place = int(key) if str(key).isdigit() else -1  # JSON makes keys text
        if not 0 <= place < len(parameters):
            raise CheckpointError(f"{name}: state of parameter {key}, but there are {len(parameters)}")
        p = parameters[place]
        arrays = {slot: np.asarray(value) for slot, value in slots.items()}
        for slot, array in arrays.items():
            wanted = () if slot == "step" else p.shape
            if array.shape != wanted:
                raise CheckpointError(
                    f"{name}: {slot} of parameter {place} has shape {array.shape}, needs {wanted}"
                )
        found.append((p, {k: a if k == "step" else a.astype(p.dtype) for k, a in arrays.items()}))
    return found
