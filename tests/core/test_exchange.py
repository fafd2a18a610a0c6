"""Tensors handed to other libraries, which take their memory as it is."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


def test_numpy_shares_the_memory():
    x = cr.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert np.shares_memory(np.from_dlpack(x), x.data)


@pytest.mark.torch
def test_torch_takes_leaves_results_and_reversed_views():
    torch = pytest.importorskip("torch")
    x = cr.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for each in (x, x * 2, x[::-1], cr.tensor(3), cr.tensor([True, False])):
        for taken in (torch.tensor(each), torch.as_tensor(each), torch.from_dlpack(each)):
            np.testing.assert_array_equal(taken.numpy(), each.data)
            assert taken.numpy().dtype == each.dtype
