"""Ahead: the rows of an epoch's next batch, asked for while the present one is computed.

The rows of a batch lie anywhere in the data, and mostly in main memory. A product that takes long asks
for some of their lines at each of its tiles, so that `Gather` finds them in the second cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code, constant
from chainrule.compiler.cpu.schedule import Call
from chainrule.compiler.cpu.target import Target
from chainrule.core.memory import LINE

_LEAST, _MOST = 1 << 14, 1 << 19  # bytes that are worth it, and that stay in the second cache meanwhile


@dataclass(frozen=True)
class Ahead:
    """Rows that a gather will want. Operands: its source, and the order from the next batch on."""

    rows: int
    width: int
    operands: ClassVar[int] = 2

    def ask(self, code: Code, operands: Sequence[ir.Value], turn: ir.Value, turns: int) -> None:
        """Ask for what falls to one of so many turns."""
        source, order = operands
        builder, whole = code.builder, -(-self.width // LINE)
        lines = -(-whole // max(1, turns // self.rows))  # at a time
        pieces = -(-whole // lines)  # of a row
        shares = self.rows * pieces
        each = -(-shares // turns)
        first = builder.mul(turn, constant(each))
        end = code.call("llvm.smin", [builder.add(first, constant(each)), constant(shares)])
        with code.loop(first, end, name="share") as share:
            row = code.load(order, builder.udiv(share, constant(pieces)), np.int64)
            begin = builder.mul(builder.urem(share, constant(pieces)), constant(lines * LINE))
            here = code.at(source, builder.add(builder.mul(row, constant(self.width)), begin), np.int8)
            with code.loop(0, lines * LINE, LINE, "line") as line:
                code.prefetch(here, line, np.int8, far=True)


@dataclass(frozen=True)
class _Asking:
    """What the code of a product that asks ahead is written from."""

    product: Any
    ahead: Ahead

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill the function of the product."""
        self.product.emit(function, target, self.ahead)


def meanwhile(kernel: Any, ahead: Ahead) -> Any:
    """Return a product, known by its key, as one that asks ahead; its operands stand before the new ones."""
    key = f"{kernel.key} {ahead}"
    return replace(kernel, key=key, write=lambda: _Asking(kernel.write(), ahead))


def asking(calls: Sequence[Call], gathers: Sequence[Call]) -> list[Call]:
    """Return the calls; a long product near their end asks for what the longest gather wants next."""
    gather = max(gathers, key=lambda call: call.kernel.bytes)
    rows, width = gather.kernel.rows, gather.kernel.width
    products = [i for i, call in enumerate(calls) if call.kernel.name == "product" and call.parts > 1]
    longest = max((calls[i].kernel.flops for i in products), default=0)
    place = max((i for i in products if 2 * calls[i].kernel.flops >= longest), default=len(calls))
    behind = sum(call.kernel.bytes for call in calls[place + 1 :])
    if not products or rows * width < _LEAST or rows * width + behind > _MOST:
        return list(calls)
    source, order, _ = gather.operands
    call, after = calls[place], replace(order, offset=order.offset + order.step)
    kernel = meanwhile(call.kernel, Ahead(rows, width))
    asks = Call(kernel, (*call.operands, source, after), call.writes)
    return [*calls[:place], asks, *calls[place + 1 :]]
