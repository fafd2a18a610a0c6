"""A gate: one use of an op in a graph, or a leaf, with what is known on each of its edges.

A gate looks at the tensor that the engine recorded. `forward` computes that tensor's value anew from
its inputs; `backward` takes the gradient that has arrived from the output's side (upstream), and sends
upstream x local (downstream) to every input. A gate knows its inputs and nothing of the rest of the
graph; a gradient is shown when all of it has arrived, and never before.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from chainrule.core.backward import downstream, upstream
from chainrule.core.mode import no_grad
from chainrule.core.op import apply
from chainrule.core.registry import named
from chainrule.core.spec import Array, Shape, is_float
from chainrule.core.tensor import Tensor, tick
from chainrule.core.transform import vjp
from chainrule.errors import GraphError, IndexRangeError, ShapeError
from chainrule.inspect.explain import Card, card_of
from chainrule.inspect.local import Local


class Sweep:
    """Which reverse sweep is going on: gradients that belong to an earlier one are no longer shown."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def begin(self) -> None:
        """Forget all gradients."""
        self.number += 1


class Gate:
    """One point of a graph.

    `name` is unique in the graph, `op` is the op's name, or 'input' or 'constant' for a leaf,
    `inputs` are the gates it takes, in order, and `tensor` is what the engine recorded.
    """

    def __init__(self, tensor: Tensor, name: str, sweep: Sweep, kind: str = "input") -> None:
        self.tensor, self.name, self.shape = tensor, name, tensor.shape
        self.tracked = tensor.requires_grad  # whether gradients flow to this gate
        self.op: str = kind if tensor.op is None else tensor.op.name
        self.inputs: tuple[Gate, ...] = ()
        self.sources: tuple[Gate, ...] = ()  # as `inputs`, but never a closed box
        self.places: tuple[int, ...] = ()  # where each source stands among the op's arguments
        self.inside: list[Gate] = []  # what a closed box holds
        self.users: list[tuple[Gate, int]] = []  # the edges that leave, boxes opened
        self.fan_out = 0  # over how many edges gradients arrive
        self._sweep, self._swept, self._arrived = sweep, -1, 0
        self._total: Tensor | None = None
        self._sent: tuple[Array | None, ...] | None = None

    def connect(self, sources: tuple[Gate, ...], places: tuple[int, ...]) -> None:
        """Set the gates that this one takes as inputs."""
        self.sources, self.inputs, self.places = sources, sources, places
        for i, source in enumerate(sources):
            source.users.append((self, i))
            source.fan_out += source.tracked

    # ---- what is known ---------------------------------------------------------------------------
    @property
    def is_leaf(self) -> bool:
        """Whether no op made this: an input, a parameter or a constant."""
        return self.tensor.op is None

    @property
    def value(self) -> Array:
        """The value."""
        return self.tensor.data

    @property
    def upstream(self) -> Array | None:
        """The gradient of the graph's output by this value; None until all of it has arrived."""
        ready = self._total is not None and self._swept == self._sweep.number
        return self._total.data if ready and self._arrived == self.fan_out else None  # pyright: ignore

    @property
    def elementwise(self) -> bool:
        """Whether each number of the value depends on one number of every input."""
        return not self.is_leaf and self.tensor.op.family == "elementwise"

    def local(self, i: int) -> Array | Local | None:
        """Return d(this)/d(input i): an array of partials if elementwise, else an operator.

        The array has one partial for each number of the value. None if input i holds no real numbers
        (labels, indices). It needs no sweep: a local gradient knows nothing of the rest.
        """
        x = self._input(i).value
        if self.elementwise:
            dtype = x.dtype if is_float(x.dtype) else self.value.dtype
            wide = np.broadcast_to(np.asarray(x, dtype), self.value.shape)
            with np.errstate(all="ignore"):
                _, pull = vjp(partial(self.run, i), Tensor(wide))
            return pull(np.ones_like(self.value))[0].data
        if not is_float(x.dtype):
            return None
        label = f"of {self.name} by {self.inputs[i].name}"
        return Local(partial(self.run, i), x, self.value.shape, label)

    def downstream(self, i: int) -> Array | None:
        """Return upstream x local, in the shape of input i; None until `backward` has been here."""
        source = self._input(i)
        sent = self.sent()
        if sent is None:
            return None
        return sent[i] if source.tracked else self.product(i)

    def product(self, i: int) -> Array | None:
        """Return upstream times local, multiplied out; `downstream` is what the op's rule gives."""
        g, local = self.upstream, self.local(i)
        if g is None or local is None:
            return None
        if isinstance(local, Local):
            return g @ local
        return named("sum_to")(Tensor(g * local), shape=self.inputs[i].value.shape).data

    def sent(self) -> tuple[Array | None, ...] | None:
        """Return what this sweep's `backward` sent to each input, None before it."""
        return self._sent if self._swept == self._sweep.number else None

    def explain(self) -> Card:
        """Return the gate's card: formula, values and gradients, as text, as a page, as JSON."""
        return card_of(self)

    # ---- what is done ----------------------------------------------------------------------------
    def forward(self) -> Array:
        """Compute the value anew from the inputs' values, and return it; gradients are forgotten.

        Sizes are part of what was recorded (a mean divides by one), so a leaf must keep its shape.
        """
        self._sweep.begin()
        if self.is_leaf:
            self.check_shape(self.tensor.shape)
        else:
            _recompute(self.tensor)
        return self.value

    def check_shape(self, shape: Shape) -> None:
        """Raise ShapeError unless `shape` is the one that was recorded."""
        if shape != self.shape:
            raise ShapeError(
                f"forward: {self.name!r} has shape {self.shape} in this graph, but {shape} was given",
                hint="compute the output again, and make a new graph of it",
            )

    def backward(self, gradient: Any = None) -> None:
        """Send upstream x local to every input; on the graph's output this begins a new sweep.

        `gradient` is the output's own upstream gradient: ones for a single value unless given. The
        tensor's `.grad` is set (not added to). Raises GraphError where upstream is not complete.
        """
        if not self.tracked:
            return
        if self.fan_out == 0:
            self._begin(gradient)
        elif gradient is not None:
            raise GraphError(f"backward: {self.name!r} is not the output, so it takes no gradient")
        if self.upstream is None or self._total is None:
            missing = self.fan_out - (self._arrived if self._swept == self._sweep.number else 0)
            raise GraphError(
                f"backward: {self.name!r} still waits for {missing} of {self.fan_out} upstream gradient(s)",
                hint="run the gates from the output back: "
                "for gate in reversed(graph.nodes_topologically_sorted()): gate.backward()",
            )
        if self.sent() is None:
            g = self._total.data
            self.tensor.grad = Tensor(g.copy() if self.is_leaf else g)  # a leaf's is its user's own
            self._send(self._total)

    def run(self, i: int, value: Tensor) -> Tensor:
        """Return this gate's output if input i were `value` and all others as they are."""
        inputs = [each.detach() if isinstance(each, Tensor) else each for each in self.tensor.inputs]
        inputs[self.places[i]] = value
        return apply(self.tensor.op, inputs, self.tensor.params)

    def _begin(self, gradient: Any) -> None:
        start = upstream(self.tensor, gradient)
        self._sweep.begin()
        self._swept, self._arrived, self._sent = self._sweep.number, 0, None
        self._total = start.detach()

    def _send(self, g: Tensor) -> None:
        node = self.tensor
        needs = [False] * len(node.inputs)
        for source, place in zip(self.sources, self.places, strict=True):
            needs[place] = source.tracked
        sent: list[Array | None] = []
        with no_grad(), np.errstate(all="ignore"):
            given = downstream(node, g, needs) if node.op is not None else ()
            for source, place in zip(self.sources, self.places, strict=True):
                down = given[place]
                if source.tracked:
                    down = Tensor(np.zeros(source.value.shape, source.value.dtype)) if down is None else down
                    source.receive(down)
                sent.append(None if down is None else down.data)
        self._sent = tuple(sent)

    def receive(self, g: Tensor) -> None:
        """Take one more upstream gradient; where a value branches, they add up."""
        if self._swept != self._sweep.number:
            self._swept, self._arrived, self._sent, self._total = self._sweep.number, 0, None, None
        self._total = g if self._total is None else named("add")(self._total, g)
        self._arrived += 1

    def _input(self, i: int) -> Gate:
        if not 0 <= i < len(self.inputs):
            raise IndexRangeError(f"{self.name}: there is no input {i}, it has {len(self.inputs)}")
        return self.inputs[i]

    def __repr__(self) -> str:
        g = self.upstream
        return f"<gate {self.name}: value {shown(self.value)}, upstream {shown(g)}>"


def shown(array: Array | None) -> str:
    """Return a few numbers in full, else shape and dtype; 'not yet computed' for None."""
    if array is None:
        return "not yet computed"
    if array.size > 6:
        return f"{array.shape} {array.dtype}"
    return np.array2string(array, precision=4, separator=", ").replace("\n", "")


def _recompute(node: Tensor) -> None:
    """Replace the value of a recorded tensor by the one that its inputs now give."""
    with no_grad():
        value = apply(node.op, node.inputs, node.params).data.view()
    value.setflags(write=False)
    node._data, node.mutated = value, tick()
