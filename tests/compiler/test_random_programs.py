"""Random programs, compiled and eager: the same numbers, and no byte outside of the buffers.

A failure prints the program and its seed; `RandomProgram(seed)` makes it again.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.compiler.guarded import run_guarded
from tests.compiler.random_programs import RandomProgram

import chainrule as cr

PRECISION = {"float32": 2e-4, "float64": 1e-10}  # of the largest number: sums may cancel


def same(one, two, program):
    assert (one.shape, one.dtype) == (two.shape, two.dtype), str(program)
    if one.dtype.kind != "f":
        np.testing.assert_array_equal(one.data, two.data, str(program))
        return
    precision = PRECISION["float32" if program.single else "float64"]
    scale = np.abs(two.data)[np.isfinite(two.data)].max(initial=1)
    np.testing.assert_allclose(one.data, two.data, precision, precision * scale, err_msg=str(program))


def compare(program, function):
    compiled = cr.compile(function)
    for which in (0, 1):
        inputs = [cr.tensor(each) for each in program.arrays(which)]
        with np.errstate(all="ignore"):
            expected = function(*inputs)
            found = compiled(*inputs)
        for one, two in zip(found, expected, strict=True):
            same(one, two, program)
    assert compiled.traces == 1
    return compiled


@pytest.mark.parametrize("block", range(10))
@pytest.mark.parametrize("zeros", [False, True], ids=["sizes", "zeros"])
def test_values_and_gradients(block, zeros):
    for seed in range(3 * block, 3 * block + 3):
        program = RandomProgram(seed, length=5, zeros=zeros)
        compare(program, program.run)
        if program.differentiable:
            compare(program, program.gradients)


@pytest.mark.parametrize("seed", range(100, 110))
def test_code_stays_in_its_buffers(seed):
    program = RandomProgram(seed, length=6)
    compiled = compare(program, program.gradients if program.differentiable else program.run)
    for at_end in (True, False):
        run_guarded(compiled._latest.step, at_end=at_end)


def all_numbers(program):
    """Tell whether eager gradients are numbers: a NaN comes from 0 / 0, where rounding decides."""
    with np.errstate(all="ignore"):
        found = [program.gradients(*map(cr.tensor, program.arrays(which))) for which in (0, 1)]
    return all(np.isfinite(each.data).all() for gradients in found for each in gradients)


@pytest.mark.slow
def test_many():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for seed in range(1000, 1400):
            program = RandomProgram(seed, length=8, zeros=seed % 4 == 0)
            compare(program, program.run)
            if program.differentiable and all_numbers(program):
                compare(program, program.gradients)
