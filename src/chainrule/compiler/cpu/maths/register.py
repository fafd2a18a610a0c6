"""Register: numbers in registers, written with Python's operators.

The formulas of this package read as they would on paper, whether a plain number or a vector comes,
in either precision. A register holds floats, the integers of their bits, or truth values (one bit);
which one, its LLVM type says. It knows nothing of NumPy's dtypes and promotion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code

Number: TypeAlias = "Register | float | int"


class Register:
    """One value of LLVM; operators write instructions. Integers are signed, `>>` keeps the sign."""

    __slots__ = ("code", "element", "float", "value")

    def __init__(self, code: Code, value: ir.Value) -> None:
        self.code, self.value = code, value
        kind = value.type
        self.element: ir.Type = kind.element if isinstance(kind, ir.VectorType) else kind
        self.float = not isinstance(self.element, ir.IntType)

    # ---- of the same kind ------------------------------------------------------------------------
    @property
    def double(self) -> bool:
        """Tell whether this is float64."""
        return isinstance(self.element, ir.DoubleType)

    def constant(self, number: float) -> Register:
        """Return a known number in every lane, of this register's type."""
        kind = self.value.type
        item = float(np.float32(number)) if isinstance(self.element, ir.FloatType) else number
        lanes = [item] * kind.count if isinstance(kind, ir.VectorType) else item
        return Register(self.code, ir.Constant(kind, lanes))

    def _with(self, value: ir.Value) -> Register:
        return Register(self.code, value)

    def _other(self, other: Number) -> ir.Value:
        return other.value if isinstance(other, Register) else self.constant(other).value

    def _typed(self, element: ir.Type) -> ir.Type:
        return ir.like(self.value.type, element)

    # ---- arithmetic ------------------------------------------------------------------------------
    def __add__(self, other: Number) -> Register:
        builder = self.code.builder
        return self._with((builder.fadd if self.float else builder.add)(self.value, self._other(other)))

    def __sub__(self, other: Number) -> Register:
        builder = self.code.builder
        return self._with((builder.fsub if self.float else builder.sub)(self.value, self._other(other)))

    def __mul__(self, other: Number) -> Register:
        builder = self.code.builder
        return self._with((builder.fmul if self.float else builder.mul)(self.value, self._other(other)))

    def __truediv__(self, other: Number) -> Register:
        return self._with(self.code.builder.fdiv(self.value, self._other(other)))

    def __radd__(self, other: Number) -> Register:
        return self + other

    def __rmul__(self, other: Number) -> Register:
        return self * other

    def __rsub__(self, other: float) -> Register:
        return self.constant(other) - self

    def __rtruediv__(self, other: float) -> Register:
        return self.constant(other) / self

    def __neg__(self) -> Register:
        return self._with(self.code.builder.fneg(self.value)) if self.float else 0 - self

    def __abs__(self) -> Register:
        return self.call("llvm.fabs")

    def fma(self, factor: Number, term: Number) -> Register:
        """Return self * factor + term: rounded once where that is an instruction, else twice."""
        if not self.code.target.fused:
            return self * factor + term
        return self.call("llvm.fma", factor, term)

    def call(self, intrinsic: str, *others: Number, flags: Sequence[str] = ()) -> Register:
        """Call an intrinsic whose operands and result are of this register's type."""
        return self._with(self.code.call(intrinsic, [self.value, *map(self._other, others)], flags=flags))

    def times_two_to(self, power: Register) -> Register:
        """Return self * 2**power, which is an instruction for vectors on the widest target."""
        narrow = self._typed(ir.I32)
        whole = self.code.builder.trunc(power.value, narrow) if self.double else power.value
        return self._with(self.code.call("llvm.ldexp", [self.value, whole]))

    # ---- bits ------------------------------------------------------------------------------------
    def __and__(self, other: Number) -> Register:
        return self._with(self.code.builder.and_(self.value, self._other(other)))

    def __or__(self, other: Number) -> Register:
        return self._with(self.code.builder.or_(self.value, self._other(other)))

    def __xor__(self, other: Number) -> Register:
        return self._with(self.code.builder.xor(self.value, self._other(other)))

    def __invert__(self) -> Register:
        return self._with(self.code.builder.not_(self.value))

    def __lshift__(self, places: int) -> Register:
        return self._with(self.code.builder.shl(self.value, self._other(places)))

    def __rshift__(self, places: int) -> Register:
        return self._with(self.code.builder.ashr(self.value, self._other(places)))

    def shift_down(self, places: int) -> Register:
        """Return integers moved right, zeros coming in."""
        return self._with(self.code.builder.lshr(self.value, self._other(places)))

    def bits(self) -> Register:
        """Return the bits of floats as integers of their width."""
        whole = ir.IntType(64 if self.double else 32)
        return self._with(self.code.builder.bitcast(self.value, self._typed(whole)))

    def as_float(self) -> Register:
        """Return the floats whose bits these integers are."""
        kind = ir.DoubleType() if self.element.width == 64 else ir.FloatType()
        return self._with(self.code.builder.bitcast(self.value, self._typed(kind)))

    def to_float(self) -> Register:
        """Return these integers as floats of their width."""
        kind = ir.DoubleType() if self.element.width == 64 else ir.FloatType()
        return self._with(self.code.builder.sitofp(self.value, self._typed(kind)))

    # ---- comparison ------------------------------------------------------------------------------
    def compare(self, sign: str, other: Number) -> Register:
        """Return a truth value; with NaN only `!=` holds."""
        builder, right = self.code.builder, self._other(other)
        if not self.float:
            return self._with(builder.icmp_signed(sign, self.value, right))
        compared = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        return self._with(compared(sign, self.value, right))

    def __lt__(self, other: Number) -> Register:
        return self.compare("<", other)

    def __le__(self, other: Number) -> Register:
        return self.compare("<=", other)

    def __gt__(self, other: Number) -> Register:
        return self.compare(">", other)

    def __ge__(self, other: Number) -> Register:
        return self.compare(">=", other)

    def equals(self, other: Number) -> Register:
        """Return where the two are equal."""
        return self.compare("==", other)

    def is_nan(self) -> Register:
        """Return where there is no number."""
        return self._with(self.code.builder.fcmp_unordered("uno", self.value, self.value))

    def choose(self, yes: Number, no: Number) -> Register:
        """Return `yes` where this truth value holds, else `no`; one of them is a register."""
        like = yes if isinstance(yes, Register) else no
        assert isinstance(like, Register)
        return like._with(self.code.builder.select(self.value, like._other(yes), like._other(no)))


def polynomial(x: Register, coefficients: Sequence[float]) -> Register:
    """Return the polynomial by Horner's scheme; the highest power's coefficient comes first."""
    total = x.constant(coefficients[0])
    for each in coefficients[1:]:
        total = total.fma(x, each)
    return total


def exact_product(a: Register, b: Register) -> tuple[Register, Register]:
    """Return a * b and what its rounding lost (Dekker 1971, where multiply-add rounds twice)."""
    product = a * b
    if a.code.target.fused:
        return product, a.fma(b, -product)
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    lost = a_high * b_high - product + a_high * b_low + a_low * b_high + a_low * b_low
    return product, lost


def _split(x: Register) -> tuple[Register, Register]:
    """Return the upper half of a float's bits, and the rest."""
    moved = x * (2.0**27 + 1.0 if x.double else 2.0**12 + 1.0)
    high = moved - (moved - x)
    return high, x - high


def ordered_sum(a: Register, b: Register) -> tuple[Register, Register]:
    """Return a + b and what its rounding lost, for |a| >= |b| or a = 0."""
    total = a + b
    return total, b - (total - a)


def exact_sum(a: Register, b: Register) -> tuple[Register, Register]:
    """Return a + b and what its rounding lost (Knuth 1969)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
