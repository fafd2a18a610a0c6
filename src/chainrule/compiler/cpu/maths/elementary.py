"""The elementary functions by their names."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.compiler.cpu.maths.register import Register

FUNCTIONS: dict[str, Callable[..., Register]] = {
    "exp": lambda x: x.call("llvm.exp"),
    "expm1": lambda x: x.call("llvm.exp") - 1.0,
    "log": lambda x: x.call("llvm.log"),
    "log1p": lambda x: (x + 1.0).call("llvm.log"),
    "sin": lambda x: x.call("llvm.sin"),
    "cos": lambda x: x.call("llvm.cos"),
    "tanh": lambda x: x.call("llvm.tanh"),
    "erf": lambda x: x,
    "arctan2": lambda y, x: y,
    "power": lambda x, y: x.call("llvm.pow", y),
}
