"""Contractions as matrix products: whatever the order of the axes, the result is in its own."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize(
    "names", ["oc,ncp->nop", "abc,cd->adb", "abc,cd->dab", "abc,cd->bda", "nac,nbc->anb"]
)
@pytest.mark.parametrize("size", [3, 17])
def test_products_into_another_order_of_equal_axes(names, size):
    """Only the sizes would not tell that the result was made in another order."""
    left, right = (
        np.random.default_rng(len(each)).normal(size=(size,) * len(each))
        for each in names.partition("->")[0].split(",")
    )
    found = cr.compile(lambda x, y: cr.einsum(names, x, y))(left, right)
    np.testing.assert_allclose(found.data, np.einsum(names, left, right), rtol=1e-10, atol=1e-12)
