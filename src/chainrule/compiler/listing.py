"""Listing: the kernels of a program as text, in full or one line each.

It is for people; what the kernels compute is in their own `repr`, and how they run is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from chainrule.compiler.nests.buffer import Buffer

Work: TypeAlias = tuple[Any, list[Buffer], tuple[int, ...]]  # a kernel, its operands, which it writes


def listing(work: Sequence[Work]) -> str:
    """Return every kernel with the buffers it works on: loop nests in full, others by their description."""
    return "\n\n".join(f"# {kernel.name}: {_names(*rest)}\n{kernel!r}" for kernel, *rest in work)


def table(work: Sequence[Work], memory: int) -> str:
    """Return one line for each kernel: what it costs, into how many parts it is cut, what it touches."""
    lines = [f"{'kernel':<18}{'flops':>14}{'bytes':>14}{'parts':>7}  buffers (* written)"]
    for kernel, *rest in work:
        sizes = f"{kernel.flops:>14,}{kernel.bytes:>14,}{kernel.parts:>7}"
        lines.append(f"{kernel.name:<18}{sizes}  {_names(*rest)}")
    flops, bytes_ = (sum(getattr(each[0], what) for each in work) for what in ("flops", "bytes"))
    lines.append(f"{'all':<18}{flops:>14,}{bytes_:>14,}{'':>7}  {memory:,} bytes of memory")
    return "\n".join(lines)


def _names(buffers: Sequence[Buffer], writes: Sequence[int]) -> str:
    return " ".join(f"{'*' if place in writes else ''}{each.name}" for place, each in enumerate(buffers))
