"""Target: the processor that code is made for, as far as the kernels need to know it.

`CHAINRULE_TARGET` forces a lesser one than the host: `avx2` (256-bit vectors) or `sse` (128-bit).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from chainrule.errors import ArgumentError, nearest


@dataclass(frozen=True)
class Target:
    """A processor: LLVM's names for it, the width of a vector and the number of vector registers."""

    triple: str
    cpu: str
    features: str
    vector_bits: int
    registers: int

    def lanes(self, dtype: npt.DTypeLike) -> int:
        """Return how many numbers of a dtype one vector register holds."""
        return self.vector_bits // (8 * np.dtype(dtype).itemsize)

    @property
    def multipliers(self) -> int:
        """How many multiply-adds of whole vectors start in a cycle."""
        halved = self.cpu in _HALVED and "+avx512fp16" not in self.features
        return 1 if self.vector_bits == 512 and halved else 2

    @property
    def fused(self) -> bool:
        """Tell whether a * b + c, rounded once, is an instruction."""
        return self.vector_bits > 128 or "+fma," in self.features or not self.triple.startswith("x86")


# LLVM's names for processors that have 512-bit vectors, and one multiplier for them (or two for halves).
# It goes by model numbers, which virtual machines make up: half precision came with two multipliers.
_HALVED = {"znver4", "cannonlake", "icelake-client", "tigerlake", "rocketlake"}
_FORCED = {
    "avx2": ("haswell", "", 256, 16),
    "sse": ("nehalem", "", 128, 16),
}


def target() -> Target:
    """Return the target of this process: the host's, unless the environment asks for a lesser one."""
    return _target(os.environ.get("CHAINRULE_TARGET", ""))


@lru_cache(maxsize=4)
def _target(forced: str) -> Target:
    triple = llvm.get_default_triple()
    if forced:
        if forced not in _FORCED:
            raise ArgumentError(f"CHAINRULE_TARGET: unknown target {forced!r}", hint=nearest(forced, _FORCED))
        return Target(triple, *_FORCED[forced])
    features = llvm.get_host_cpu_features()
    wide = features.get("avx512f", False) and features.get("avx512vl", False)
    bits = 512 if wide else 256 if features.get("avx2", False) else 128
    registers = 32 if wide or not triple.startswith("x86") else 16
    return Target(triple, llvm.get_host_cpu_name(), features.flatten(), bits, registers)
