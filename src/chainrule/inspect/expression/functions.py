"""What an expression may call: ops of numbers that have a gradient, by the names they have elsewhere.

No labels, indices, files or random bits can be reached from here.
"""

from __future__ import annotations

from functools import cache

from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY
from chainrule.ops import activation, arithmetic, elementary, reduce

_MODULES = {module.__name__ for module in (activation, arithmetic, elementary, reduce)}
# Functions that are no ops but made of them, and two ops from other modules.
_OTHERS = ("matmul", "dot", "outer", "clip", "transpose", "reshape")
# Of two things, these are gates of their own: the lecture's max(x, y).
_OF_TWO = {"max": "maximum", "min": "minimum"}


@cache
def functions() -> tuple[str, ...]:
    """Return the names of the functions that an expression may call."""
    found = [name for name, op in REGISTRY.items() if isinstance(op, Op) and _usable(op)]
    return tuple(sorted({*found, *_OTHERS}))


def _usable(op: Op) -> bool:
    return op.__module__ in _MODULES and op.differentiable and op.family != "opaque" and not op.variadic


def meant(name: str, count: int) -> str:
    """Return the op that `name` with `count` arguments stands for."""
    return _OF_TWO.get(name, name) if count == 2 else name
