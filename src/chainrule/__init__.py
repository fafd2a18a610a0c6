"""chainrule: a glass-box neural-network library.

`import chainrule as cr` gives tensors, NumPy-named functions that record gradients, and the
transformations `grad`, `vjp`, `jacobian` and `hessian`; networks are in `cr.nn`, optimisers in
`cr.optim`. This file holds the public names and nothing else.
"""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import Any as _Any

import numpy as _numpy
from numpy import float32 as float32
from numpy import float64 as float64

from chainrule import errors as errors
from chainrule.core import habits as _habits
from chainrule.core.mode import enable_grad as enable_grad
from chainrule.core.mode import no_grad as no_grad
from chainrule.core.tensor import Tensor as Tensor
from chainrule.core.transform import grad as grad
from chainrule.core.transform import hessian as hessian
from chainrule.core.transform import jacobian as jacobian
from chainrule.core.transform import value_and_grad as value_and_grad
from chainrule.core.transform import vjp as vjp
from chainrule.ops import random as random
from chainrule.ops.arithmetic import abs as abs
from chainrule.ops.arithmetic import add as add
from chainrule.ops.arithmetic import astype as astype
from chainrule.ops.arithmetic import ceil as ceil
from chainrule.ops.arithmetic import clip as clip
from chainrule.ops.arithmetic import divide as divide
from chainrule.ops.arithmetic import floor as floor
from chainrule.ops.arithmetic import floor_divide as floor_divide
from chainrule.ops.arithmetic import maximum as maximum
from chainrule.ops.arithmetic import minimum as minimum
from chainrule.ops.arithmetic import multiply as multiply
from chainrule.ops.arithmetic import negative as negative
from chainrule.ops.arithmetic import power as power
from chainrule.ops.arithmetic import reciprocal as reciprocal
from chainrule.ops.arithmetic import remainder as remainder
from chainrule.ops.arithmetic import rint as rint
from chainrule.ops.arithmetic import round as round
from chainrule.ops.arithmetic import sign as sign
from chainrule.ops.arithmetic import square as square
from chainrule.ops.arithmetic import subtract as subtract
from chainrule.ops.compare import equal as equal
from chainrule.ops.compare import greater as greater
from chainrule.ops.compare import greater_equal as greater_equal
from chainrule.ops.compare import isfinite as isfinite
from chainrule.ops.compare import isinf as isinf
from chainrule.ops.compare import isnan as isnan
from chainrule.ops.compare import less as less
from chainrule.ops.compare import less_equal as less_equal
from chainrule.ops.compare import logical_and as logical_and
from chainrule.ops.compare import logical_not as logical_not
from chainrule.ops.compare import logical_or as logical_or
from chainrule.ops.compare import logical_xor as logical_xor
from chainrule.ops.compare import not_equal as not_equal
from chainrule.ops.compare import where as where
from chainrule.ops.create import arange as arange
from chainrule.ops.create import eye as eye
from chainrule.ops.create import full as full
from chainrule.ops.create import linspace as linspace
from chainrule.ops.create import ones as ones
from chainrule.ops.create import tensor as tensor
from chainrule.ops.create import zeros as zeros
from chainrule.ops.elementary import arctan as arctan
from chainrule.ops.elementary import arctan2 as arctan2
from chainrule.ops.elementary import cos as cos
from chainrule.ops.elementary import erf as erf
from chainrule.ops.elementary import exp as exp
from chainrule.ops.elementary import expm1 as expm1
from chainrule.ops.elementary import log as log
from chainrule.ops.elementary import log1p as log1p
from chainrule.ops.elementary import log2 as log2
from chainrule.ops.elementary import log10 as log10
from chainrule.ops.elementary import logaddexp as logaddexp
from chainrule.ops.elementary import sin as sin
from chainrule.ops.elementary import sqrt as sqrt
from chainrule.ops.elementary import tan as tan
from chainrule.ops.elementary import tanh as tanh
from chainrule.ops.index import take as take
from chainrule.ops.linear import dot as dot
from chainrule.ops.linear import einsum as einsum
from chainrule.ops.linear import matmul as matmul
from chainrule.ops.linear import outer as outer
from chainrule.ops.linear import tensordot as tensordot
from chainrule.ops.reduce import all as all
from chainrule.ops.reduce import any as any
from chainrule.ops.reduce import argmax as argmax
from chainrule.ops.reduce import argmin as argmin
from chainrule.ops.reduce import cumsum as cumsum
from chainrule.ops.reduce import logsumexp as logsumexp
from chainrule.ops.reduce import max as max
from chainrule.ops.reduce import mean as mean
from chainrule.ops.reduce import min as min
from chainrule.ops.reduce import prod as prod
from chainrule.ops.reduce import std as std
from chainrule.ops.reduce import sum as sum
from chainrule.ops.reduce import var as var
from chainrule.ops.shape import broadcast_to as broadcast_to
from chainrule.ops.shape import concatenate as concatenate
from chainrule.ops.shape import expand_dims as expand_dims
from chainrule.ops.shape import flip as flip
from chainrule.ops.shape import moveaxis as moveaxis
from chainrule.ops.shape import pad as pad
from chainrule.ops.shape import ravel as ravel
from chainrule.ops.shape import repeat as repeat
from chainrule.ops.shape import reshape as reshape
from chainrule.ops.shape import split as split
from chainrule.ops.shape import squeeze as squeeze
from chainrule.ops.shape import stack as stack
from chainrule.ops.shape import swapaxes as swapaxes
from chainrule.ops.shape import tile as tile
from chainrule.ops.shape import transpose as transpose

# Imported when first used, so that `import chainrule` stays quick.
_PACKAGES = {"compiler", "data", "features", "inspect", "nn", "optim", "train"}
_ELSEWHERE = {
    "ComputationalGraph": "chainrule.inspect.graph",
    "check_grads": "chainrule.core.numerical",
    "compile": "chainrule.compiler.jit",
    "get_num_threads": "chainrule.core.threads",
    "numerical_gradient": "chainrule.core.numerical",
    "set_num_threads": "chainrule.core.threads",
}


def __getattr__(name: str) -> _Any:
    """Import the packages above the engine when they are first named; hint at wrong names."""
    if name in _PACKAGES:
        return _import_module(f"chainrule.{name}")
    if name in _ELSEWHERE:
        return getattr(_import_module(_ELSEWHERE[name]), name)
    if name == "__version__":
        return _import_module("importlib.metadata").version("chainrule")
    raise errors.missing_name("chainrule", name, __dir__(), "" if name.startswith("__") else _hint(name))


def _hint(name: str) -> str:
    """Return what stands for a name of NumPy or PyTorch, '' where nothing does."""
    if name in _habits.NAMES:
        return _habits.habit(_habits.NAMES, name)
    if name in _import_module("chainrule.nn.functional").__all__:
        return f"chainrule.nn.functional.{name}"
    if callable(found := getattr(_numpy, name, None)) and not isinstance(found, type):
        return f"np.{name} takes tensors, too: their values, without a gradient"
    return f"np.{name}" if hasattr(_numpy, name) else ""


def __dir__() -> list[str]:
    modules = _PACKAGES | {"errors", "random"}
    public = {name for name, value in globals().items() if name in modules or not _hidden(name, value)}
    return sorted(public | _PACKAGES | _ELSEWHERE.keys())


def _hidden(name: str, value: object) -> bool:
    return name.startswith("_") or isinstance(value, _ModuleType)
