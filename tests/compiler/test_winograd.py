"""Convolutions by tiles: exact matrices, odd geometries against float64, what is not finite, bits, and bounds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from guarded import call, guarded, targets
from images import PAD1, blocked, operands, reference, unblocked

import chainrule as cr
from chainrule import nn
from chainrule.compiler.cpu.convolution import Geometry
from chainrule.compiler.cpu.winograd import Filters, Joined, Shards, Slid, pays
from chainrule.compiler.cpu.winograd.matrices import POINTS, Matrices

TARGETS = targets()
GEOMETRIES = {
    "primes": Geometry(19, 17, 7, 11, 23, 3, 3, pads=PAD1),
    "uneven pads": Geometry(5, 16, 6, 5, 18, 3, 3, pads=((0, 2), (1, 0))),
    "wide pads": Geometry(6, 16, 2, 3, 16, 3, 3, pads=((3, 4), (5, 2))),
    "two panels": Geometry(7, 16, 5, 5, 90, 3, 3, pads=PAD1),
    "many channels": Geometry(16, 130, 4, 4, 65, 3, 3, pads=PAD1),
    "one image": Geometry(1, 16, 9, 9, 16, 3, 3, pads=PAD1),
}
KERNELS = ("forward", "input", "weights")


def run(
    g: Geometry, kernel: str, arrays: list[np.ndarray], target: str = "host",
    cuts: tuple[int, ...] = (), *, at_end: bool = True,
) -> np.ndarray:  # fmt: skip
    """Run the kernels of a convolution by tiles between protected pages; return the result."""
    dtype, kind = arrays[0].dtype.name, TARGETS[target]
    first, second, result = (guarded(each, at_end=at_end) for each in arrays)
    if kernel == "weights":
        shards = Shards(g, dtype)
        sums = guarded(np.full((shards.parts, shards.sums), np.nan, dtype), at_end=at_end)
        call(shards, [first, second, sums], kind, within(cuts, shards.parts), at_end=at_end)
        joined = Joined(g, dtype)
        call(joined, [sums, first, second, result], kind, within(cuts, joined.parts), at_end=at_end)
        return np.array(result)
    filters = Filters(g.o, g.c, dtype, kernel == "input")
    points = guarded(np.full(filters.shape, np.nan, dtype), at_end=at_end)
    call(filters, [second, points], kind, within(cuts, filters.parts), at_end=at_end)
    slid = Slid(g, dtype, kernel == "input")
    call(slid, [first, second, points, result], kind, within(cuts, slid.parts), at_end=at_end)
    images = unblocked(np.array(result))
    assert not images[g.n :].any()
    return images[: g.n]


def within(cuts: tuple[int, ...], parts: int) -> tuple[int, ...]:
    """Return cuts, given in hundredths, of so many parts."""
    return tuple(cut * parts // 100 for cut in cuts)


@pytest.mark.parametrize(("outputs", "taps"), [(4, 3), (3, 4), (1, 6), (6, 1)])
def test_matrices_give_the_sums_exactly(outputs: int, taps: int) -> None:
    found, draw = Matrices(outputs, taps), np.random.default_rng(3)
    x, w = ([Fraction(int(each)) for each in draw.integers(-9, 9, size)] for size in (POINTS, taps))

    def applied(matrix: Any, vector: list[Fraction]) -> list[Fraction]:
        return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]

    pairs = zip(applied(found.values_in, x), applied(found.taps_in, w), strict=True)
    sums = applied(found.back, [a * b for a, b in pairs])
    assert sums == [sum(x[i + j] * w[j] for j in range(taps)) for i in range(outputs)]


def test_matrices_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 outputs and 3 taps do not meet 6 inputs"):
        Matrices(3, 3)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_against_double_precision(name: str, kernel: str) -> None:
    for dtype, bound in (("float32", 5e-6), ("float64", 1e-14)):
        arrays, wanted = operands(GEOMETRIES[name], kernel, dtype)
        for at_end in (True, False):
            got = run(GEOMETRIES[name], kernel, arrays, at_end=at_end)
            assert np.abs(got - wanted).max() <= bound * np.abs(wanted).max()


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "host"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_other_targets(kernel: str, target: str) -> None:
    g = GEOMETRIES["primes"]
    for dtype, bound in (("float32", 5e-6), ("float64", 1e-14)):
        arrays, wanted = operands(g, kernel, dtype)
        assert np.abs(run(g, kernel, arrays, target) - wanted).max() <= bound * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["primes", "two panels", "many channels"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_bits_for_any_split(name: str, kernel: str) -> None:
    arrays, _ = operands(GEOMETRIES[name], kernel, "float32")
    whole = run(GEOMETRIES[name], kernel, arrays)
    for cuts in [(50,), (20, 20, 70), (1, 10, 35, 60, 99)]:
        assert np.array_equal(whole, run(GEOMETRIES[name], kernel, arrays, cuts=cuts, at_end=False))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize("kernel", KERNELS)
def test_what_is_not_finite_spreads_no_further_than_its_taps(kernel: str, odd: float) -> None:
    g, draw = GEOMETRIES["primes"], np.random.default_rng(5)
    x, w, up = (
        draw.standard_normal(shape).astype(np.float32)
        for shape in ((g.n, g.c, g.h, g.w), (g.o, g.c, 3, 3), (g.n, g.o, g.out_h, g.out_w))
    )
    (up if kernel == "input" else x)[3, 2, 1, 4] = odd
    # Zeros that meet what is not finite: their products are NaN, and only they.
    (up if kernel == "weights" else w)[1, 2] = 0
    arrays = {
        "forward": [blocked(x), w, blocked(up)],
        "input": [blocked(up), w, blocked(x)],
        "weights": [blocked(up), blocked(x), w.copy()],
    }[kernel]
    with np.errstate(all="ignore"):
        wanted = reference(g, x, w, up)[kernel].astype(np.float32)
    got = run(g, kernel, arrays)
    assert np.isfinite(wanted).any()
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    same = np.isfinite(wanted)
    assert np.array_equal(got[np.isinf(wanted)], wanted[np.isinf(wanted)])
    assert np.abs(got[same] - wanted[same]).max() <= 1e-5 * np.abs(wanted[same]).max()


def test_enough_parts_for_four_threads() -> None:
    for c, side in ((16, 32), (32, 16), (64, 8)):
        g = Geometry(128, c, side, side, c, 3, 3, pads=PAD1)
        kernels = Filters(c, c, "float32", False), Slid(g, "float32", False), Shards(g, "float32"), Joined(g, "float32")  # fmt: skip
        assert all((each.parts >= 4 and each.parts % 4 == 0) or each.parts > 32 for each in kernels)


@pytest.mark.parametrize(
    ("g", "tiles"),
    [
        (Geometry(128, 16, 32, 32, 16, 3, 3, pads=PAD1), True),
        (Geometry(64, 128, 4, 4, 256, 3, 3, pads=PAD1), True),
        (Geometry(128, 3, 32, 32, 16, 3, 3, pads=PAD1), False),
        (Geometry(128, 16, 32, 32, 32, 3, 3, (2, 2), PAD1), False),
        (Geometry(128, 32, 32, 32, 32, 3, 3, pads=((2, 2), (2, 2)), dilation=(2, 2)), False),
        (Geometry(128, 32, 32, 32, 32, 3, 3, pads=PAD1, groups=2), False),
        (Geometry(128, 32, 32, 32, 32, 5, 5), False),
        (Geometry(128, 64, 1, 1, 64, 3, 3, pads=PAD1), False),
    ],
)
def test_tiles_are_for_where_they_save_work(g: Geometry, tiles: bool) -> None:
    assert pays(g, 4) == tiles


def test_a_compiled_step_equals_the_eager_one() -> None:
    draw = np.random.default_rng(11)
    x, y = draw.standard_normal((19, 16, 9, 7)).astype(np.float32), draw.integers(0, 4, 19)

    def trained(compiled: bool) -> tuple[list[float], dict[str, np.ndarray]]:
        cr.random.seed(2)
        model = nn.Sequential(
            nn.Conv2d(16, 20, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(20, 17, 3),
            nn.Flatten(),
            nn.Linear(17 * 35, 4),
        )
        optimizer = cr.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        loss_of = nn.CrossEntropyLoss()

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = cr.compile(step) if compiled else step
        losses = [float(run(cr.tensor(x), cr.tensor(y))) for _ in range(10)]
        if compiled:
            assert "dw joined" in run.table()  # pyright: ignore
        return losses, {name: np.array(each.data) for name, each in model.named_parameters()}

    (losses, state), (others, other) = trained(True), trained(False)
    assert losses == pytest.approx(others, rel=1e-5)
    for name, values in state.items():
        assert np.abs(values - other[name]).max() <= 2e-5 * np.abs(other[name]).max(), name
