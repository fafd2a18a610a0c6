"""Reuse: which values are worth a place in memory, and which are computed anew by each reader.

Computing a few numbers again in registers is cheaper than a trip to memory and back, so cheap values
and values with one reader are written out where they are read. Sums and extremes are kept, unless
one row of them is read right away; so are values that a product needs as a matrix.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule.compiler.nests.element import Elements
from chainrule.compiler.nests.index import loop, variable
from chainrule.compiler.nests.work import work
from chainrule.core.families.elementwise import Elementwise
from chainrule.core.families.movement import Transposed
from chainrule.core.program import Equation, Program, Value, Write

_SMALL, _LARGE = 6, 60  # the work, in operations an element, that is worth memory: in a cache, and beyond
_CACHED = 1 << 17  # bytes
_ROW = 4096  # items of a row that is reduced where its result is read
_CHAIN = 400  # what one element may cost at most, written out
_DEEPEST = 60  # ops in a row that are written out: what handles them calls itself for each


class Reuse:
    """What a program reads where, and what each value costs."""

    def __init__(self, program: Program) -> None:
        self.results = {id(value) for value in program.results}
        self.readers: dict[int, list[int]] = {}
        self.steps = program.steps
        for place, step in enumerate(program.steps):
            for value in step.reads:
                self.readers.setdefault(id(value), []).append(place)
        self._last = {key: places[-1] for key, places in self.readers.items()}
        self.written: dict[int, list[int]] = {}  # by id of a captured value: where it is changed
        for place, step in enumerate(program.steps):
            if isinstance(step, Write):
                self.written.setdefault(id(step.target), []).append(place)
        self._cost: dict[int, float] = {}
        self._depth: dict[int, int] = {}
        self._roots: dict[int, frozenset[int]] = {id(v): frozenset([id(v)]) for v in program.captured}
        self._homes: dict[int, frozenset[int]] = {}  # by id of a value: the captured arrays it is put into
        for step in program.steps:
            if isinstance(step, Write):
                known = self._homes.get(id(step.value), frozenset[int]())
                self._homes[id(step.value)] = known | {id(step.target)}

    def wanted(self, value: Value) -> bool:
        """Tell whether anything reads a value."""
        return id(value) in self.readers or id(value) in self.results

    def read_at(self, place: int, value: Value) -> None:
        """Note that a value is read at a place by more than the steps that name it."""
        self._last[id(value)] = max(place, self._last.get(id(value), place))

    def keep(self, place: int, step: Equation, elements: Elements) -> bool:
        """Decide whether the result of a step is stored."""
        value = step.output
        cost, roots = self._costs(step, elements)
        deeper = 6 if step.op.family == "movement" else 1  # indices of indices grow fast
        depth = deeper + max((self._depth.get(id(each), 0) for each in step.reads), default=0)
        kept = (
            id(value) in self.results
            or self._outlives(place, value, roots)
            or cost > _CHAIN
            or depth > _DEEPEST
            or self._asked_for(step, elements)
            or self._worth(step, cost, elements)
        )
        self._cost[id(value)] = 1.0 if kept else cost
        self._depth[id(value)] = 0 if kept else depth
        self._roots[id(value)] = frozenset() if kept else roots | self._homes.get(id(value), frozenset())
        return kept

    def outlives(self, place: int, value: Value) -> bool:
        """Tell whether a value is read after `place`, or is a state that is a result as it was."""
        returned = value.kind == "captured" and id(value) in self.results
        return returned or self._last.get(id(value), -1) > place

    def _costs(self, step: Equation, elements: Elements) -> tuple[float, frozenset[int]]:
        cost, roots = 0.0, frozenset[int]()
        for value in step.reads:
            cost += self._cost.get(id(value), 1.0)
            roots |= self._roots.get(id(value), frozenset())
        if step.op.family == "elementwise":
            op: Any = step.op
            assert isinstance(op, Elementwise)
            cost += work(op.meaning(**step.params))
        return cost, roots

    def _outlives(self, place: int, value: Value, roots: frozenset[int]) -> bool:
        """Tell whether a value is read after something that it is made of has changed."""
        last = self._last.get(id(value), 0)
        return any(place < change < last for root in roots for change in self.written.get(root, ()))

    def _asked_for(self, step: Equation, elements: Elements) -> bool:
        """Tell whether a kernel of its own kind reads what a step computes, as it is or in another shape."""
        computes = step.output.spec.dtype.kind == "f" and step.op.family != "movement"
        return computes and self._goes_to_kernel(step.output, elements)

    def _goes_to_kernel(self, value: Value, elements: Elements) -> bool:
        for reader in self.readers.get(id(value), ()):
            step = self.steps[reader]
            if not isinstance(step, Equation):
                continue
            if step.op.family == "contraction" or step.op.name in ("placed", "cumsum"):
                return True
            # Stored in its own shape, the other one is a view; images side by side are copied anyway.
            if step.op.name == "reshape" and not elements.spread(value):
                if self._goes_to_kernel(step.output, elements):
                    return True
        return False

    def _worth(self, step: Equation, cost: float, elements: Elements) -> bool:
        value = step.output
        if step.op.family == "movement":
            at = tuple(loop(variable(f"o{axis}", s)) for axis, s in enumerate(value.spec.shape))
            return isinstance(step.op, Transposed) and elements.computed(value, at).kind == "fold"
        size = math.prod(value.spec.shape)
        folds = step.op.family in ("reduction", "contraction") or step.op.name in (
            "sum_to", "first_place", "argmax", "argmin",
        )  # fmt: skip
        if folds:
            return not self._row(step)
        readers = [self.steps[place] for place in self.readers[id(value)]]
        times = 0.0
        for reader in readers:
            ratio = 1.0
            if isinstance(reader, Equation) and reader.op.family in ("elementwise", "movement"):
                ratio = max(1.0, math.prod(reader.output.spec.shape) / max(size, 1))
            times += min(ratio, 8.0)
        bytes_ = size * value.spec.dtype.itemsize
        return (times - 1) * cost > (_SMALL if bytes_ <= _CACHED else _LARGE)

    def _row(self, step: Equation) -> bool:
        """Tell whether a fold is best computed by its reader: rows, each read along itself once."""
        value = step.output
        readers = self.readers[id(value)]
        if len(readers) != 1 or len(step.reads) != 1 or step.op.name in ("first_place", "argmax", "argmin"):
            return False
        shape, source = value.spec.shape, step.reads[0].spec.shape
        reader: Any = self.steps[readers[0]]
        if isinstance(reader, Equation) and reader.op.name == "reshape":
            shape, readers = reader.output.spec.shape, self.readers.get(id(reader.output), ())
            reader = self.steps[readers[0]] if len(readers) == 1 else None
        items = math.prod(source) // max(math.prod(shape), 1)
        if items > _ROW or not isinstance(reader, Equation) or reader.op.family != "elementwise":
            return False
        return math.prod(shape) > 1 and shape == (*source[:-1], 1)
