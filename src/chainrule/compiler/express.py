"""Express: the usual call of a program, written out as one Python function.

Once a program has run, all that a like call has to do is known: which attributes to compare, where
each argument goes, what is called. Written out it takes a third of what looking it up takes each
time. What else is to be done with results is the plan's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.compiler.guards import Guards
from chainrule.compiler.step import Step
from chainrule.core.mode import mode
from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor

MISS = object()  # what `call` returns where it has done nothing
_PLAIN = (
    "if type({0}) is not ndarray:",
    "    if type({0}) is not Tensor or {0}.requires_grad:",
    "        return MISS",
    "    {0} = {0}._data",
)
_SAME = "a{0}.dtype is dtype{0} and a{0}.shape == shape{0}"


class Express:
    """`call(args, watched)` runs a program on arrays like `examples`, or returns MISS.

    It holds for the captured arrays that were last told by `pin`. `finish` makes of the results and of
    `watched` what is returned; None where that is the only result, as a new tensor.
    """

    def __init__(
        self, examples: Sequence[Array], captured: Sequence[Tensor], guards: Guards, step: Step,
        finish: Callable[..., Any] | None,
    ) -> None:  # fmt: skip
        self._names: dict[str, Any] = {
            "MISS": MISS, "mode": mode, "recording": mode.recording, "Tensor": Tensor, "ndarray": np.ndarray,
            "around": Tensor._around, "finish": finish, **guards.names,
        }  # fmt: skip
        for place, each in enumerate(examples):
            self._names |= {f"dtype{place}": each.dtype, f"shape{place}": each.shape}
        pinned = [f"captured{place}._data is array{place}" for place in range(len(captured))]
        self._names |= {f"captured{place}": tensor for place, tensor in enumerate(captured)}
        arguments = [f"a{place}" for place in range(len(examples))]
        lines = [f"if len(args) != {len(examples)} or mode.recording is not recording:", "    return MISS"]
        lines += [f"{', '.join(arguments)}, = args"] * bool(arguments)
        lines += [line.format(each) for each in arguments for line in _PLAIN]
        same = [_SAME.format(place) for place in range(len(examples))]
        tests = " and ".join([*same, *pinned, guards.test])
        lines += ["try:", f"    if not ({tests}):", "        return MISS", "except GONE:", "    return MISS"]
        lines += step.written_out(self._names)
        lines += ["return around(found[0][0])" if finish is None else "return finish(found, watched)"]
        text = "\n    ".join(["def call(args, watched):", *lines])
        exec(compile(text, "<express>", "exec"), self._names)
        self.call: Callable[..., Any] = self._names["call"]

    def pin(self, arrays: Sequence[Array]) -> None:
        """Say which arrays the captured tensors hold now."""
        self._names.update((f"array{place}", array) for place, array in enumerate(arrays))
