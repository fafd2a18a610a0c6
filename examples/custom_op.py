"""An activation of one's own: one decorated function, and the library knows the rest.

Bent identity, (sqrt(x^2 + 1) - 1) / 2 + x, is not in the library. Its gradient, its second
derivative, its formula and its generic test come from the body.
"""

from __future__ import annotations

import chainrule as cr
from chainrule import scalar
from chainrule.core.check import check_op
from chainrule.core.families import elementwise


@elementwise
def bent_identity(x: scalar.Expr) -> scalar.Expr:
    """Almost the number itself where it is positive, half of it where it is negative."""
    return (scalar.sqrt(x * x + 1.0) - 1.0) / 2.0 + x


def fit(steps: int = 200, rate: float = 0.05) -> list[float]:
    """Fit a bent_identity(b x) to the kinked x + |x| / 2, and return the loss of every step."""
    x = cr.linspace(-3.0, 3.0, 61)
    y = x + abs(x) / 2
    a, b = (cr.tensor(value, requires_grad=True) for value in (0.5, 0.5))
    losses = []
    for _ in range(steps):
        loss = cr.mean(cr.square(a * bent_identity(b * x) - y))
        a.grad = b.grad = None
        loss.backward()
        with cr.no_grad():
            a -= rate * a.grad
            b -= rate * b.grad
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    check_op(bent_identity)
    print(bent_identity.formula())
    print("slope at 0:", cr.grad(bent_identity)(0.0).item())
    print("curvature at 0:", cr.grad(cr.grad(bent_identity))(0.0).item())
    losses = fit()
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
