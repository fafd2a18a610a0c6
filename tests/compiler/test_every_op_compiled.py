"""Every op of the registry, compiled: value and gradients are those of the eager engine."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn
import chainrule.optim
from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY

OPS = [
    op
    for op in REGISTRY.values()
    if isinstance(op, Op) and op.pure and op.__module__.startswith("chainrule.")
]


def same(one, two):
    """Integers and truth agree; floats but for the order of sums and the last bits of functions."""
    assert one.dtype == two.dtype
    precision = {"float32": (2e-5, 1e-6), "float64": (1e-11, 1e-13)}.get(one.dtype.name, (0, 0))
    np.testing.assert_allclose(np.asarray(one), np.asarray(two), *precision)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_op(op, dtype):
    for sample in op.samples:
        first, second = sample.arrays(dtype, seed=0), sample.arrays(dtype, seed=1)
        compiled = cr.compile(lambda *inputs, op=op, sample=sample: op(*inputs, **sample.params))
        for arrays in (first, second):
            tensors = [each if each is None else cr.tensor(each) for each in arrays]
            same(compiled(*tensors), op(*tensors, **sample.params))
        assert compiled.traces == 1


@pytest.mark.parametrize("op", [op for op in OPS if op.differentiable], ids=lambda op: op.name)
def test_gradients(op):
    for sample in op.samples:
        floats = [
            i
            for i, x in enumerate(sample.arrays(np.float64))
            if getattr(x, "dtype", np.dtype("i")).kind == "f"
        ]
        if not floats or sample.skip_gradient:
            continue

        def gradients(*arrays, sample=sample, floats=floats):
            def total(*chosen):
                inputs = list(arrays)
                for place, each in zip(floats, chosen, strict=True):
                    inputs[place] = each
                value = op(*inputs, **sample.params)
                return (value * value).sum()

            return cr.grad(total, argnums=tuple(range(len(floats))))(*(arrays[i] for i in floats))

        compiled = cr.compile(gradients)
        for seed in (0, 1):
            arrays = [each if each is None else cr.tensor(each) for each in sample.arrays(np.float64, seed)]
            for one, two in zip(compiled(*arrays), gradients(*arrays), strict=True):
                same(one, two)
