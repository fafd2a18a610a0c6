"""Whether the parts of a training fit together, said before its first batch.

A network, a loss, an optimiser and a schedule are made apart, so each can be of the wrong kind, a class
in place of an object, or belong to another network: that trains nothing, and says nothing.
"""

from __future__ import annotations

from typing import Any

from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, GraphError
from chainrule.nn import Module
from chainrule.optim import Optimizer

_MADE_FOR = "an optimiser is made for one network: optim.Adam(model.parameters())"
_FUNCTIONS = {"loss": "nn.functional.cross_entropy or nn.CrossEntropyLoss()", "penalty": "optim.L2(1e-4)"}


def check_parts(model: Any, loss: Any, optimizer: Any, penalty: Any, schedule: Any) -> None:
    """Raise ArgumentError where a part of a trainer is not what it must be, or not for this model."""
    if not isinstance(model, Module):
        raise _wrong("model", "a module", model, "nn.Sequential(...), or a subclass of nn.Module")
    if not isinstance(optimizer, Optimizer):
        raise _wrong("optimizer", "an optimiser", optimizer, _MADE_FOR)
    for name, part in (("loss", loss), ("penalty", penalty)):
        optional = name == "penalty" and part is None
        if isinstance(part, type) or not (optional or callable(part)):
            raise _wrong(name, "a function", part, _FUNCTIONS[name])
    own = {id(each) for each in model.parameters()}
    if own and not any(id(each) in own for group in optimizer.param_groups for each in group["params"]):
        raise ArgumentError(
            f"Trainer: {optimizer.name} holds no parameter of the model, so nothing would be trained",
            hint=_MADE_FOR,
        )
    if schedule is not None and not callable(getattr(schedule, "step", None)):
        raise _wrong("schedule", "a schedule", schedule, "optim.lr_scheduler.LambdaLR(optimizer, function)")
    if getattr(schedule, "optimizer", optimizer) is not optimizer:
        raise ArgumentError(
            "Trainer: the schedule belongs to another optimiser, whose rates it would change",
            hint=f"{type(schedule).__name__}(optimizer, ...)",
        )


def check_trainable(optimizer: Optimizer) -> None:
    """Raise ArgumentError where an optimiser has nothing to change."""
    if not any(each.requires_grad for group in optimizer.param_groups for each in group["params"]):
        raise ArgumentError(
            f"fit: all parameters that {optimizer.name} holds are frozen, so nothing would be trained",
            hint="layer.requires_grad_(True), on what is to be trained",
        )


def check_watchers(watchers: Any) -> None:
    """Raise ArgumentError unless `watchers` is a list of objects that can be told what happens."""
    listed = isinstance(watchers, list | tuple)
    for watcher in watchers if listed else [watchers]:
        if not listed or not all(callable(getattr(watcher, name, None)) for name in ("iteration", "epoch")):
            raise ArgumentError(
                f"fit: watchers must be a list of watchers, got {_shown(watcher)}",
                hint="[watcher], an object with the methods iteration(trainer) and epoch(trainer, evaluated)",
            )


def computed(value: Any, what: str, hint: str) -> Tensor:
    """Return what a network or a loss gave, or raise GraphError if it is no tensor."""
    if not isinstance(value, Tensor):
        raise GraphError(f"Trainer: {what} returned {_shown(value)}, not a tensor", hint=hint)
    return value


def _wrong(name: str, needed: str, part: Any, hint: str) -> ArgumentError:
    return ArgumentError(f"Trainer: {name} must be {needed}, got {_shown(part)}", hint=hint)


def _shown(value: Any) -> str:
    """Return a short name of any object; a class is told apart from what it makes."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
