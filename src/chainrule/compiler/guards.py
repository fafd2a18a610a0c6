"""Guards: what a program was seen to depend on besides its arguments, compared before every run.

Modes of modules, options of optimisers, gradients that are there or not, and which captured tensors
are tracked. It is asked at every call, so all is laid out for few and quick comparisons. What
happens when something is not as it was is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from chainrule.core.program import Program
from chainrule.core.tensor import Tensor
from chainrule.core.trace import Trace, Watched


class Guards:
    """What held while a function was traced; `hold` tells whether it still does."""

    def __init__(self, trace: Trace, program: Program, captured: Sequence[Tensor]) -> None:
        self._owners = [owner for owner, _, _ in trace.guards]
        self._names = [name for _, name, _ in trace.guards]
        self._values = [value for _, _, value in trace.guards]
        self._present = trace.present()
        tracked = {id(tensor): tensor for tensor in captured}.values()
        self._tracked = [(tensor, tensor.requires_grad) for tensor in tracked]
        used = {
            (id(value.owner), value.key)
            for step in program.equations
            for value in step.params.values()
            if isinstance(value, Watched)
        }
        self._options = [
            (group, itemgetter(*kept), itemgetter(*kept)(options))
            for group, options in trace.groups
            if (kept := [key for key, v in options.items() if (id(group), key) not in used or not v])
        ]

    def hold(self) -> bool:
        """Tell whether all is as it was."""
        if list(map(getattr, self._owners, self._names)) != self._values:
            return False
        for leaf, there in self._present:
            if (leaf._grad is not None) is not there:
                return False
        for tensor, tracked in self._tracked:
            if tensor.requires_grad is not tracked:
                return False
        for group, options, values in self._options:
            try:
                if options(group) != values:
                    return False
            except KeyError:  # an option is gone
                return False
        return True
