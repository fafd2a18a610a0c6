"""Lost: gradients that are wanted from outside of a compiled function, through which none goes.

The results of a compiled function have no history. Where that would be noticed too late, as a
gradient of zeros, it is an error at the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.errors import TraceError


def refuse_lost(name: str, untouched: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Raise TraceError if a result depends on an argument whose gradient is wanted, but not taken inside."""
    wanted = {id(each): each for each in untouched if getattr(each, "requires_grad", False)}
    waiting = [each for each in outputs if wanted and getattr(each, "requires_grad", False)]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) in wanted:
            raise TraceError(
                f"{name}: a gradient of an argument is wanted, but none goes through a compiled function",
                hint="take it inside, as in cr.compile(cr.grad(f)), or give x.detach()",
            )
        if id(each) not in seen:
            seen.add(id(each))
            waiting += [source for source in each.inputs if getattr(source, "requires_grad", False)]
