"""One use of an op, as a formula needs it: the op, its parameters, and names and numbers around it.

A gate is one use; a closed box is a use without an op that holds others. The arrays are those that
the graph had when the card was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.core.op import Op
from chainrule.core.spec import Array

Place = tuple[int, ...]


@dataclass(frozen=True)
class Use:
    """`output` = op(`sources`): `arguments` are what the op calls its inputs.

    `inside` are the uses in a closed box, the last of which makes its output.
    """

    op: Op | None
    params: Mapping[str, Any]
    arguments: tuple[str, ...]
    sources: tuple[str, ...]
    arrays: tuple[Array, ...]
    output: str
    value: Array
    inside: tuple[Use, ...] = field(default=())

    @property
    def call(self) -> str:
        """The use as a call, such as 'sum(scores, axis=1)': parameters that are not the usual ones."""
        if self.op is None:
            return f"({', '.join(self.sources)})"
        usual = self.op.parameters
        given = [f"{k}={v!r}" for k, v in self.params.items() if not _same(v, usual.get(k))]
        return f"{self.op.name}({', '.join([*self.sources, *given])})"


def _same(one: Any, two: Any) -> bool:
    return one is two or (type(one) is type(two) and not isinstance(one, np.ndarray) and one == two)


def element(array: Array, place: Place, shape: tuple[int, ...]) -> Any:
    """Return the number of a broadcast operand that takes part in the result at `place`."""
    return np.broadcast_to(array, shape)[place]
