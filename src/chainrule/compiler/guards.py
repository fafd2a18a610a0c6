"""Guards: what a program was seen to depend on besides its arguments, compared before every run.

Modes of modules, options, parameters and state of optimisers, gradients that are there or not, and
which captured tensors are tracked. It is asked at every call, so the comparisons are written out as
one expression. What happens when something is not as it was is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from chainrule.core.program import Program
from chainrule.core.tensor import Tensor
from chainrule.core.trace import Trace
from chainrule.core.watched import Watched, Which

GONE = LookupError, TypeError, ValueError  # what `test` raises where what it looks at is not there any more
_HOLD = """def hold():
    try:
        return {}
    except GONE:
        return False
"""


class Guards:
    """What held while a function was traced; `hold` tells whether it still does.

    So does `test`, the same as an expression of Python, where `names` are known: it may raise one of GONE.
    """

    def __init__(self, trace: Trace, program: Program, captured: Sequence[Tensor]) -> None:
        self._tests: list[str] = []
        self.names: dict[str, Any] = {"GONE": GONE}
        for owner, name, value, _ in trace.guards:
            self._compare(owner, name, value)
        for since in trace.attributes.comparisons():
            name = self._named(since)
            self._tests.append(f"({self._named(since.changes)}.last is {name}.last or {name}.hold())")
        for items, count in trace.lists.values():
            self._tests.append(f"len({self._named(items)}) == {count}")
        for owner, key, value in trace.kept.values():
            self._tests.append(f"{self._item(owner, key)} is {self._named(value)}")
        for leaf, there in trace.present():
            self._tests.append(f"{self._named(leaf)}._grad is {'not ' if there else ''}None")
        for tensor in {id(tensor): tensor for tensor in captured}.values():
            self._compare(tensor, "requires_grad", tensor.requires_grad)
        parameters = {
            value.which
            for step in program.equations
            for value in step.params.values()
            if isinstance(value, Watched)
        }
        free = parameters - trace.notes.values
        for group, options in trace.groups.values():
            self._options(group, options, free, free & trace.notes.truths)
        self.test = " and ".join([*self._tests, "True"])
        exec(compile(_HOLD.format(self.test), "<guards>", "exec"), self.names)
        self.hold: Callable[[], bool] = self.names["hold"]

    def _compare(self, owner: Any, attribute: str, value: Any) -> None:
        one = value is None or isinstance(value, (bool, Tensor)) or hasattr(value, "state_dict")
        sign = "is" if one else "=="
        self._tests.append(f"{self._named(owner)}.{attribute} {sign} {self._named(value)}")

    def _options(
        self, group: dict[str, Any], options: dict[str, Any], free: set[Which], asked: set[Which]
    ) -> None:
        """Compare options: those that are `free` not at all, or whether they are 0 where that was `asked`."""
        same: list[tuple[str, Any]] = []
        for key, value in options.items():
            item, one = self._item(group, key), (id(group), key, None)
            parts = [(item, one, value)]
            if isinstance(value, (tuple, list)):
                known = enumerate(cast("list[Any]", value))
                several = [(f"{item}[{i}]", (id(group), key, i), part) for i, part in known]
                parts = several if any(which in free for _, which, _ in several) else parts
            same += [(text, part) for text, which, part in parts if which not in free]
            truths = [(text, part) for text, which, part in parts if which in asked]
            self._tests += [f"{text} {'!=' if part else '=='} 0" for text, part in truths]
        if same:
            now = ", ".join(text for text, _ in same)
            self._tests.append(f"({now},) == {self._named(tuple(part for _, part in same))}")

    def _item(self, owner: Any, key: Any) -> str:
        return f"{self._named(owner)}[{repr(key) if key.__class__ in (int, str) else self._named(key)}]"

    def _named(self, value: Any) -> str:
        name = f"guard{len(self.names)}"
        self.names[name] = value
        return name
