"""Products of matrices: every size, form, type and target, against NumPy in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from guarded import call, guarded, targets

from chainrule.compiler.cpu.product import Matrix, Product

TARGETS = targets()
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


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", SMALL + ODD, ids=str)
def test_the_numbers(size: tuple[int, int, int], form: str, name: str) -> None:
    for dtype, at_end in (("float32", True), ("float64", False)):
        left, right = operands(form, size, dtype, at_end=at_end)
        out = guarded(np.full(size[:2], np.nan, dtype), at_end=at_end)
        call(product(left, right, out), [left, right, out], TARGETS[name], at_end=at_end)
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
