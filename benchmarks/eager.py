"""The overhead of one recorded op: 8 floats, against the plain NumPy call.

Floor: the NumPy call itself (0.2 to 0.6 us). Bar: at most 3 us on top of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import chainrule as cr
from benchmarks.timing import Options, Row, in_process

X = np.linspace(0.5, 1.5, 8, dtype=np.float32)
OPS = {
    "exp(x)": (lambda x: cr.exp(x), lambda x: np.exp(x)),
    "x * x": (lambda x: x * x, lambda x: x * x),
    "x * 2.0": (lambda x: x * 2.0, lambda x: x * 2.0),
    "x + x": (lambda x: x + x, lambda x: x + x),
    "np.exp(x)": (lambda x: np.exp(x), lambda x: np.exp(x)),
    "x.sum()": (lambda x: x.sum(), lambda x: x.sum()),
    "x.reshape(2, 4)": (lambda x: x.reshape(2, 4), lambda x: x.reshape(2, 4)),
    "x[2:4]": (lambda x: x[2:4], lambda x: x[2:4]),
}


def rows(options: Options) -> Iterator[Row]:
    """Yield a row an op; the tensor is tracked, so the call is recorded."""
    tracked = cr.tensor(X, requires_grad=True)
    for name, (ours, numpy) in OPS.items():
        if options.wants("eager", name):
            contenders = {"chainrule": lambda f=ours: f(tracked), "numpy": lambda f=numpy: f(X)}
            yield in_process("eager", f"{name}, 8 floats", contenders, options)
