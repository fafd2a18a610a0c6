"""Clipping of gradients against PyTorch's."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError
from chainrule.optim import clip_grad_norm_, clip_grad_value_

GRADIENTS = [np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in ((3, 2), (4,), ())]


def ours():
    params = [cr.tensor(np.zeros_like(g), requires_grad=True) for g in GRADIENTS]
    for p, g in zip(params, GRADIENTS, strict=True):
        p.grad = cr.tensor(g)
    return [*params, cr.tensor(1.0, requires_grad=True)]  # the last one without a gradient


def theirs(torch):
    params = [torch.zeros(g.shape, requires_grad=True) for g in GRADIENTS]
    for p, g in zip(params, GRADIENTS, strict=True):
        p.grad = torch.tensor(g)
    return params


@pytest.mark.torch
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 100.0])
def test_norm(max_norm, norm_type) -> None:
    torch = pytest.importorskip("torch")
    mine, other = ours(), theirs(torch)
    arrays = [p.grad.data for p in mine[:-1]]
    norm = clip_grad_norm_(iter(mine), max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(other, max_norm, norm_type)
    assert norm.item() == pytest.approx(expected.item(), rel=1e-6)
    for p, q, array in zip(mine, other, arrays, strict=False):
        assert p.grad.data is array
        np.testing.assert_allclose(array, q.grad.numpy(), rtol=1e-5)


def test_value() -> None:
    params = ours()
    clip_grad_value_(params, 0.3)
    for p, g in zip(params, GRADIENTS, strict=False):
        np.testing.assert_allclose(p.grad.data, np.clip(g, -0.3, 0.3), rtol=1e-6)


def test_single_parameter_no_gradients_and_wrong_limits() -> None:
    params = ours()
    assert clip_grad_norm_(params[0], 1e9).item() == pytest.approx(np.linalg.norm(GRADIENTS[0]))
    assert clip_grad_norm_(params[3:], 1.0).item() == 0.0
    with pytest.raises(ArgumentError, match="max_norm must be"):
        clip_grad_norm_(params, -1.0)
    with pytest.raises(ArgumentError, match="norm_type must be"):
        clip_grad_norm_(params, 1.0, 0)
