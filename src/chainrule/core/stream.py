"""Random numbers as a function of (seed, counter): the Philox4x32-10 generator.

A draw never depends on threads, on the order of other streams or on the target that computes it,
so eager and compiled code see the same bits, and a run that is killed goes on from three integers.
Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
This module knows arrays, not tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.core.mode import mode
from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, TraceError

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_CHUNK = 1 << 13  # blocks at a time, so that the words of a chunk stay in the cache


def philox(seed: int, first: int, blocks: int, stream: int = 0) -> Array:
    """Return `4 * blocks` random uint32 words for the counters first, first + 1, ...

    `seed` is the 64-bit key; `stream` fills the upper half of the 128-bit counter.
    """
    words = np.empty((blocks, 4), np.uint32)
    for start in range(0, blocks, _CHUNK):
        _fill(words[start : start + _CHUNK], seed, first + start, stream)
    return words.reshape(-1)


def _fill(words: Array, seed: int, first: int, stream: int) -> None:
    """Ten rounds; four 32-bit words a counter, each in a uint64 so that products fit."""
    counter, upper = np.arange(len(words), dtype=np.uint64), np.uint64(stream)
    counter += np.uint64(first % 2**64)  # beyond the last counter comes the first
    a, b = counter & _MASK, counter >> _HALF
    c, d = np.full_like(a, upper & _MASK), np.full_like(a, upper >> _HALF)
    left, right = np.empty_like(a), np.empty_like(a)
    low, high = np.uint64(seed) & _MASK, np.uint64(seed) >> _HALF
    for _ in range(10):
        np.multiply(a, _MULTIPLIERS[0], out=left)
        np.multiply(c, _MULTIPLIERS[1], out=right)
        _mix(right, b, low, out=a)
        _mix(left, d, high, out=c)
        np.bitwise_and(right, _MASK, out=b)
        np.bitwise_and(left, _MASK, out=d)
        low, high = (low + _WEYL[0]) & _MASK, (high + _WEYL[1]) & _MASK
    for place, word in enumerate((a, b, c, d)):
        words[:, place] = word


def _mix(product: Array, word: Array, key: np.uint64, out: Array) -> None:
    """Write (upper half of product) ^ word ^ key."""
    np.right_shift(product, _HALF, out=out)
    np.bitwise_xor(out, word, out=out)
    np.bitwise_xor(out, key, out=out)


def _refuse_traced(what: str) -> None:
    """Raise while a function is traced: what happens here would happen then, and not at its runs."""
    if mode.trace is not None:
        raise TraceError(
            f"random: {what} while a function is compiled: that would be done once, not at every run",
            hint="cr.random.normal, uniform, integers and bernoulli draw anew at every run; "
            "seed, shuffle, initialise and make layers outside, and give what is drawn as an argument",
        )


class Stream:
    """A reproducible sequence of random numbers whose whole state is three integers.

    Raises TraceError when it is made, drawn from, read or set while a function is compiled: only the
    draws of ops (`cr.random.normal` and its kin) are made anew at every run.

    Example: two streams of one seed draw the same numbers.

    >>> bool((Stream(7).uniform((3,)) == Stream(7).uniform((3,))).all())
    True
    """

    def __init__(self, seed: int = 0, stream: int = 0) -> None:
        self.seed = self.stream = self.counter = 0
        self.state = (seed, stream, 0)

    @property
    def state(self) -> tuple[int, int, int]:
        """`(seed, stream, counter)`: assign it to go back to that point."""
        _refuse_traced("the state of a stream is read")
        return self.seed, self.stream, self.counter

    @state.setter
    def state(self, state: Sequence[int]) -> None:
        _refuse_traced("a stream is seeded or set")
        if len(state) != 3:
            raise ArgumentError(f"random state: must be three integers, got {state!r}")
        given: Any
        for name, given in zip(("seed", "stream", "counter"), state, strict=True):
            if not isinstance(given, int | np.integer) or not 0 <= given < 2**64:
                raise ArgumentError(f"random {name}: must be an integer in [0, 2**64), got {given!r}")
        seed, stream, counter = map(int, state)
        self.seed, self.stream, self.counter = seed, stream, counter

    def __repr__(self) -> str:
        return f"Stream(seed={self.seed}, stream={self.stream})"

    def bits(self, count: int) -> Array:
        """Return `count` random uint32 words; the counter moves on by whole blocks of four."""
        _refuse_traced("random numbers are drawn into an array")
        blocks = -(-int(count) // 4)  # NumPy's integers would overflow in the counter
        words = philox(self.seed, self.counter, blocks, self.stream)
        self.counter = (self.counter + blocks) % 2**64
        return words[:count]

    def bits64(self, count: int) -> Array:
        """Return `count` random uint64 words."""
        words = self.bits(2 * count).astype(np.uint64)
        return (words[1::2] << _HALF) | words[::2]

    def uniform(
        self, shape: Sequence[int], low: float = 0.0, high: float = 1.0, dtype: npt.DTypeLike = np.float32
    ) -> Array:
        """Return numbers in [low, high): 24 random bits in float32, 53 in float64."""
        count = math.prod(shape)
        if np.dtype(dtype) == np.float64:
            unit = (self.bits64(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        else:
            unit = (self.bits(count) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        scaled = unit * (high - low) + low
        # Rounding may reach `high` itself, which the half-open interval excludes.
        return np.minimum(scaled, np.nextafter(scaled.dtype.type(high), scaled.dtype.type(low))).reshape(
            shape
        )

    def normal(
        self, shape: Sequence[int], mean: float = 0.0, std: float = 1.0, dtype: npt.DTypeLike = np.float32
    ) -> Array:
        """Return normal numbers by the Box-Muller transform of two uniform ones."""
        count = math.prod(shape)
        pairs = -(-count // 2)
        unit = (self.bits64(2 * pairs) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        radius, angle = np.sqrt(-2.0 * np.log1p(-unit[:pairs])), 2.0 * np.pi * unit[pairs:]
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
        return (normal * std + mean).astype(dtype).reshape(shape)

    def integers(self, low: int, high: int, shape: Sequence[int]) -> Array:
        """Return int64 numbers in [low, high) by scaling 64 random bits (bias below 2**-32)."""
        if not low < high or high - low > 2**32:
            raise ArgumentError(f"random integers: need low < high at most 2**32 apart, got [{low}, {high})")
        upper = self.bits64(math.prod(shape)) >> _HALF
        return (((upper * np.uint64(high - low)) >> _HALF).astype(np.int64) + low).reshape(shape)

    def permutation(self, count: int) -> Array:
        """Return the numbers 0 .. count-1 in random order (int64): the stable order of random keys."""
        return _ordered(self.bits64(count))


def _ordered(keys: Array) -> Array:
    """Return the stable order of 64-bit keys, digit by digit: NumPy counts 16 bits in linear time."""
    order = np.arange(len(keys))
    for shift in (0, 16, 32, 48):
        digits = (keys[order] >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digits, kind="stable")]
    return order
