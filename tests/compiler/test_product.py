"""Products of matrices: every size, form, type and target, against NumPy in double precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tests.compiler.guarded import call, guarded, targets

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.product import Matrix, Product, driver, plan
from chainrule.compiler.cpu.product.matrix import Store
from chainrule.compiler.cpu.target import Target
from chainrule.errors import ShapeError

TARGETS = targets()
LESSER = [name for name in TARGETS if name != "host"]
# rows, columns, depth
SMALL = [
    (1, 1, 1),
    (0, 3, 2),
    (3, 0, 2),
    (3, 2, 0),
    (10, 8, 2),
    (10, 2, 8),
    (32, 16, 16),
    (32, 1, 16),
    (9, 7, 3),
    (1, 7, 5),
]
ODD = [(13, 17, 19), (1, 100, 33), (37, 1, 130), (64, 10, 100), (10, 100, 64), (7, 49, 1), (5, 131, 257)]
LARGE = [(64, 100, 131), (101, 53, 64), (97, 311, 83)]
FORMS = ["NN", "NT", "TN", "TT"]


def matrix(array: np.ndarray) -> Matrix:
    batch = array.strides[0] // array.itemsize if array.ndim == 3 else 0
    row, column = (stride // array.itemsize for stride in array.strides[-2:])
    return Matrix(*array.shape[-2:], row, column, batch)


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def operands(form: str, size: tuple[int, int, int], dtype: str, *, at_end: bool = True) -> list[np.ndarray]:
    """Left and right as views of C-contiguous guarded arrays: T means that the transpose is stored."""
    rows, columns, depth = size
    sizes = [(rows, depth), (depth, columns)]
    made = []
    for kind, (first, second) in zip(form, sizes, strict=True):
        stored = numbers(*((second, first) if kind == "T" else (first, second)), dtype=dtype)
        array = guarded(stored, at_end=at_end)
        made.append(array.T if kind == "T" else array)
    return made


def product(left: np.ndarray, right: np.ndarray, out: np.ndarray, finish: Any = None) -> Product:
    batch = out.shape[0] if out.ndim == 3 else 1
    return Product(batch, matrix(left), matrix(right), matrix(out), out.dtype.name, finish)


def check(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    exact = left.astype(np.float64) @ right.astype(np.float64)
    size = np.abs(left).astype(np.float64) @ np.abs(right).astype(np.float64)
    allowed = (4 + left.shape[-1] ** 0.5) * np.finfo(out.dtype).eps * size
    assert np.all(np.abs(out - exact) <= allowed)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", SMALL + ODD, ids=str)
def test_the_numbers(size: tuple[int, int, int], form: str) -> None:
    for dtype, at_end in (("float32", True), ("float64", False)):
        left, right = operands(form, size, dtype, at_end=at_end)
        out = guarded(np.full(size[:2], np.nan, dtype), at_end=at_end)
        call(product(left, right, out), [left, right, out], TARGETS["host"], at_end=at_end)
        check(left, right, out)


@pytest.mark.parametrize("name", LESSER)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", SMALL[-2:] + ODD, ids=str)
def test_the_numbers_on_lesser_processors(size: tuple[int, int, int], form: str, name: str) -> None:
    dtype = "float32" if form[0] == "N" else "float64"
    left, right = operands(form, size, dtype)
    out = guarded(np.full(size[:2], np.nan, dtype))
    call(product(left, right, out), [left, right, out], TARGETS[name])
    check(left, right, out)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", LARGE, ids=str)
def test_the_same_bits_however_the_parts_are_cut(size: tuple[int, int, int], form: str, name: str) -> None:
    left, right = operands(form, size, "float32")
    out, again = (guarded(np.full(size[:2], np.nan, np.float32)) for _ in range(2))
    kernel = product(left, right, out)
    assert kernel.parts > 1
    call(kernel, [left, right, out], TARGETS[name])
    check(left, right, out)
    call(
        kernel, [left, right, again], TARGETS[name], cuts=[0, 1, 29, 30, kernel.parts // 2, kernel.parts - 1]
    )
    assert out.tobytes() == again.tobytes()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    ("form", "size"), [("TN", (97, 517, 200)), ("NT", (400, 60, 70)), ("TT", (70, 512, 193))]
)
def test_packed_operands(form: str, size: tuple[int, int, int], name: str) -> None:
    for dtype, at_end in (("float32", True), ("float64", False)):
        left, right = operands(form, size, dtype, at_end=at_end)
        out, again = (guarded(np.full(size[:2], np.nan, dtype)) for _ in range(2))
        kernel = product(left, right, out)
        call(kernel, [left, right, out], TARGETS[name], at_end=at_end)
        check(left, right, out)
        call(kernel, [left, right, again], TARGETS[name], cuts=[7, 100, 101])
        assert out.tobytes() == again.tobytes()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("form", FORMS)
def test_sums_computed_slice_by_slice(form: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (23, 70, 4600)
    left, right = operands(form, size, "float32")
    out, again = (guarded(np.full(size[:2], np.nan, np.float32)) for _ in range(2))
    kernel = product(left, right, out)
    assert kernel._work.deep
    side = kernel._work.transposed if form[0] == "N" else kernel._work  # both, whatever is quicker
    way = min(plan._ways(side, TARGETS[name]), key=lambda way: way.turns)
    monkeypatch.setattr(driver, "plan", lambda *_: (side, way))
    call(kernel, [left, right, out], TARGETS[name])
    check(left, right, out)
    call(kernel, [left, right, again], TARGETS[name], cuts=[7, 100, 101])
    assert out.tobytes() == again.tobytes()


@pytest.mark.parametrize(
    ("limit", "form", "size"), [("_BLOCK", "TN", (101, 515, 192)), ("_KEPT", "NN", (101, 70, 4200))]
)
def test_rows_that_come_block_by_block(
    limit: str, form: str, size: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, limit, 1)
    left, right = operands(form, size, "float32")
    out = guarded(np.full(size[:2], np.nan, np.float32))
    kernel = product(left, right, out)
    assert kernel._work.block < 101
    call(kernel, [left, right, out], TARGETS["host"], cuts=[0, 50, 120, 239])
    check(left, right, out)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("size", "dtype"), [((5, 7, 3), "float64"), ((33, 18, 40), "float32")], ids=str)
def test_batches_and_any_strides(size: tuple[int, int, int], dtype: str, name: str) -> None:
    rows, columns, depth = size
    left = guarded(numbers(3, 2 * rows, 3 * depth, dtype=dtype))[:, 1::2, 2::3]
    right = guarded(numbers(depth, 4 * columns, dtype=dtype))[:, ::4]
    by_row = np.full((3, rows, columns), np.nan, dtype)
    by_column = np.full((3, columns, rows), np.nan, dtype).transpose(0, 2, 1)
    apart = np.full((3, rows, 2 * columns), np.nan, dtype)[:, :, ::2]
    for out in (by_row, by_column, apart):
        call(product(left, right, out), [left, right, out], TARGETS[name])
        check(left, right, out)


def test_what_lies_between_the_columns_of_the_result_stays() -> None:
    left, right = operands("NN", (9, 21, 5), "float32")
    whole = guarded(np.full((9, 42), 7.0, np.float32))
    out = whole[:, ::2]
    call(product(left, right, out), [left, right, out], TARGETS["host"])
    check(left, right, out)
    assert np.all(whole[:, 1::2] == 7.0)


@dataclass(frozen=True)
class AddBias:
    """A finish of the test's own: adds a number of each column, and tells rows and batches apart."""

    out: Matrix
    flops: int = 0
    bytes: int = 0

    def emit(self, code: Code, pointers: Any, value: ir.Value, at: Any, *, lanes: int, mask: Any) -> None:
        out, bias, scale = pointers
        added = code.builder.fadd(value, code.load_masked(bias, at.column, "float32", lanes, mask))
        factor = code.splat(code.load(scale, at.row, "float32"), lanes)
        place = self.out.offset(code, at)
        code.store_masked(code.builder.fmul(added, factor), out, place, "float32", mask)

    def cycles(self, lanes: int) -> float:
        return 2.0

    def expect(self, code: Code, pointers: Any, at: Any, columns: int) -> None:
        Store(self.out, "float32").expect(code, pointers, at, columns)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(3, 5, 4), (40, 1, 24), (33, 50, 131)], ids=str)
def test_a_finish_instead_of_the_store(size: tuple[int, int, int], form: str, name: str) -> None:
    left, right = operands(form, size, "float32")
    out = guarded(np.full(size[:2], np.nan, np.float32))
    bias, scale = guarded(numbers(size[1], seed=1)), guarded(numbers(size[0], seed=2))
    call(product(left, right, out, AddBias(matrix(out))), [left, right, out, bias, scale], TARGETS[name])
    exact = (left.astype(np.float64) @ right.astype(np.float64) + bias) * scale[:, None]
    np.testing.assert_allclose(out, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("form", "size"), [("NT", (13, 37, 40)), ("TN", (50, 9, 21))], ids=str)
def test_every_way_gives_the_same_numbers(
    form: str, size: tuple[int, int, int], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = operands(form, size, "float32")
    bias, scale = guarded(numbers(size[1], seed=1)), guarded(numbers(size[0], seed=2))
    exact = (left.astype(np.float64) @ right.astype(np.float64) + bias) * scale[:, None]
    out = guarded(np.full(size[:2], np.nan, np.float32))
    kernel = product(left, right, out, AddBias(matrix(out)))
    sides = (kernel._work, kernel._work.transposed)
    ways = [(side, way) for side in sides for way in plan._ways(side, TARGETS[name])]
    assert {side.turned for side, _ in ways} == {False, True}
    for chosen in ways[::5]:
        monkeypatch.setattr(driver, "plan", lambda *_, chosen=chosen: chosen)
        out[...] = np.nan
        call(kernel, [left, right, out, bias, scale], TARGETS[name])
        np.testing.assert_allclose(out, exact, rtol=1e-4, atol=1e-4, err_msg=str(chosen))


def test_a_product_is_turned_where_its_rows_fill_the_lanes() -> None:
    left, right = numbers(64, 1000), numbers(100, 1000).T  # 100 columns are six vectors and a quarter
    work, _ = plan.plan(product(left, right, numbers(64, 100))._work, Target("", "", "", 512, 32))
    assert work.turned


def test_multipliers_of_a_processor_that_goes_by_an_older_name() -> None:
    older, newer = (Target("", "rocketlake", features, 512, 32) for features in ("", "+avx512fp16"))
    assert (older.multipliers, newer.multipliers) == (1, 2)


def test_numbers_that_are_not_finite_stay_in_their_rows_and_columns() -> None:
    for form in FORMS:
        left, right = operands(form, (21, 35, 40), "float32")
        left[3, 4], right[5, 6] = np.nan, np.inf
        out = guarded(np.full((21, 35), np.nan, np.float32))
        call(product(left, right, out), [left, right, out], TARGETS["host"])
        finite = np.ones((21, 35), bool)
        finite[3], finite[:, 6] = False, False
        assert np.array_equal(np.isfinite(out), finite)


def test_what_a_kernel_says_of_itself() -> None:
    left, right, out = numbers(8, 4), numbers(4, 6), numbers(8, 6)
    small, large = product(left, right, out), product(*(numbers(300, 300) for _ in range(3)))
    assert (small.parts, small.flops, small.bytes) == (1, 2 * 8 * 4 * 6, 4 * (32 + 24 + 48))
    assert large.parts > 1
    assert (
        repr(small)
        == repr(product(left, right, out))
        != repr(product(left, right, out, AddBias(matrix(out))))
    )
    with pytest.raises(ShapeError, match=r"^product: \(8, 4\) times \(6, 4\) into \(8, 6\)"):
        product(left, right.T, out)
