"""Guards: what a program was seen to depend on besides its arguments, compared before every run.

Modes of modules, options, parameters and state of optimisers, gradients that are there or not, and
which captured tensors are tracked. It is asked at every call, so the comparisons are written out as
one function. What happens when something is not as it was is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from chainrule.core.program import Program
from chainrule.core.tensor import Tensor
from chainrule.core.trace import Trace, Watched

_HOLD = """def hold():
    try:
        return {}
    except (LookupError, TypeError):  # what was looked at is gone
        return False
"""


class Guards:
    """What held while a function was traced; `hold` tells whether it still does."""

    def __init__(self, trace: Trace, program: Program, captured: Sequence[Tensor]) -> None:
        self._tests: list[str] = []
        self._names: dict[str, Any] = {}
        for owner, name, value in trace.guards:
            self._compare(owner, name, value)
        for items, count in trace.lists.values():
            self._tests.append(f"len({self._named(items)}) == {count}")
        for owner, key, value in trace.kept.values():
            self._tests.append(f"{self._item(owner, key)} is {self._named(value)}")
        for leaf, there in trace.present():
            self._tests.append(f"{self._named(leaf)}._grad is {'not ' if there else ''}None")
        for tensor in {id(tensor): tensor for tensor in captured}.values():
            self._compare(tensor, "requires_grad", tensor.requires_grad)
        used = {
            (id(value.owner), value.key)
            for step in program.equations
            for value in step.params.values()
            if isinstance(value, Watched)
        }
        for group, options in trace.groups:
            if kept := [key for key, v in options.items() if (id(group), key) not in used or not v]:
                found = itemgetter(*kept)
                self._tests.append(f"{self._named(_same(group, found, found(options)))}()")
        text = _HOLD.format(" and ".join([*self._tests, "True"]))
        exec(compile(text, "<guards>", "exec"), self._names)
        self.hold: Callable[[], bool] = self._names["hold"]

    def _compare(self, owner: Any, attribute: str, value: Any) -> None:
        sign = "is" if value is None or isinstance(value, bool) else "=="
        self._tests.append(f"{self._named(owner)}.{attribute} {sign} {self._named(value)}")

    def _item(self, owner: Any, key: Any) -> str:
        return f"{self._named(owner)}[{repr(key) if key.__class__ in (int, str) else self._named(key)}]"

    def _named(self, value: Any) -> str:
        name = f"guard{len(self._names)}"
        self._names[name] = value
        return name


def _same(group: dict[str, Any], of: Callable[[Any], Any], values: Any) -> Callable[[], bool]:
    """Return a function that tells whether options of a group are as they were."""

    def same() -> bool:
        try:
            return of(group) == values
        except KeyError:  # an option is gone
            return False

    return same
