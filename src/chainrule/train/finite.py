"""Training stops at the first infinity or nan, with the name of the op and the layer it came from.

The search itself is `inspect`'s; here it becomes an error with the iteration in its first line.
"""

from __future__ import annotations

from chainrule.core.tensor import Tensor
from chainrule.errors import NonFiniteError
from chainrule.inspect.diagnose.origin import find_origin, is_finite
from chainrule.nn import Module

_HINT = "a smaller rate, normalised inputs, or a loss that takes scores instead of log(probabilities)"
_DATA_HINT = "look for missing or huge values in the data"


def finite(loss: Tensor, model: Module) -> bool:
    """Tell whether the loss and the gradients of all parameters are finite."""
    return is_finite(loss) and all(is_finite(each.grad) for each in model.parameters())


def check_finite(loss: Tensor, model: Module, when: str = "") -> None:
    """Raise NonFiniteError unless the loss and the gradients of all parameters are finite.

    Call it after `loss.backward()` and before the update. The message names the op and the layer in
    which the first value, or gradient, that is not finite arose; `when` says at which iteration.
    """
    origin = find_origin(loss, dict(model.named_parameters()))
    if origin is None:
        return
    start = f"a gradient is not finite{when}" if is_finite(loss) else f"the loss is {loss.item()}{when}"
    headline = f"{start}: {origin.what}" if origin.what else start
    raise NonFiniteError(headline, got=origin.got, hint=_DATA_HINT if origin.where == "data" else _HINT)
