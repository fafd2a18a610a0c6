"""Exponents: a float as mantissa and power of two, through its bits.

`1.5 * 2**23` (float64: `1.5 * 2**52`) is the size at which neighbouring floats are 1 apart: adding
it rounds to a whole number, which then stands in the lowest bits. So whole numbers come and go
without instructions for their conversion, which narrow processors lack for 64 bits.
"""

from __future__ import annotations

import math

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.maths.register import Register


def digits(x: Register) -> int:
    """Return how many bits of a float's mantissa are stored."""
    return 52 if x.double else 23


def bias(x: Register) -> int:
    """Return what the stored exponent of 1 is."""
    return 1023 if x.double else 127


def _rounder(x: Register) -> Register:
    return x.constant(1.5 * 2.0 ** digits(x))


def rounded_product(x: Register, factor: float) -> tuple[Register, Register]:
    """Return x * factor as a whole number: the float, and the integer."""
    moved = x.fma(factor, _rounder(x))
    return moved - _rounder(x), moved.bits() - _rounder(x).bits()


def power_of_two(like: Register, n: Register) -> Register:
    """Return 2**n as a float like `like`; it must be a normal number."""
    return ((n + bias(like)) << digits(like)).as_float()


def times_power(x: Register, n: Register) -> Register:
    """Return x * 2**n for x near 1; where no instruction does it, in two steps.

    Only the last of them over- or underflows, so the result is rounded once.
    """
    lanes = x.value.type.count if isinstance(x.value.type, ir.VectorType) else 1
    if x.code.target.vector_bits == 512 and lanes * (digits(x) + 1) >= 96:
        return x.times_two_to(n)
    half = n >> 1
    return x * power_of_two(x, half) * power_of_two(x, n - half)


def mantissa_and_exponent(x: Register) -> tuple[Register, Register]:
    """Return m between sqrt(1/2) and sqrt(2), and the float e, of a positive normal m * 2**e."""
    root, one = x.constant(math.sqrt(0.5)).bits(), x.constant(1.0).bits()
    moved = x.bits() + (one - root)
    exponent = moved.shift_down(digits(x)) + (_rounder(x).bits() - bias(x))
    mantissa = (moved & ((1 << digits(x)) - 1)) + root
    return mantissa.as_float(), exponent.as_float() - _rounder(x)
