"""Epilogue: stores over the space of a matrix product, written where its numbers are finished.

What a tile has in registers is used at once: an activation, a bias, the update of the weights whose
gradient it is. How the product is computed is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chainrule.compiler.cpu import ir, scalars
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.evaluation import Evaluation
from chainrule.compiler.cpu.product.matrix import APART, WHOLE, Spot, ask_for
from chainrule.compiler.cpu.scalars import Typed
from chainrule.compiler.nests.nest import Nest


@dataclass(frozen=True)
class Epilogue:
    """The finish of a product; the nest's loops are rows and columns. Operands: the nest's buffers."""

    nest: Nest

    def __repr__(self) -> str:
        return str(self.nest)

    @property
    def flops(self) -> int:
        """Operations on numbers."""
        return self.nest.flops

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return self.nest.bytes

    def cycles(self, lanes: int) -> float:
        """What operations and accesses take; numbers apart are accessed one by one."""
        operations, whole, apart = self._costs
        return operations + WHOLE * whole + APART * lanes * apart

    @cached_property
    def _costs(self) -> tuple[float, int, int]:
        """The cycles of operations, and how many accesses are to neighbours and to numbers apart."""
        across = self.nest.variables[-1]
        varied = [each for each in self.nest.terms if across in each.free]
        operations = sum(scalars.cycles(each.data[0]) for each in varied if each.kind == "apply")
        places = [each.place for each in self.nest.stores] + [t.data[1] for t in varied if t.kind == "load"]
        whole = sum(place.step(across) in (0, 1, -1) for place in places)
        return operations, whole, len(places) - whole

    def emit(
        self,
        code: Code,
        pointers: Sequence[ir.Value],
        value: ir.Value,
        at: Spot,
        *,
        lanes: int,
        mask: ir.Value | None,
    ) -> None:
        """Write the stores for some columns of a row."""
        here = self._there(code, pointers, at, lanes)
        here.mask = mask
        for each in self.nest.terms:
            if each.kind == "product":
                here.scopes[0][each] = Typed(value, each.dtype, False)
        here.store_all(self.nest.stores)

    def expect(self, code: Code, pointers: Sequence[ir.Value], at: Spot, columns: int) -> None:
        """Ask for what changes from row to row."""
        here = self._there(code, pointers, at, 1)
        loads = [each.data for each in self.nest.terms if each.kind == "load"]
        places: dict[Any, bool] = dict.fromkeys(loads, False)
        places |= {(each.buffer, each.place): True for each in self.nest.stores}
        bounds = {each.buffer: each.bound for each in self.nest.stores if each.bound is not None}
        down, across = self.nest.variables
        for (buffer, place), written in places.items():
            if place.step(down) and place.step(across) == 1:
                pointer, first = here.pointers[id(buffer)], here.places.plain(place)
                with code.only_if(here.places.within(*bounds[buffer])) if buffer in bounds else nullcontext():
                    ask_for(code, pointer, first, columns, buffer.dtype, written)

    def _there(self, code: Code, pointers: Sequence[ir.Value], at: Spot, lanes: int) -> Evaluation:
        here = Evaluation(code, self.nest.buffers, pointers, lanes)
        for variable, place in zip(self.nest.variables, (at.row, at.column), strict=True):
            here.enter(variable, place)
        if lanes > 1:
            here.places.lanes(self.nest.vector, lanes)
        return here
