"""Lost: what is wanted from outside of a compiled function, but does not come out of it.

Its results have no history, so that no gradient goes through it; and tensors in objects of classes that
nobody knows are no results. What would be noticed too late, or never, is an error at the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.core.stand_in import is_stand_in
from chainrule.core.tensor import Tensor
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


def refuse_hidden(name: str, outputs: Sequence[Any]) -> None:
    """Raise TraceError if a result is an object with computed tensors inside, which no run would change."""
    for each in outputs:
        inside = () if isinstance(each, (Tensor, type)) else getattr(each, "__dict__", {}).values()
        if any(isinstance(value, Tensor) and is_stand_in(value._data) for value in inside):
            raise TraceError(
                f"{name}: returns an object of class {type(each).__name__} with tensors inside",
                hint="return the tensors themselves, or a tuple, a dict or a dataclass of them",
            )
