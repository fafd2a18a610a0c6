"""Scalars: an expression over numbers written as instructions, with the values that NumPy gives.

The reference is `scalar/numpy.py`: the same dtypes (NumPy itself is asked for them, weak Python
numbers included), the same bits for plain arithmetic, and a few units in the last place for the
approximated functions. It knows no arrays: a value is one number, or one a lane.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.maths import elementary, real, whole
from chainrule.compiler.cpu.maths.conversion import DType, Value, converted, is_true, known
from chainrule.compiler.cpu.maths.register import Register
from chainrule.scalar.expr import CONSTANT, VARIABLE, Expr, walk
from chainrule.scalar.numpy import INFIX, UFUNCS

Kind = tuple[DType, bool]  # dtype, and whether it is that of a weak Python number

_BOOL, _INT, _FLOAT = np.dtype(np.bool_), np.dtype(np.int64), np.dtype(np.float64)
_LOGICAL = {"logical_and": "and_", "logical_or": "or_", "logical_xor": "xor"}
_APPROXIMATED = 25.0  # cycles of a function that is approximated
_REAL = {**real.FUNCTIONS, **elementary.FUNCTIONS}


@dataclass(frozen=True)
class Typed:
    """A value in registers: a number or a vector of them, its dtype, and whether it is weak.

    A truth value is one bit; a weak one is a Python number: a bit, an i64 or a double.
    """

    value: ir.Value
    dtype: np.dtype[Any]
    weak: bool


def dtype_of(root: Expr, variables: Mapping[str, Kind]) -> Kind:
    """Return the dtype that NumPy gives an expression, and whether it is a weak Python number's."""
    found: dict[Expr, Kind] = {}
    for node in walk(root):
        if node.function == VARIABLE:
            found[node] = variables[str(node.value)]
        elif node.function == CONSTANT:
            found[node] = np.dtype(node.value.__class__), True
        else:
            found[node] = _loop(node.function, str(node.value), tuple(found[arg] for arg in node.args))[-1]
    return found[root]


def cycles(root: Expr) -> float:
    """Roughly tell how many cycles a vector of an expression's values takes."""
    inner = (node.function for node in walk(root) if node.function not in (VARIABLE, CONSTANT))
    return sum(_APPROXIMATED if name in elementary.FUNCTIONS else 1.0 for name in inner)


def evaluate(code: Code, root: Expr, variables: Mapping[str, Typed], lanes: int = 1) -> Typed:
    """Write the instructions of an expression and return its value.

    Variables are plain numbers or vectors of `lanes`; what only plain numbers meet in stays plain,
    and so may the result. Raises `DTypeError` where NumPy would compute in float16.
    """
    values: dict[Expr, Typed] = {}
    for node in walk(root):
        if node.function == VARIABLE:
            values[node] = variables[str(node.value)]
        elif node.function == CONSTANT:
            dtype = np.dtype(node.value.__class__)
            values[node] = Typed(known(node.value, dtype), dtype, True)  # pyright: ignore
        else:
            values[node] = _apply(code, node, [values[arg] for arg in node.args], lanes)
    return values[root]


# ---- promotion -----------------------------------------------------------------------------------
@lru_cache(maxsize=4096)
def _loop(function: str, attribute: str, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return the kinds that NumPy converts the operands to, and that of the result."""
    dtypes = [dtype for dtype, _ in kinds]
    if function == "cast":
        return (*kinds, (np.dtype(attribute), False))
    if function == "erf":
        made = dtypes[0] if dtypes[0].kind == "f" and not kinds[0][1] else _FLOAT
        return ((made, False),) * 2
    if function == "select":
        made = np.result_type(*map(_example, kinds[1:]))
        return (_BOOL, False), (made, False), (made, False), (made, False)
    if function in INFIX and all(weak for _, weak in kinds):
        made = _FLOAT if function == "divide" or _FLOAT in dtypes else _INT
        return ((made, True),) * 3
    asked: Any = [_class(kind) for kind in kinds]
    return tuple((dtype, False) for dtype in UFUNCS[function].resolve_dtypes((*asked, None)))


def _example(kind: Kind) -> Any:
    dtype, weak = kind
    return dtype.type(1).item() if weak else dtype


def _class(kind: Kind) -> Any:
    """Return what stands for a kind where NumPy is asked; it holds Python's bool for its own."""
    dtype, weak = kind
    return {"i": int, "f": float}.get(dtype.kind, dtype) if weak else dtype


# ---- instructions --------------------------------------------------------------------------------
def _apply(code: Code, node: Expr, args: Sequence[Typed], lanes: int) -> Typed:
    name, vectors = node.function, [isinstance(arg.value.type, ir.VectorType) for arg in args]
    by_one = name == "divide" and vectors == [True, False]
    if any(vectors) and not by_one:
        args = [Typed(code.splat(arg.value, lanes), arg.dtype, arg.weak) for arg in args]
    kinds = _loop(name, str(node.value), tuple((arg.dtype, arg.weak) for arg in args))
    dtype, weak = kinds[-1]
    if name == "cast":
        return Typed(converted(code, args[0].value, args[0].dtype, dtype), dtype, False)
    if name in _LOGICAL or name == "logical_not":
        return Typed(_logical(code, name, args), _BOOL, False)
    operands = [kind for kind, _ in kinds[:-1]]
    if name in whole.SIGNS:
        operands = _compared(args, operands)
    values = [converted(code, arg.value, arg.dtype, kind) for arg, kind in zip(args, operands, strict=True)]
    if name == "select":
        return Typed(code.builder.select(*values), dtype, False)
    if name in whole.SIGNS:
        return Typed(_compare(code, whole.SIGNS[name], operands, values), dtype, False)
    if operands[0].kind != "f":
        return Typed(whole.FUNCTIONS[name](code, operands[0], *values), dtype, weak)
    shortcut = _SHORT_POWERS.get(_exponent(args[1])) if name == "power" else None
    registers = [Register(code, value) for value in values]
    made = (
        (real.quotient if by_one else _REAL[name])(*registers) if shortcut is None else shortcut(registers[0])
    )
    return Typed(made.value, dtype, weak)


def _logical(code: Code, name: str, args: Sequence[Typed]) -> Value:
    truths = [is_true(code, arg.value, arg.dtype) for arg in args]
    if name == "logical_not":
        return code.builder.not_(truths[0])
    return getattr(code.builder, _LOGICAL[name])(*truths)


def _compared(args: Sequence[Typed], dtypes: Sequence[DType]) -> list[DType]:
    """Return the dtypes to compare in: a Python integer may lie outside of the other one's range."""
    if dtypes[0].kind not in "iu" or not any(arg.weak and not _fits(arg, dtypes[0]) for arg in args):
        return list(dtypes)
    return [_INT if arg.weak or arg.dtype.itemsize < 8 else arg.dtype for arg in args]


def _fits(arg: Typed, dtype: DType) -> bool:
    """Tell whether a Python integer is known to lie in the range of a dtype."""
    number, info = _constant(arg), np.iinfo(dtype)
    return isinstance(number, int) and info.min <= number <= info.max


def _constant(arg: Typed) -> Any:
    """Return the number that a value is known to be, or None."""
    number = arg.value.constant if isinstance(arg.value, ir.Constant) else None
    return number[0] if isinstance(number, list) else number  # one a lane, all alike


def _compare(code: Code, sign: str, dtypes: Sequence[DType], values: Sequence[Value]) -> Value:
    left, right = dtypes
    if left.kind == "f":
        return Register(code, values[0]).compare(sign, Register(code, values[1])).value
    if left.kind == right.kind:
        return whole.compare(code, left, sign, *values)
    if left.kind == "i":
        return whole.compare_mixed(code, sign, *values)
    mirrored = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign, sign)
    return whole.compare_mixed(code, mirrored, values[1], values[0])


def _exponent(power: Typed) -> float:
    """Return the exponent where it is a Python number, or NaN."""
    number = _constant(power) if power.weak else None
    return math.nan if number is None else number


# Exponents for which multiplying is as precise as a power: NumPy itself does 2, 0.5 and -1.
_SHORT_POWERS: dict[float, Callable[[Register], Register]] = {
    -1.0: lambda x: 1.0 / x,
    0.5: lambda x: x.call("llvm.sqrt"),
    2.0: lambda x: x * x,
    3.0: lambda x: x * x * x,
    4.0: lambda x: (x * x) * (x * x),
}
