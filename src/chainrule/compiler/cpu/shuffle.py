"""Shuffle: numbers in random order by native code, the very order that `core/stream.py` gives.

Random keys are dealt by their upper bits into about as many buckets as there are keys, and put in
order by insertion, which finds nearly all of them in place: the time grows as the count does, and a
number costs some ten nanoseconds. What is shuffled is not known here.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, Code, constant
from chainrule.compiler.cpu.draw import WORDS_A_PART, Draw
from chainrule.compiler.cpu.kernel import signature
from chainrule.compiler.cpu.machine import Library
from chainrule.compiler.cpu.pieces import Order, digest, pieces
from chainrule.compiler.cpu.target import Target, target
from chainrule.core.spec import Array
from chainrule.core.stream import Stream

_KEYS = Draw("words", 1 << 62, "int64", 0, 0)  # as many parts of it as are asked for


def permutation(stream: Stream, count: int) -> Array:
    """Return what `stream.permutation(count)` does, int64 (count,), and move the stream on likewise."""
    parts, bits = -(-count // WORDS_A_PART), max(1, (count - 1).bit_length())
    keys = np.empty(parts * WORDS_A_PART, np.int64)
    dealt = np.zeros(count + 1, np.int64)  # the smallest key stands before all, so that no search ends there
    starts, order = np.zeros(1 << bits, np.int64), np.empty(count, np.int64)
    state = np.array(stream.state, np.uint64)
    memory = (each.ctypes.data for each in (state, keys, dealt[1:], starts, order))
    _function()(*memory, parts, count, bits)
    stream.counter = (stream.counter + -(-count // 2)) % 2**64  # a block of the stream is two keys
    return order


@cache
def _function() -> Any:
    made_for = target()
    order = {digest("shuffle", made_for): Order(lambda: _text(made_for))}
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 3)
    return Library(pieces(order, made_for), made_for).function("shuffle", kind)


def _text(made_for: Target) -> str:
    """Return a module with `shuffle(state, keys, dealt, starts, order, parts, count, bits)`."""
    module = ir.Module(made_for.triple)
    draw = ir.Function(module, signature(2), "draw", internal=True)
    _KEYS.emit(draw, made_for)
    kind = ir.FunctionType(ir.VoidType(), [POINTER] * 5 + [INDEX] * 3)
    function = ir.Function(module, kind, "shuffle")
    state, keys, dealt, starts, order, parts, count, bits = function.args
    code = Code(function, made_for)
    code.builder.call(draw, [state, keys, POINTER(None), constant(0), parts])
    shift = code.builder.sub(constant(64), bits)
    _count(code, keys, starts, count, shift)
    _begin(code, starts, code.builder.shl(constant(1), bits))
    _deal(code, (keys, dealt, starts, order), count, shift)
    _insert(code, dealt, order, count)
    code.finish()
    return str(module)


def _count(code: Code, keys: ir.Value, starts: ir.Value, count: ir.Value, shift: ir.Value) -> None:
    """Write how many keys each bucket gets into `starts`."""
    with code.loop(0, count, name="counted") as place:
        bucket = code.builder.lshr(code.load(keys, place, np.int64), shift)
        before = code.load(starts, bucket, np.int64)
        code.store(code.builder.add(before, constant(1)), starts, bucket, np.int64)


def _begin(code: Code, starts: ir.Value, buckets: ir.Value) -> None:
    """Replace the size of each bucket by where it begins."""
    total = code.variable(constant(0))
    with code.loop(0, buckets, name="bucket") as bucket:
        size, begin = code.load(starts, bucket, np.int64), code.get(total)
        code.store(begin, starts, bucket, np.int64)
        code.set(total, code.builder.add(begin, size))


def _deal(code: Code, arrays: tuple[ir.Value, ...], count: ir.Value, shift: ir.Value) -> None:
    """Put each key and its number where its bucket goes on: equal keys stay in order."""
    keys, dealt, starts, order = arrays
    with code.loop(0, count, name="dealt") as number:
        key = code.load(keys, number, np.int64)
        bucket = code.builder.lshr(key, shift)
        place = code.load(starts, bucket, np.int64)
        code.store(code.builder.add(place, constant(1)), starts, bucket, np.int64)
        code.store(key, dealt, place, np.int64)
        code.store(number, order, place, np.int64)


def _insert(code: Code, dealt: ir.Value, order: ir.Value, count: ir.Value) -> None:
    """Move each key, and its number, before the larger ones that stand before it."""
    builder = code.builder

    def larger(place: ir.Value, key: ir.Value) -> ir.Value:
        before = code.load(dealt, builder.sub(place, constant(1)), np.int64)
        return builder.icmp_unsigned(">", before, key)

    with code.loop(1, count, name="inserted") as first:
        key = code.load(dealt, first, np.int64)
        with code.only_if(larger(first, key)):
            number, at = code.load(order, first, np.int64), code.variable(first)
            with code.as_long_as(lambda: larger(code.get(at), key)):
                place = code.get(at)
                before = builder.sub(place, constant(1))
                for array in (dealt, order):
                    code.store(code.load(array, before, np.int64), array, place, np.int64)
                code.set(at, before)
            code.store(key, dealt, code.get(at), np.int64)
            code.store(number, order, code.get(at), np.int64)
