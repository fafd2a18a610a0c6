"""erf, the error function.

Below 1, erf(x) = x + x * P(x * x). Above, in float32, it is 1 - exp(Q(x)) where Q fits log(erfc(x)),
and in float64 1 - exp(-x * x) * Q((x - 2.5) / (x + 2.5)); beyond 4 (float64: 6) it rounds to 1. All
are minimax fits (Remez exchange in 200 bits), of relative error 2**-29.4 and 2**-26.9 in float32,
2**-55.3 and 2**-61 in float64.
"""

from __future__ import annotations

from chainrule.compiler.cpu.maths import real
from chainrule.compiler.cpu.maths.exponential import exp_of_moderate
from chainrule.compiler.cpu.maths.register import Register, polynomial

# By whether it is float64.
_NEAR = {
    False: (
        7.806903158780187e-05, -0.0007997853099368513, 0.005187162198126316, -0.026853347197175026,
        0.11283578723669052, -0.3761262595653534, 0.12837916612625122,
    ),
    True: (
        -7.554123812827361e-10, 1.358920790702905e-08, -1.6178029582932786e-07, 1.6443439330318242e-06,
        -1.4924414940523506e-05, 0.00012055278306738204, -0.0008548325429811704, 0.005223977596010409,
        -0.026866170641922607, 0.1128379167093695, -0.37612638903183343, 0.12837916709551256,
    ),
}  # fmt: skip
_FAR = {
    False: (
        0.00018637865332758367, -0.0029476541865973054, 0.021838052031735864, -0.10310673823060877,
        -0.6381448425966075, -1.1270891889849801, -0.00034152223960624,
    ),
    True: (
        7.510454340417593e-06, 1.6716362273270705e-05, -3.578378364054893e-05, -0.00012950599261139052,
        0.00022826202950178076, 0.0008759129835633039, -0.0026423626720630537, -0.003993700595017044,
        0.039922539097523434, -0.1250330523817433, 0.2517131932171749, -0.371736733948977,
        0.2108063640611437,
    ),
}  # fmt: skip


def erf(x: Register) -> Register:
    """Return 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to x."""
    size = real.minimum(abs(x), x.constant(6.0 if x.double else 4.0))
    if x.double:
        series = polynomial((size - 2.5) / (size + 2.5), _FAR[True])
        far = (-exp_of_moderate(-(size * size))).fma(series, x.constant(1.0))
    else:
        far = 1.0 - exp_of_moderate(polynomial(size, _FAR[False]))
    near = size.fma(polynomial(size * size, _NEAR[x.double]), size)
    return real.copysign((size < 1.0).choose(near, far), x)
