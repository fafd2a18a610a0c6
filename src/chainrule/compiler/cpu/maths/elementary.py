"""The elementary functions by their names.

Each stands with its kin in a module of its own, where its formula and its polynomials are told. All
take and give registers: float32 or float64, one number or one a lane. The largest errors found, in
units in the last place (float32: every seventh number there is; float64: 24,000 points and more):

exp 1.1, 1.0 - expm1 1.7, 1.9 - log 0.9, 0.8 - log1p 0.9, 0.8 - tanh 1.6, 2.1 - erf 1.4, 1.2 -
sin 1.6, 2.0 - cos 1.6, 2.3 - arctan2 1.5, 2.4 - power 1.1, 1.2 (of two numbers: at random)
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.compiler.cpu.maths.circle import arctan2, cos, sin
from chainrule.compiler.cpu.maths.error_function import erf
from chainrule.compiler.cpu.maths.exponential import exp, expm1, tanh
from chainrule.compiler.cpu.maths.logarithm import log, log1p
from chainrule.compiler.cpu.maths.power import power
from chainrule.compiler.cpu.maths.register import Register

FUNCTIONS: dict[str, Callable[..., Register]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sin": sin,
    "cos": cos,
    "tanh": tanh,
    "erf": erf,
    "arctan2": arctan2,
    "power": power,
}
