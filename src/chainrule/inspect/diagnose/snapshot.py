"""One iteration measured: every layer, activation and parameter behind a loss, in numbers.

Call after `loss.backward()` and before the update, so that values, gradients and parameters belong
together. A layer is what a weight of two or more axes goes into; its output is the last thing its
module computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.core.backward import reachable
from chainrule.core.mode import module_path
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.inspect.diagnose.activation import character, off_units, saturated, steepness
from chainrule.inspect.diagnose.origin import Origin, find_origin
from chainrule.inspect.recording import Names

_QUANTILES = np.linspace(0.0, 1.0, 33)


@dataclass(frozen=True)
class Layer:
    """The output of a layer: its numbers' mean, spread and size, and the norm of its gradient.

    `spread` is the standard deviation over samples, in the mean over units; `quantiles` are 33 of
    the values, evenly spaced in rank.
    """

    name: str
    op: str
    mean: float
    spread: float
    size: float
    gradient: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Activation:
    """The units of an activation: which were off for all samples, and the share that saturated."""

    name: str
    op: str
    off: Array
    saturated: float
    samples: int
    mean: float
    spread: float

    @property
    def dead(self) -> float:
        """The share of units that were off for all samples."""
        return float(self.off.mean()) if self.off.size else 0.0


@dataclass(frozen=True)
class Weight:
    """A parameter: its norm, and that of its gradient (None: there is none)."""

    name: str
    axes: int
    norm: float
    gradient: float | None
    frozen: bool
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Snapshot:
    """One iteration."""

    loss: float
    layers: tuple[Layer, ...]
    activations: tuple[Activation, ...]
    weights: tuple[Weight, ...]
    origin: Origin | None


def take_snapshot(loss: Tensor, parameters: Mapping[str, Tensor]) -> Snapshot:
    """Measure the graph behind `loss`, whose gradients are there; `parameters` are its leaves by name."""
    graph = [node for node in reachable(loss) if node.op is not None]
    with np.errstate(all="ignore"):
        return Snapshot(
            float(loss.data),
            tuple(_layers(graph, parameters)),
            tuple(_activations(graph)),
            tuple(_weight(name, each) for name, each in parameters.items()),
            find_origin(loss, parameters),
        )


def _layers(graph: list[Tensor], parameters: Mapping[str, Tensor]) -> list[Layer]:
    weights = {id(each): name for name, each in parameters.items() if each.ndim > 1}
    last = {module_path(node.scope): node for node in graph}
    names, found = Names(), list[Layer]()
    for node in graph:
        weight = next((weights[id(each)] for each in node.inputs if id(each) in weights), None)
        if weight is not None and node.ndim:
            path = module_path(node.scope)
            output = last[path] if path else node
            found.append(_layer(names.unique(path or weight), node.op.name, output))
    return found


def _layer(name: str, op: str, node: Tensor) -> Layer:
    values = node.data.astype(np.float64)
    gradient = 0.0 if node.grad is None else float(np.linalg.norm(node.grad.data.astype(np.float64)))
    return Layer(
        name, op, *_mean_and_spread(values), float(np.sqrt(np.mean(values**2))) if values.size else 0.0,
        gradient, _quantiles(values),
    )  # fmt: skip


def _mean_and_spread(values: Array) -> tuple[float, float]:
    if not values.size:
        return 0.0, 0.0
    return float(values.mean()), float(values.std(axis=0).mean())


def _quantiles(values: Array) -> tuple[float, ...]:
    good = values[np.isfinite(values)]
    return tuple(np.quantile(good, _QUANTILES).tolist()) if good.size else ()


def _activations(graph: list[Tensor]) -> list[Activation]:
    names, found = Names(), list[Activation]()
    for node in graph:
        kind = character(node) if node.ndim >= 2 and node.size else None
        if kind is not None:
            share = steepness(node, kind)
            path = module_path(node.scope)
            name = names.unique(path or node.name or node.op.name)
            mean, spread = _mean_and_spread(node.data.astype(np.float64))
            found.append(
                Activation(
                    name, node.op.name, off_units(share), saturated(share, kind), len(node), mean, spread
                )
            )
    return found


def _weight(name: str, parameter: Tensor) -> Weight:
    values = parameter.data.astype(np.float64)
    gradient = None if parameter.grad is None else float(np.linalg.norm(parameter.grad.data))
    return Weight(
        name, parameter.ndim, float(np.linalg.norm(values)), gradient, not parameter.requires_grad,
        _quantiles(values),
    )  # fmt: skip
