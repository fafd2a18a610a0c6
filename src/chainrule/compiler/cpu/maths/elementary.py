"""The elementary functions by their names.

Each stands with its kin in a module of its own, where its formula, the fit of its polynomials and
their errors are told. All take and give registers: float32 or float64, one number or one a lane.
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
