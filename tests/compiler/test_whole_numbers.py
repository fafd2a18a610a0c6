"""Python integers next to arrays whose dtype does not hold them: as in eager mode, errors included."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError

NUMBERS = (-1, 300, 2**31, 2**32 + 5, -(2**63) - 1, 2**63, 2**64, 10**30, 10**400)
OPS = (cr.add, cr.subtract, cr.multiply, cr.divide, cr.maximum, cr.floor_divide, cr.less, cr.equal)
CALLS = {
    (op.name, side, place): call
    for place, number in enumerate(NUMBERS)
    for op in OPS
    for side, call in (
        ("left", lambda x, op=op, number=number: op(number, x)),
        ("right", lambda x, op=op, number=number: op(x, number)),
    )
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "uint64", "float32", "float64"])
def test_out_of_range(dtype: str) -> None:
    x = np.array([0, 1, 44, 200, 2]).astype(dtype)
    expected: dict[Any, Any] = {}
    for name, f in CALLS.items():
        try:
            expected[name] = f(cr.tensor(x)).data
        except ArgumentError as error:
            with pytest.raises(ArgumentError, match=re.escape(error.headline)):
                cr.compile(f)(x)
    found = cr.compile(lambda x: [CALLS[name](x) for name in expected])(x)
    assert len(found) > 20
    for one, (name, two) in zip(found, expected.items(), strict=True):
        assert one.dtype == two.dtype, name
        np.testing.assert_allclose(
            one.data, two, rtol=1e-6 if two.dtype.itemsize < 8 else 1e-14, err_msg=str(name)
        )


def test_gradients_of_products_with_huge_numbers() -> None:
    w = cr.tensor([1.0, 2.0], requires_grad=True)

    @cr.compile
    def f() -> Any:
        w.grad = None
        (w * 10**20 * w).sum().backward()

    f()
    np.testing.assert_allclose(w.grad.data, [2e20, 4e20], rtol=1e-6)


def test_what_has_no_number_with_the_same_effect_is_refused() -> None:
    with pytest.raises(ArgumentError, match="9223372036854775808 is no int64"):
        cr.compile(lambda x: cr.clip(x, 0, 2**63))(np.arange(3))


@pytest.mark.parametrize("number", [300, 2**70])
def test_borders_that_the_dtype_does_not_hold_are_refused(number: int) -> None:
    for f in (cr.pad, cr.compile(cr.pad)):
        with pytest.raises(ArgumentError, match=r"constant_pad\(x\): Python int"):
            f(np.ones(3, np.uint8), 1, constant_values=number)


@pytest.mark.parametrize("target", ["", "avx2", "sse"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32"])
def test_narrow_integers_are_written_by_themselves(
    dtype: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_TARGET", target)
    around = np.full(100, 1, dtype)
    state = cr.tensor(np.zeros((2, 33), dtype))
    state.data = around[:66].reshape(2, 33)

    @cr.compile
    def f(x: Any) -> None:
        state.assign(x.max(axis=1).astype("int64").astype(dtype))

    x = np.arange(2 * 3 * 33.0).reshape(2, 3, 33)
    f(x)
    assert state.tolist() == x[:, 2].astype("int64").astype(dtype).tolist()
    assert around[66:].tolist() == [1] * 34
