"""Convolutions by tiles: exact matrices, odd geometries against float64, what is not finite, bits, and bounds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.compiler.guarded import call, guarded, targets
from tests.compiler.images import PAD1, blocked, operands, reference, unblocked
from tests.compiler.programs import training

import chainrule as cr
from chainrule import nn
from chainrule.compiler.cpu.convolution import Geometry
from chainrule.compiler.cpu.winograd import Direction, Filters, Joined, Shards, Slid, Tile, tile_of
from chainrule.compiler.cpu.winograd.matrices import Matrices
from chainrule.compiler.cpu.winograd.passes import FEWEST, Cut, forward, tiles

TARGETS = targets()
PAD2 = ((2, 2), (2, 2))
GEOMETRIES = {
    "primes": Geometry(19, 17, 7, 11, 23, 3, 3, pads=PAD1),
    "uneven pads": Geometry(5, 16, 6, 5, 18, 3, 3, pads=((0, 2), (1, 0))),
    "wide pads": Geometry(6, 16, 2, 3, 16, 3, 3, pads=((3, 4), (5, 2))),
    "two panels": Geometry(7, 16, 5, 5, 90, 3, 3, pads=PAD1),
    "many channels": Geometry(16, 130, 4, 4, 65, 3, 3, pads=PAD1),
    "one image": Geometry(1, 16, 9, 9, 16, 3, 3, pads=PAD1),
    "5 x 5": Geometry(19, 6, 14, 13, 17, 5, 5),
    "5 x 5, wide pads": Geometry(17, 16, 4, 5, 16, 5, 5, pads=((4, 7), (2, 6))),
    "wide rows": Geometry(5, 40, 9, 70, 16, 5, 5, pads=PAD2),
    "one row": Geometry(18, 19, 1, 23, 16, 1, 3, pads=((0, 0), (1, 1))),
    "one column": Geometry(3, 16, 23, 1, 16, 3, 2, pads=PAD1),
    "2 x 4": Geometry(33, 3, 9, 10, 16, 2, 4, pads=((1, 0), (0, 3))),
    "7 x 3": Geometry(3, 16, 8, 9, 17, 7, 3, pads=((3, 3), (1, 1))),
}
KERNELS: tuple[Direction, ...] = ("forward", "input", "weights")
TILES = {"strips": 0, "squares": 1}
CASES = [
    (name, kernel, kind)
    for name, g in GEOMETRIES.items()
    for kernel in KERNELS
    for kind, place in TILES.items()
    if place < len(tiles(g)) and (g.c if kernel == "input" else g.o) >= FEWEST
]


def run(
    g: Geometry, tile: Tile, kernel: str, arrays: list[np.ndarray], target: str = "host",
    *, cuts: tuple[int, ...] = (), at_end: bool = True,
) -> np.ndarray:  # fmt: skip
    """Run the kernels of a convolution by tiles between protected pages; return the result."""
    dtype, kind = arrays[0].dtype.name, TARGETS[target]
    first, second, result = (guarded(each, at_end=at_end) for each in arrays)
    if kernel == "weights":
        shards = Shards(g, tile, dtype)
        sums = guarded(np.full((shards.parts, shards.sums), np.nan, dtype), at_end=at_end)
        call(shards, [first, second, sums], kind, within(cuts, shards.parts), at_end=at_end)
        joined = Joined(g, tile, dtype)
        call(joined, [sums, first, second, result], kind, within(cuts, joined.parts), at_end=at_end)
        return np.array(result)
    filters = Filters(g.o, g.c, tile, dtype, kernel == "input")
    points = guarded(np.full(filters.shape, np.nan, dtype), at_end=at_end)
    call(filters, [second, points], kind, within(cuts, filters.parts), at_end=at_end)
    slid = Slid(g, tile, dtype, kernel == "input")
    call(slid, [first, second, points, result], kind, within(cuts, slid.parts), at_end=at_end)
    images = unblocked(np.array(result))
    assert not images[g.n :].any()
    return images[: g.n]


def within(cuts: tuple[int, ...], parts: int) -> tuple[int, ...]:
    """Return cuts, given in hundredths, of so many parts."""
    return tuple(cut * parts // 100 for cut in cuts)


@pytest.mark.parametrize(("outputs", "taps"), [(4, 3), (3, 4), (1, 6), (6, 1), (2, 5), (3, 2), (1, 1)])
def test_matrices_give_the_sums_exactly(outputs: int, taps: int) -> None:
    found, draw = Matrices(outputs, taps), np.random.default_rng(3)
    x, w = (
        [Fraction(int(each)) for each in draw.integers(-9, 9, size)] for size in (outputs + taps - 1, taps)
    )

    def applied(matrix: Any, vector: list[Fraction]) -> list[Fraction]:
        return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]

    pairs = zip(applied(found.values_in, x), applied(found.taps_in, w), strict=True)
    sums = applied(found.back, [a * b for a, b in pairs])
    assert sums == [sum(x[i + j] * w[j] for j in range(taps)) for i in range(outputs)]


def test_matrices_of_too_many_points_are_refused() -> None:
    with pytest.raises(ValueError, match="4 outputs of 4 taps need 7 points of 6"):
        Matrices(4, 4)


@pytest.mark.parametrize(("name", "kernel", "kind"), CASES)
def test_against_double_precision(name: str, kernel: str, kind: str) -> None:
    g = GEOMETRIES[name]
    for dtype, bound in (("float32", 5e-6), ("float64", 1e-14)):
        arrays, wanted = operands(g, kernel, dtype)
        for at_end in (True, False):
            got = run(g, tiles(g)[TILES[kind]], kernel, arrays, at_end=at_end)
            assert np.abs(got - wanted).max() <= bound * np.abs(wanted).max()


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "host"])
@pytest.mark.parametrize(
    ("name", "kernel", "kind"), [case for case in CASES if case[0] in ("primes", "5 x 5, wide pads")]
)
def test_other_targets(name: str, kernel: str, kind: str, target: str) -> None:
    g = GEOMETRIES[name]
    for dtype, bound in (("float32", 5e-6), ("float64", 1e-14)):
        arrays, wanted = operands(g, kernel, dtype)
        got = run(g, tiles(g)[TILES[kind]], kernel, arrays, target)
        assert np.abs(got - wanted).max() <= bound * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("name", "kernel", "kind"),
    [case for case in CASES if case[0] in ("primes", "two panels", "many channels", "5 x 5", "wide rows")],
)
def test_equal_bits_for_any_split(name: str, kernel: str, kind: str) -> None:
    g = GEOMETRIES[name]
    tile = tiles(g)[TILES[kind]]
    arrays, _ = operands(g, kernel, "float32")
    whole = run(g, tile, kernel, arrays)
    for cuts in [(50,), (20, 20, 70), (1, 10, 35, 60, 99)]:
        assert np.array_equal(whole, run(g, tile, kernel, arrays, cuts=cuts, at_end=False))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize(
    ("name", "kernel", "kind"), [case for case in CASES if case[0] in ("primes", "5 x 5, wide pads")]
)
def test_what_is_not_finite_spreads_no_further_than_its_taps(
    name: str, kernel: str, kind: str, odd: float
) -> None:
    g, draw = GEOMETRIES[name], np.random.default_rng(5)
    x, w, up = (
        draw.standard_normal(shape).astype(np.float32)
        for shape in ((g.n, g.c, g.h, g.w), (g.o, g.c, g.kh, g.kw), (g.n, g.o, g.out_h, g.out_w))
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
    got = run(g, tiles(g)[TILES[kind]], kernel, arrays)
    assert np.isfinite(wanted).any()
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    same = np.isfinite(wanted)
    assert np.array_equal(got[np.isinf(wanted)], wanted[np.isinf(wanted)])
    assert np.abs(got[same] - wanted[same]).max() <= 1e-5 * np.abs(wanted[same]).max()


@pytest.mark.parametrize(
    "g",
    [
        Geometry(128, 16, 32, 32, 16, 3, 3, pads=PAD1),
        Geometry(128, 32, 16, 16, 32, 3, 3, pads=PAD1),
        Geometry(128, 64, 8, 8, 64, 3, 3, pads=PAD1),
        Geometry(128, 16, 14, 14, 16, 5, 5),
        Geometry(32, 16, 14, 14, 16, 5, 5),
    ],
)
@pytest.mark.parametrize("kind", TILES)
def test_enough_parts_for_four_threads(g: Geometry, kind: str) -> None:
    tile = tiles(g)[TILES[kind]]
    kernels = Filters(g.c, g.c, tile, "float32", False), Slid(g, tile, "float32", False), Shards(g, tile, "float32"), Joined(g, tile, "float32")  # fmt: skip
    assert all(-(-each.parts // 4) * 4 <= 1.25 * each.parts for each in kernels)  # a quarter idle at most


@pytest.mark.parametrize("g", [GEOMETRIES["wide rows"], Geometry(16, 512, 40, 100, 16, 5, 5, pads=PAD2)])
def test_lines_of_tiles_stay_in_the_second_cache(g: Geometry) -> None:
    sizes = forward(g, tiles(g)[0], 4)
    found = Cut.of(sizes, g.c, 1 << 18, 4)
    assert found.tiles * found.strips >= sizes.across
    assert found.lines * found.bands >= sizes.down
    assert found.read * found.tiles * g.c * 6 * 64 <= 1 << 18 or found.tiles == found.lines == 1


@pytest.mark.parametrize(
    ("g", "squares", "strips"),
    [
        (Geometry(128, 16, 32, 32, 16, 3, 3, pads=PAD1), KERNELS, ()),
        (Geometry(64, 128, 4, 4, 256, 3, 3, pads=PAD1), KERNELS, ()),
        (Geometry(128, 16, 32, 32, 32, 3, 3, (2, 2), PAD1), (), ()),
        (Geometry(128, 32, 32, 32, 32, 3, 3, pads=PAD2, dilation=(2, 2)), (), ()),
        (Geometry(128, 32, 32, 32, 32, 3, 3, pads=PAD1, groups=2), (), ()),
        (Geometry(128, 64, 1, 1, 64, 3, 3, pads=PAD1), (), ()),
        (Geometry(128, 64, 8, 8, 64, 1, 1), (), ()),
        (Geometry(128, 6, 14, 14, 16, 5, 5), (), ("forward", "weights")),
        (Geometry(64, 64, 28, 28, 64, 5, 5, pads=PAD2), KERNELS, ()),
        (Geometry(128, 3, 32, 32, 32, 3, 3, pads=PAD1), (), ()),
        (Geometry(64, 32, 1, 256, 32, 1, 3, pads=((0, 0), (1, 1))), (), KERNELS),
        (Geometry(128, 64, 8, 8, 64, 7, 7, pads=((3, 3), (3, 3))), (), ()),
        (Geometry(64, 16, 16, 16, 16, 7, 3, pads=((3, 3), (1, 1))), (), KERNELS),
    ],
)
def test_tiles_are_for_where_they_save_work(
    g: Geometry, squares: tuple[Direction, ...], strips: tuple[Direction, ...]
) -> None:
    found = {kernel: tile_of(g, kernel, 4) for kernel in KERNELS}
    rows = {kernel: tile.rows for kernel, tile in found.items() if tile}
    assert rows == dict.fromkeys(squares, 1) | dict.fromkeys(strips, g.kh)


@pytest.mark.parametrize(
    ("channels", "window", "side"), [((32, 35, 17), 3, 12), ((6, 16, 17), 5, 14)], ids=["squares", "strips"]
)
def test_a_compiled_step_equals_the_eager_one(channels: tuple[int, int, int], window: int, side: int) -> None:
    draw, (first, second, third) = np.random.default_rng(11), channels
    x, y = draw.standard_normal((19, first, side, side)).astype(np.float32), draw.integers(0, 4, 19)

    def trained(compiled: bool) -> tuple[list[float], dict[str, np.ndarray]]:
        cr.random.seed(2)
        model = nn.Sequential(
            nn.Conv2d(first, second, window),
            nn.ReLU(),
            nn.Conv2d(second, third, window, padding=window // 2),
            nn.Flatten(),
            nn.Linear(third * (side + 1 - window) ** 2, 4),
        )
        step = training(model, cr.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
        run = cr.compile(step) if compiled else step
        losses = [float(run(cr.tensor(x), cr.tensor(y))) for _ in range(10)]
        if compiled:
            table = run.table()  # pyright: ignore
            assert "dw joined" in table
            assert "filters" in table
        return losses, {name: np.array(each.data) for name, each in model.named_parameters()}

    (losses, state), (others, other) = trained(True), trained(False)
    assert losses == pytest.approx(others, rel=1e-5)
    for name, values in state.items():
        assert np.abs(values - other[name]).max() <= 2e-5 * np.abs(other[name]).max(), name
