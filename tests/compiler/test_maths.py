"""The elementary functions in native code, against longer arithmetic: how far they are off.

An error is counted in units in the last place (ulp) of the exact result. The bounds are somewhat above
the largest errors of longer runs, which `maths/elementary.py` lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.number_kernels import TARGETS, apply

from chainrule.compiler.cpu.maths.elementary import FUNCTIONS

Array = np.ndarray[Any, Any]
ONE = ("exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf")
TWO = ("arctan2", "power")
BOUND = {"float32": 1.8, "float64": 2.6}
SPECIAL = [0.0, 1.0, 2.0, 3.0, 0.5, 1e-40, 1e-45, 1.5e-38, 88.8, 104.5, 1e5, 3e38, math.inf]
SPECIAL = [*SPECIAL, *(-each for each in SPECIAL), math.nan]


def exact(name: str, *args: Array) -> Array:
    """Return a function of float32 numbers, in float64."""
    function: Any = np.vectorize(math.erf) if name == "erf" else getattr(np, name)
    with np.errstate(all="ignore"):
        return function(*(arg.astype(np.float64) for arg in args))


def assert_close(found: Array, wanted: Array, bound: float, what: str) -> None:
    """Check float32 numbers against float64 ones."""
    with np.errstate(all="ignore"):
        nearest = wanted.astype(np.float32)
        _, power = np.frexp(wanted)
        unit = np.ldexp(1.0, np.maximum(power, -125) - 24)
        off = np.abs(found.astype(np.float64) - wanted) / unit
    plain = np.isfinite(nearest)
    np.testing.assert_array_equal(found[~plain], nearest[~plain], err_msg=what)
    assert off[plain].max(initial=0) <= bound, f"{what}: {off[plain].max()} ulp"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ONE)
def test_float32_everywhere(name: str, target: str) -> None:
    step = 60_013 if name == "erf" else 30_011  # a prime: all exponents, all kinds of mantissas
    x = np.arange(0, 1 << 32, step, dtype=np.uint32).view(np.float32)
    assert_close(apply(FUNCTIONS[name], x, target=target), exact(name, x), BOUND["float32"], name)


@pytest.mark.parametrize("name", ONE)
def test_float32_where_it_bends(name: str) -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(*ends, 20_000) for ends in ((-1, 2), (-10, 10), (-105, 89))])
    x = x.astype(np.float32)
    assert_close(apply(FUNCTIONS[name], x), exact(name, x), BOUND["float32"], name)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", TWO)
def test_float32_of_two_numbers(name: str, target: str) -> None:
    rng = np.random.default_rng(4)
    wide = np.exp2(rng.uniform(-120, 120, (2, 20_000))) * rng.choice([-1, 1], (2, 20_000))
    near = rng.uniform(0, 3, 20_000), rng.uniform(-80, 80, 20_000)
    small = np.exp2(rng.uniform(-120, 120, 20_000)), rng.uniform(-1, 1, 20_000)
    for args in (wide, near, small):
        x, y = (each.astype(np.float32) for each in args)
        assert_close(apply(FUNCTIONS[name], x, y, target=target), exact(name, x, y), BOUND["float32"], name)


def samples(name: str, count: int) -> list[Array]:
    """Return numbers (or pairs) at which a function of float64 numbers is hard in one way or another."""
    rng = np.random.default_rng(5)
    signs = rng.choice([-1.0, 1.0], count)
    tiny = np.exp2(rng.uniform(-900, 3, count)) * signs
    near_one = 1.0 + np.exp2(rng.uniform(-50, -1, count)) * signs
    wide = np.exp2(rng.uniform(-1000, 1000, count))
    circle = [rng.uniform(-1e9, 1e9, count), wide * signs, np.round(rng.uniform(0, 1e9, count)) * np.pi / 2]
    table: dict[str, list[Any]] = {
        "exp": [rng.uniform(-740, 709, count), tiny],
        "expm1": [rng.uniform(-40, 709, count), tiny],
        "log": [wide, near_one, wide * 2.0**-70],
        "log1p": [wide, tiny[tiny > -0.9], np.abs(near_one - 1.0) - 1.0],
        "sin": [tiny, *circle],
        "cos": [tiny, *circle],
        "tanh": [rng.uniform(-20, 20, count), tiny],
        "erf": [rng.uniform(-6, 6, count), tiny],
        "arctan2": [(tiny, rng.permutation(tiny)), rng.uniform(-1, 1, (2, count))],
        "power": [(near_one, rng.uniform(-900, 900, count)), (wide, rng.uniform(-1, 1, count))],
    }
    return [np.atleast_2d(each) for each in table[name]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_float64(name: str, target: str) -> None:
    mpmath = pytest.importorskip("mpmath", exc_type=ImportError)
    function: Callable[..., Any] = getattr(mpmath, {"arctan2": "atan2"}.get(name, name))
    with mpmath.workprec(160):
        for args in samples(name, 120):
            found = apply(FUNCTIONS[name], *args, target=target)
            for made, *point in zip(found.tolist(), *args.tolist(), strict=True):
                wanted = function(*map(mpmath.mpf, point))
                if abs(wanted) > np.finfo(np.float64).max or not wanted:
                    assert made == float(wanted)
                    continue
                unit = max(mpmath.mpf(2) ** (mpmath.frexp(wanted)[1] - 53), mpmath.mpf(2) ** -1074)
                assert abs(made - wanted) / unit <= BOUND["float64"], f"{name}{tuple(point)} = {made}"


def test_the_angle_that_is_hardest_to_reduce() -> None:
    """No float64 is nearer to a multiple of pi / 2 (Kahan 1983): 61 bits cancel."""
    x = np.full(8, 6381956970095103.0 * 2.0**797)
    np.testing.assert_allclose(apply(FUNCTIONS["cos"], x), -4.6871659242546276e-19, rtol=4e-16)
    np.testing.assert_array_equal(apply(FUNCTIONS["sin"], x), 1.0)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_special_numbers(name: str, dtype: str, target: str) -> None:
    points = np.meshgrid(SPECIAL, SPECIAL) if name in TWO else [np.array(SPECIAL)]
    args = [each.astype(dtype).ravel() for each in points]
    found = apply(FUNCTIONS[name], *args, target=target)
    with np.errstate(all="ignore"):
        wanted = exact(name, *args).astype(dtype)
    np.testing.assert_allclose(found, wanted, rtol=4 * np.finfo(dtype).eps, atol=2e-45)
    zero = wanted == 0
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(wanted[zero]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ONE)
def test_any_number_of_lanes_gives_the_same_bits(name: str, dtype: str) -> None:
    x = np.array([*SPECIAL, *np.linspace(-9, 9, 69)], dtype)
    wide = apply(FUNCTIONS[name], x)
    for lanes in (1, 2, 32):
        np.testing.assert_array_equal(apply(FUNCTIONS[name], x, lanes=lanes), wide)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_saturates_reaches_its_limit(dtype: str) -> None:
    x = np.linspace(20, 700, 64).astype(dtype)
    np.testing.assert_array_equal(apply(FUNCTIONS["tanh"], x), 1)
    np.testing.assert_array_equal(apply(FUNCTIONS["erf"], -x), -1)
    np.testing.assert_array_equal(apply(FUNCTIONS["expm1"], -2 * x), -1)
