"""Draw: random numbers in native code, the very ones that `core/stream.py` gives.

The bits are a function of (seed, stream, counter), so each lane of a vector computes a counter of
its own. A kernel that draws only reads the stream's state; `Advance` moves it on, once all have
read it. Neither knows what the numbers are for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, Code, constant
from chainrule.compiler.cpu.maths import elementary, real
from chainrule.compiler.cpu.maths.register import Register
from chainrule.compiler.cpu.target import Target
from chainrule.errors import DTypeError

# Of Philox4x32-10 (Salmon et al., SC 2011): multipliers, and what the key moves on by.
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF
_CHUNK = 1 << 9  # blocks in a part
WORDS_A_PART = 2 * _CHUNK  # of 64 bits


@dataclass(frozen=True)
class Draw:
    """The kernel that draws. Operands: the state (three 64-bit integers), the numbers (plain).

    `kind` is "uniform" in [low, high), "normal" with mean `low` and deviation `high`, "integers"
    in [low, high) as int64, or "words" of 64 random bits. A block is one value of the counter: four
    32-bit words. Raises `DTypeError` for numbers that are not float32, float64 or int64.
    """

    kind: str
    count: int
    dtype: str
    low: float
    high: float

    name = "draw"
    scratch = 0

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float64", "int64"):
            raise DTypeError(f"native code: draws no {self.dtype}", hint="draw float32, and cast with astype")

    @property
    def blocks(self) -> int:
        """How far the counter moves on."""
        if self.kind == "normal":
            return -(-self.count // 2)
        return -(-self.count * (1 if self._narrow else 2) // 4)

    @property
    def parts(self) -> int:
        """Stretches of blocks; of a normal draw, only those of the first half count."""
        return -(-self._rows // _CHUNK)

    @property
    def flops(self) -> int:
        """Operations on numbers: ten rounds, and what is made of the words."""
        return 120 * self.blocks + (40 if self.kind == "normal" else 3) * self.count

    @property
    def bytes(self) -> int:
        """Bytes written."""
        return self.count * np.dtype(self.dtype).itemsize

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill `void f(ptr state, ptr numbers, ptr scratch, i64 lo, i64 hi)`."""
        _Writer(self, function, target).write()

    @property
    def _narrow(self) -> bool:
        return self.kind == "uniform" and self.dtype != "float64"

    @property
    def _rows(self) -> int:
        return -(-self.blocks // 2) if self.kind == "normal" else self.blocks


@dataclass(frozen=True)
class Advance:
    """The kernel that moves a stream's counter on. Operand: the state (three 64-bit integers)."""

    blocks: int

    name = "advance"
    parts = 1
    scratch = 0
    flops = 1
    bytes = 16

    def emit(self, function: ir.Function, target: Target) -> None:
        """Fill `void f(ptr state, ptr scratch, i64 lo, i64 hi)`."""
        code = Code(function, target)
        state, low, high = function.args[0], *function.args[-2:]
        with code.only_if(code.builder.icmp_signed("<", low, high)):
            counter = code.load(state, 2, np.int64)
            code.store(code.builder.add(counter, constant(self.blocks)), state, 2, np.int64)
        code.finish()


class _Writer:
    """Writes one draw: as many counters at a time as a vector has lanes."""

    def __init__(self, draw: Draw, function: ir.Function, target: Target) -> None:
        self.draw, self.code = draw, Code(function, target)
        self.lanes = target.lanes(np.int64)
        state, self.numbers, _, self.low, self.high = function.args
        seed, stream, self.counter = (self.code.load(state, place, np.int64) for place in range(3))
        self.key, self.upper = (_halves(self._all(each)) for each in (seed, stream))

    def write(self) -> None:
        """Write the whole function; the vectors of all parts but the last one are full."""
        code = self.code
        start, stop = (code.builder.mul(each, constant(_CHUNK)) for each in (self.low, self.high))
        most = constant(self.draw._rows)
        stop = code.builder.select(code.builder.icmp_signed("<", stop, most), stop, most)
        with code.loop(start, stop, self.lanes, "block") as block:
            self._normal(block) if self.draw.kind == "normal" else self._even(block)
        code.finish()

    # ---- numbers ---------------------------------------------------------------------------------
    def _even(self, block: ir.Value) -> None:
        """Write what the blocks of one vector give."""
        draw, words = self.draw, self._words(block)
        if draw.kind == "words":
            made = words
        elif draw.kind == "integers":
            made = (words.shift_down(32) * int(draw.high - draw.low)).shift_down(32) + int(draw.low)
        else:
            made = self._scaled(words)
        width = made.value.type.count
        self._store(made, self.code.builder.mul(block, constant(width // self.lanes)), draw.count)

    def _scaled(self, words: Register) -> Register:
        """Return numbers in [low, high); rounding may reach `high`, which does not belong."""
        low, high = self.draw.low, self.draw.high
        if self.draw._narrow:
            count = 2 * words.value.type.count
            narrow = self.code.builder.bitcast(words.value, ir.VectorType(ir.I32, count))
            unit = Register(self.code, narrow).shift_down(8).to_float() * 2.0**-24
        else:
            unit = _unit(words)
        kind = np.dtype(self.draw.dtype).type
        most = unit.constant(np.nextafter(kind(high), kind(low)).item())
        return real.minimum(unit * (high - low) + low, most)

    def _normal(self, block: ir.Value) -> None:
        """Write the two numbers (Box and Muller) of each pair: sizes before all angles."""
        draw, pairs = self.draw, self.draw.blocks
        functions = elementary.FUNCTIONS
        angle = _unit(self._words_from(block, pairs)) * (2.0 * math.pi)
        size = functions["log1p"](-_unit(self._words(block))) * -2.0
        radius = size.call("llvm.sqrt")
        place = self.code.builder.mul(block, constant(2))
        for name, first in (("cos", 0), ("sin", pairs)):
            made = radius * functions[name](angle) * draw.high + draw.low
            if draw.dtype == "float32":
                kind = ir.VectorType(ir.FloatType(), made.value.type.count)
                made = Register(self.code, self.code.builder.fptrunc(made.value, kind))
            there = self.code.builder.add(place, constant(first))
            self._store(made, there, min(first + pairs, draw.count))

    def _store(self, made: Register, place: ir.Value, stop: int) -> None:
        """Write a vector, as far as it lies before `stop`."""
        code, width = self.code, made.value.type.count
        left = code.builder.sub(constant(stop), place)
        full = code.builder.icmp_signed(">=", left, constant(width))
        with code.only_if(full):
            code.store(made.value, self.numbers, place, self.draw.dtype)
        with code.only_if(code.builder.not_(full)):
            lanes = ir.Constant(ir.VectorType(INDEX, width), list(range(width)))
            mask = code.builder.icmp_signed("<", lanes, code.splat(left, width))
            code.store_masked(made.value, self.numbers, place, self.draw.dtype, mask)

    # ---- bits ------------------------------------------------------------------------------------
    def _words_from(self, block: ir.Value, skipped: int) -> Register:
        """Return the random words of a vector of blocks, beginning `skipped` words later."""
        builder = self.code.builder
        first = self._words(builder.add(block, constant(skipped // 2)))
        if skipped % 2 == 0:
            return first
        second = self._words(builder.add(block, constant(skipped // 2 + 1)))
        count = 2 * self.lanes
        picks = [*range(1, count), 2 * count - 2]
        return self._picked(first, second, picks)

    def _words(self, block: ir.Value) -> Register:
        """Return the random 64-bit words, two a block, of as many blocks as there are lanes."""
        counted = ir.Constant(ir.VectorType(INDEX, self.lanes), list(range(self.lanes)))
        counter = self._all(self.code.builder.add(self.counter, block))
        a, b = _halves(counter + Register(self.code, counted))
        c, d = self.upper
        low, high = self.key
        for _ in range(10):
            left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
            a, b, c, d = (
                right.shift_down(32) ^ b ^ low, right & _MASK, left.shift_down(32) ^ d ^ high, left & _MASK,
            )  # fmt: skip
            low, high = (low + _WEYL[0]) & _MASK, (high + _WEYL[1]) & _MASK
        picks = [each for lane in range(self.lanes) for each in (lane, lane + self.lanes)]
        return self._picked(a | b << 32, c | d << 32, picks)

    def _picked(self, one: Register, two: Register, picks: list[int]) -> Register:
        chosen = ir.Constant(ir.VectorType(ir.I32, len(picks)), picks)
        return Register(self.code, self.code.builder.shuffle_vector(one.value, two.value, chosen))

    def _all(self, value: ir.Value) -> Register:
        return Register(self.code, self.code.splat(value, self.lanes))


def _halves(words: Register) -> tuple[Register, Register]:
    """Return the lower and the upper 32 bits of 64-bit words."""
    return words & _MASK, words.shift_down(32)


def _unit(words: Register) -> Register:
    """Return float64 numbers in [0, 1) of 53 random bits."""
    return words.shift_down(11).to_float() * 2.0**-53
