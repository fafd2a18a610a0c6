"""The error function, written in the other scalar functions.

NumPy has no `erf`, so it computes this expression. Own derivation: Chebyshev
fits of erf(x) / x in x*x on [0, 1] (error 1.3e-19), and of erfc(x) * exp(x*x) on [1, 6] in
u = (x - 2.5) / (x + 2.5) (error 3e-17); beyond 6, erf rounds to 1 in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.scalar.expr import Expr
from chainrule.scalar.functions import absolute, exp, maximum, minimum, select, sign

_NEAR = (
    5.957176147748911e-11, -1.1372848856791674e-09, 1.4659775274047436e-08, -1.6350312701054695e-07,
    1.6461000484121368e-06, -1.4925595266831182e-05, 0.0001205533111164271, -0.000854832698083379,
    0.0052239776248180145, -0.026866170645076792, 0.11283791670954879, -0.3761263890318375,
    1.1283791670955126,
)  # fmt: skip
_FAR = (
    -1.587633893127344e-06, -2.2328516517555215e-06, 7.499735050763299e-06, 1.8596747731144528e-05,
    -3.4175718896856294e-05, -0.00012887483134837842, 0.0002283799633257643, 0.0008759152875774328,
    -0.0026423659518134547, -0.003993701160123029, 0.03992253907546523, -0.12503305237891782,
    0.2517131932174488, -0.37173673394897294, 0.2108063640611436,
)  # fmt: skip


def erf_expansion(x: Expr) -> Expr:
    """Return erf(x) = 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x."""
    size = absolute(minimum(maximum(x, -6.0), 6.0))  # the smallest integer has no absolute value
    near = x * _polynomial(_NEAR, x * x)
    u = (size - 2.5) / (size + 2.5)
    far = 1.0 - exp(-(size * size)) * _polynomial(_FAR, u)
    return select(size < 1.0, near, sign(x) * far)


def _polynomial(coefficients: Sequence[float], x: Expr) -> Expr:
    """Horner's scheme, the highest power first."""
    total = coefficients[0] * x + coefficients[1]
    for each in coefficients[2:]:
        total = total * x + each
    return total
