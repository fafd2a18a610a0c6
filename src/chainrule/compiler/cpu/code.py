"""Code: the vocabulary in which every kernel is written, over LLVM's own instructions.

Loops, variables that change in them, vectors, and reads and writes at element offsets. It knows
nothing of ops, shapes or layouts. Variables are stack slots; LLVM turns them into registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.target import Target

POINTER = ir.PointerType()
INDEX = ir.IntType(64)
_TYPES: dict[str, ir.Type] = {
    "float32": ir.FloatType(),
    "float64": ir.DoubleType(),
    "bool": ir.IntType(8),  # in memory; in registers a truth value is one bit
}


@cache
def type_of(dtype: npt.DTypeLike) -> ir.Type:
    """Return the LLVM type of one number in memory (a bool takes a byte)."""
    known = np.dtype(dtype)
    return _TYPES.get(known.name) or ir.IntType(8 * known.itemsize)


def constant(value: int) -> ir.Constant:
    """Return a known index."""
    return ir.Constant(INDEX, value)


class Code:
    """The body of one function that is being written.

    Indices are i64 values or Python integers. `lanes` 1 means a plain number, more a vector.
    """

    def __init__(self, function: ir.Function, target: Target) -> None:
        self.function, self.module, self.target = function, function.module, target
        self.entry = ir.Builder(function, function.append_basic_block("entry"))
        first = function.append_basic_block("body")
        self.entry.branch(first)
        self.builder = ir.Builder(function, first)

    # ---- control ---------------------------------------------------------------------------------
    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1, name: str = "i") -> Iterator[ir.Value]:
        """Repeat what is written inside for index start, start + step, ... below stop."""
        low, high = self.index(start), self.index(stop)
        before, body, after = self.builder.block, self._block(f"{name}.loop"), self._block(f"{name}.end")
        self.builder.cbranch(self.builder.icmp_signed("<", low, high), body, after)
        self.builder.position_at_end(body)
        index = self.builder.phi(INDEX, name)
        index.add_incoming(low, before)
        yield index
        following = self.builder.add(index, constant(step), flags=("nsw",))
        index.add_incoming(following, self.builder.block)
        self.builder.cbranch(self.builder.icmp_signed("<", following, high), body, after)
        self.builder.position_at_end(after)

    @contextmanager
    def only_if(self, condition: ir.Value) -> Iterator[None]:
        """Run what is written inside only where the condition holds."""
        body, after = self._block("then"), self._block("endif")
        self.builder.cbranch(condition, body, after)
        self.builder.position_at_end(body)
        yield
        self.builder.branch(after)
        self.builder.position_at_end(after)

    @contextmanager
    def as_long_as(self, condition: Callable[[], ir.Value]) -> Iterator[None]:
        """Repeat what is written inside while the condition, which is looked at before each turn, holds."""
        head, body, after = (self._block(f"while.{name}") for name in ("head", "body", "end"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(condition(), body, after)
        self.builder.position_at_end(body)
        yield
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def finish(self) -> None:
        """End the function."""
        self.builder.ret()

    def _block(self, name: str) -> ir.Block:
        return self.function.append_basic_block(name)

    # ---- values ----------------------------------------------------------------------------------
    def index(self, value: Any) -> ir.Value:
        """Return an index as a value."""
        return constant(value) if isinstance(value, int) else value

    def variable(self, initial: ir.Value) -> ir.Slot:
        """Return a place that holds a value and may be given another; read it with `get`."""
        place = self.entry.alloca(initial.type)
        self.builder.store(initial, place)
        return place

    def get(self, place: ir.Slot) -> ir.Value:
        """Return what a variable holds."""
        return self.builder.load(place, place.holds)

    def set(self, place: ir.Value, value: ir.Value) -> None:
        """Give a variable another value."""
        self.builder.store(value, place)

    def splat(self, value: ir.Value, lanes: int) -> ir.Value:
        """Return a vector of one number in every lane."""
        if lanes == 1 or isinstance(value.type, ir.VectorType):
            return value
        kind = ir.VectorType(value.type, lanes)
        if isinstance(value, ir.Constant):
            return ir.Constant(kind, [value.constant] * lanes)
        nothing = ir.Constant(kind, ir.UNDEFINED)
        one = self.builder.insert_element(nothing, value, ir.Constant(ir.I32, 0))
        picks = ir.Constant(ir.VectorType(ir.I32, lanes), [0] * lanes)
        return self.builder.shuffle_vector(one, nothing, picks)

    def vector(self, value: ir.Value) -> ir.Value:
        """Return a vector, or one of a single lane with a plain number."""
        if isinstance(value.type, ir.VectorType):
            return value
        nothing = ir.Constant(ir.VectorType(value.type, 1), ir.UNDEFINED)
        return self.builder.insert_element(nothing, value, ir.Constant(ir.I32, 0))

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """Return a * b + c, rounded once."""
        return self.call("llvm.fma", [a, b, c])

    def call(
        self, name: str, args: Sequence[ir.Value], result: ir.Type | None = None, flags: Sequence[str] = ()
    ) -> ir.Value:
        """Call an LLVM intrinsic that is overloaded on the type of its first argument."""
        kind = args[0].type
        signature = ir.FunctionType(result or kind, [each.type for each in args])
        function = self.module.declared(f"{name}.{_suffix(kind)}", signature)
        return self.builder.call(function, args, flags)

    # ---- memory ----------------------------------------------------------------------------------
    def at(self, pointer: ir.Value, offset: Any, dtype: npt.DTypeLike) -> ir.Value:
        """Return the address `offset` elements behind a pointer."""
        return self.builder.gep(pointer, self.index(offset), type_of(dtype))

    def load(self, pointer: ir.Value, offset: Any, dtype: npt.DTypeLike, lanes: int = 1) -> ir.Value:
        """Read a number, or as many neighbours as there are lanes."""
        kind = type_of(dtype)
        whole = kind if lanes == 1 else ir.VectorType(kind, lanes)
        return self.builder.load(self.at(pointer, offset, dtype), whole, np.dtype(dtype).itemsize)

    def store(self, value: ir.Value, pointer: ir.Value, offset: Any, dtype: npt.DTypeLike) -> None:
        """Write a number or a vector of neighbours."""
        self.builder.store(value, self.at(pointer, offset, dtype), np.dtype(dtype).itemsize)

    def prefetch(
        self,
        pointer: ir.Value,
        offset: Any,
        dtype: npt.DTypeLike,
        *,
        to_write: bool = False,
        far: bool = False,
    ) -> None:
        """Ask for the line `offset` elements behind a pointer, which need not be one of a buffer.

        `far`: into the second cache only.
        """
        signature = ir.FunctionType(ir.VoidType(), [POINTER, ir.I32, ir.I32, ir.I32])
        function = self.module.declared("llvm.prefetch.p0", signature)
        write, keep, data = (ir.Constant(ir.I32, each) for each in (int(to_write), 2 if far else 3, 1))
        self.builder.call(function, [self.at(pointer, offset, dtype), write, keep, data])

    def load_masked(
        self, pointer: ir.Value, offset: Any, dtype: npt.DTypeLike, lanes: int, mask: ir.Value | None
    ) -> ir.Value:
        """Read neighbours where the mask (one bit a lane; None: everywhere) is set, zeros elsewhere."""
        if mask is None:
            return self.load(pointer, offset, dtype, lanes)
        kind = ir.VectorType(type_of(dtype), lanes)
        signature = ir.FunctionType(kind, [POINTER, ir.I32, mask.type, kind])
        args = [self.at(pointer, offset, dtype), _alignment(dtype), mask, ir.Constant(kind, None)]
        function = self.module.declared(f"llvm.masked.load.{_suffix(kind)}.p0", signature)
        return self.builder.call(function, args)

    def neighbours(
        self, pointer: ir.Value, offset: ir.Value, dtype: npt.DTypeLike, lanes: int, mask: ir.Value | None,
        count: int, backwards: bool = False,
    ) -> ir.Value:  # fmt: skip
        """Read the elements of a buffer of `count` from `offset` on, upwards or backwards, under a mask."""
        if not backwards:
            return self._under_mask(pointer, offset, dtype, lanes, mask, count)
        mask = None if mask is None else self._reversed(mask)
        start = self.builder.sub(offset, constant(lanes - 1), flags=("nsw",))
        return self._reversed(self._under_mask(pointer, start, dtype, lanes, mask, count))

    def _under_mask(
        self, pointer: ir.Value, start: ir.Value, dtype: npt.DTypeLike, lanes: int, mask: ir.Value | None,
        count: int,
    ) -> ir.Value:  # fmt: skip
        """Read under a mask; where the processor has none for such items, whole vectors if they exist."""
        masks = self.target.vector_bits >= (256 if np.dtype(dtype).itemsize >= 4 else 512)
        if mask is None or masks or count < lanes:
            return self.load_masked(pointer, start, dtype, lanes, mask)
        whole, part, after = (self._block(name) for name in ("whole", "part", "read"))
        self.builder.cbranch(self.builder.icmp_unsigned("<=", start, constant(count - lanes)), whole, part)
        self.builder.position_at_end(whole)
        every = self.load(pointer, start, dtype, lanes)
        every = self.builder.select(mask, every, ir.Constant(every.type, None))
        self.builder.branch(after)
        self.builder.position_at_end(part)
        some = self.load_masked(pointer, start, dtype, lanes, mask)
        self.builder.branch(after)
        self.builder.position_at_end(after)
        made = self.builder.phi(every.type)
        made.add_incoming(every, whole)
        made.add_incoming(some, part)
        return made

    def _reversed(self, vector: ir.Value) -> ir.Value:
        count = vector.type.count
        picks = ir.Constant(ir.VectorType(ir.I32, count), list(reversed(range(count))))
        return self.builder.shuffle_vector(vector, ir.Constant(vector.type, ir.UNDEFINED), picks)

    def store_masked(
        self, value: ir.Value, pointer: ir.Value, offset: Any, dtype: npt.DTypeLike, mask: ir.Value | None
    ) -> None:
        """Write neighbours where the mask (None: everywhere) is set."""
        if mask is None:
            self.store(value, pointer, offset, dtype)
            return
        kind = value.type
        if np.dtype(dtype).kind in "iub" and np.dtype(dtype).itemsize < 8 and self.target.vector_bits == 512:
            # LLVM 22 writes a truncated item as wide as it was, if it knows that no other is meant.
            bits = self.builder.bitcast(mask, ir.IntType(mask.type.count))
            mask = self.builder.bitcast(self.builder.hidden(bits), mask.type)
        signature = ir.FunctionType(ir.VoidType(), [kind, POINTER, ir.I32, mask.type])
        args = [value, self.at(pointer, offset, dtype), _alignment(dtype), mask]
        function = self.module.declared(f"llvm.masked.store.{_suffix(kind)}.p0", signature)
        self.builder.call(function, args)

    def gather(
        self, pointer: ir.Value, offsets: ir.Value, dtype: npt.DTypeLike, mask: ir.Value | None
    ) -> ir.Value:
        """Read elements at a vector of offsets; where the mask is not set, element 0 instead."""
        offsets = self._kept(offsets, mask)
        kind = ir.VectorType(type_of(dtype), offsets.type.count)
        made: ir.Value = ir.Constant(kind, ir.UNDEFINED)
        for lane in range(kind.count):
            place = ir.Constant(ir.I32, lane)
            item = self.load(pointer, self.builder.extract_element(offsets, place), dtype)
            made = self.builder.insert_element(made, item, place)
        return made

    def scatter(
        self, value: ir.Value, pointer: ir.Value, offsets: ir.Value, dtype: npt.DTypeLike,
        mask: ir.Value | None,
    ) -> None:  # fmt: skip
        """Write elements at a vector of offsets, lane by lane, where the mask is set."""
        for lane in range(offsets.type.count):
            place = ir.Constant(ir.I32, lane)
            at, item = (self.builder.extract_element(each, place) for each in (offsets, value))
            if mask is None:
                self.store(item, pointer, at, dtype)
            else:
                with self.only_if(self.builder.extract_element(mask, place)):
                    self.store(item, pointer, at, dtype)

    def _kept(self, offsets: ir.Value, mask: ir.Value | None) -> ir.Value:
        return (
            offsets if mask is None else self.builder.select(mask, offsets, ir.Constant(offsets.type, None))
        )


def _alignment(dtype: npt.DTypeLike) -> ir.Constant:
    return ir.Constant(ir.I32, np.dtype(dtype).itemsize)


def _suffix(kind: ir.Type) -> str:
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_suffix(kind.element)}"
    return {"float": "f32", "double": "f64"}.get(kind.text, kind.text)
