"""Convolution kernels: odd geometries, both floats and all targets against float64, bits, and bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.guarded import call, guarded, targets
from tests.compiler.images import PAD1, operands, unblocked

import chainrule as cr
import chainrule.nn.functional as F
from chainrule.compiler.cpu.convolution import Forward, Geometry, InputGradient, WeightGradient

TARGETS = targets()
GEOMETRIES = {
    "lenet": Geometry(17, 1, 28, 28, 6, 5, 5, pads=((2, 2), (2, 2))),
    "lenet 2": Geometry(16, 6, 14, 14, 16, 5, 5),
    "odd": Geometry(3, 2, 5, 7, 3, 3, 3, pads=PAD1),
    "primes": Geometry(4, 13, 4, 5, 17, 3, 3, pads=PAD1),
    "one pad a side": Geometry(1, 3, 9, 8, 5, 3, 2, stride=(2, 1), pads=((0, 1), (1, 0))),
    "stride 2": Geometry(5, 4, 8, 8, 6, 3, 3, stride=(2, 2), pads=PAD1),
    "shortcut": Geometry(17, 4, 8, 8, 6, 1, 1, stride=(2, 2)),
    "gaps": Geometry(1, 2, 6, 6, 2, 2, 2, stride=(4, 4)),
    "depthwise": Geometry(5, 9, 7, 6, 9, 3, 3, pads=PAD1, groups=9),
    "depthwise, wider": Geometry(5, 4, 7, 6, 8, 3, 3, pads=PAD1, groups=4),
    "groups": Geometry(5, 6, 7, 6, 4, 3, 3, stride=(2, 2), pads=PAD1, groups=2),
    "larger than the image": Geometry(2, 2, 3, 3, 2, 5, 5, pads=((2, 2), (3, 2))),
    "taps never met": Geometry(2, 3, 2, 2, 4, 4, 4, pads=PAD1),
    "padding only at the rim": Geometry(2, 2, 4, 4, 3, 1, 1, pads=((2, 2), (2, 2))),
    "dilated": Geometry(2, 3, 11, 13, 2, 3, 3, (3, 2), ((2, 1), (3, 4)), (2, 3)),
    "dilated, stride 2": Geometry(3, 2, 9, 9, 3, 3, 3, (2, 2), ((2, 2), (2, 2)), (2, 2)),
    "1-D": Geometry(2, 2, 1, 100, 7, 1, 9, pads=((0, 0), (4, 4))),
    "1-D, wide window": Geometry(2, 1, 1, 150, 3, 1, 101, pads=((0, 0), (50, 50))),
    "1-D, long steps": Geometry(1, 2, 2, 100, 40, 1, 3, stride=(1, 7)),
    "patches": Geometry(1, 2, 32, 32, 3, 16, 16, stride=(16, 16)),
    "more weights than fit the scratch": Geometry(2, 24, 4, 3, 64, 3, 3, pads=PAD1),
    "several bands of rows": Geometry(2, 2, 40, 32, 3, 3, 2, stride=(1, 2), pads=PAD1),
    "uneven shares of the images": Geometry(100, 2, 6, 5, 3, 3, 3, pads=PAD1),
    "one number": Geometry(1, 1, 1, 1, 1, 1, 1),
    "no image": Geometry(0, 2, 4, 4, 3, 3, 3),
    "no place": Geometry(2, 2, 2, 4, 3, 3, 3),
}
KERNELS = {"forward": Forward, "input": InputGradient, "weights": WeightGradient}


def run(
    g: Geometry, kernel: str, dtype: str, target: str, cuts: tuple[int, ...] = (), *, at_end: bool = True
) -> Any:
    """Run a kernel between protected pages and return what it wrote, added up, and what it should have."""
    arrays, wanted = operands(g, kernel, dtype)
    if kernel == "weights":
        arrays[-1] = np.stack([arrays[-1]] * WeightGradient(g, dtype).images)
    beside = [guarded(each, at_end=at_end) for each in arrays]
    call(KERNELS[kernel](g, dtype), beside, TARGETS[target], cuts, at_end=at_end)
    return beside[-1].sum(axis=0) if kernel == "weights" else np.array(beside[-1]), wanted


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_against_double_precision(name: str, kernel: str) -> None:
    g = GEOMETRIES[name]
    for dtype, bound in (("float32", 1e-5), ("float64", 1e-13)):
        got, wanted = run(g, kernel, dtype, "host")
        if kernel != "weights":
            got = unblocked(got)
            assert not got[g.n :].any()
            got = got[: g.n]
        assert np.abs(got - wanted).max(initial=0) <= bound * np.abs(wanted).max(initial=1)


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "host"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["odd", "one pad a side", "shortcut", "depthwise", "1-D", "dilated"])
def test_other_targets(name: str, kernel: str, target: str) -> None:
    g = GEOMETRIES[name]
    got, wanted = run(g, kernel, "float32", target)
    got = got if kernel == "weights" else unblocked(got)[: g.n]
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_bits_for_any_split(name: str, kernel: str) -> None:
    g = GEOMETRIES[name]
    parts = KERNELS[kernel](g, "float32").parts
    whole, _ = run(g, kernel, "float32", "host")
    for cuts in [
        (parts // 2,),
        (parts // 3, parts // 3, parts - parts // 5),
        tuple(range(1, min(parts, 12))),
    ]:
        cut, _ = run(g, kernel, "float32", "host", cuts, at_end=False)
        assert np.array_equal(whole, cut)


def test_enough_parts_for_four_threads() -> None:
    shapes = [
        Geometry(32, 6, 14, 14, 16, 5, 5),
        Geometry(64, 64, 8, 8, 128, 3, 3, pads=PAD1),
        Geometry(16, 8, 1, 512, 8, 1, 5),
        Geometry(128, 16, 32, 32, 32, 1, 1, stride=(2, 2)),
    ]
    for g in shapes:
        assert all(kernel(g, "float32").parts >= 8 for kernel in KERNELS.values()), g


def test_flops_leave_out_taps_on_padding() -> None:
    plain, padded = Geometry(2, 3, 6, 6, 4, 3, 3), Geometry(2, 3, 4, 4, 4, 3, 3, pads=PAD1)
    assert Forward(plain, "float32").flops == 2 * 2 * 3 * 4 * 9 * 16
    assert Forward(padded, "float32").flops == 2 * 2 * 3 * 4 * (3 * 4 - 2) ** 2


def test_repr_tells_the_kernel() -> None:
    made = Forward(GEOMETRIES["odd"], "float32")
    assert repr(made) != repr(Forward(GEOMETRIES["odd"], "float64"))
    assert eval(repr(made)) == made  # noqa: S307


@pytest.mark.parametrize(("stride", "dilation"), [(3, 2), (2, 3), (5, 3), (4, 2), (1, 2)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_places_between_windows_get_their_own_gradients(size: int, stride: int, dilation: int) -> None:
    x = cr.tensor(np.random.default_rng(5).standard_normal((2, 3, 13)).astype(np.float32), requires_grad=True)
    w = cr.tensor(np.random.default_rng(6).standard_normal((4, 3, size)).astype(np.float32))

    def gradients(of: Callable[[], cr.Tensor]) -> list[np.ndarray]:
        def run() -> cr.Tensor:
            x.grad = None
            (of() ** 2).sum().backward()
            return x.grad * 1  # pyright: ignore

        return [np.array(each().data) for each in (run, cr.compile(run))]

    for of in (
        lambda: F.conv1d(x, w, stride=stride, dilation=dilation),
        lambda: F.max_pool1d(x, size, stride=stride, dilation=dilation),
    ):
        eager, compiled = gradients(of)
        np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtypes", [("float64", "float32"), ("float32", "float64")])
def test_images_and_weights_of_two_dtypes(dtypes: tuple[str, str]) -> None:
    draw = np.random.default_rng(7)
    x, w = (
        cr.tensor(draw.standard_normal(shape).astype(dtype))
        for shape, dtype in zip([(16, 2, 6, 5), (3, 2, 3, 3)], dtypes, strict=True)
    )
    gradients = cr.grad(lambda x, w: (F.conv2d(x, w, padding=1) ** 2).sum(), (0, 1))
    for one, two in zip(cr.compile(gradients)(x, w), gradients(x, w), strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_allclose(one, two, 1e-5, 1e-5)


def stepped(of: Callable[[cr.Tensor, cr.Tensor, cr.Tensor], Any], *, compiled: bool) -> list[np.ndarray]:
    """Return what a function of images, of images that are state and of weights gives at two calls."""
    draw = np.random.default_rng(8)
    images, state = (cr.tensor(draw.standard_normal((9, 2, 6, 5))) for _ in "ab")
    weight = cr.tensor(draw.standard_normal((3, 2, 3, 3)), requires_grad=True)

    def run(x: cr.Tensor) -> Any:
        weight.grad = None
        return of(x, state, weight)

    function = cr.compile(run) if compiled else run
    return [each.numpy() * 1 for _ in "ab" for each in function(images)]


def padded(x: cr.Tensor) -> cr.Tensor:
    return cr.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])


def gradient_before_the_update(x: cr.Tensor, _: cr.Tensor, weight: cr.Tensor) -> Any:
    bordered = padded(cr.tanh(x) * weight.sum())
    (F.conv2d(bordered, weight) ** 2).mean().backward()
    weight.assign(weight - 0.5 * weight.grad)  # pyright: ignore
    return bordered.grad, weight


def images_before_the_change(x: cr.Tensor, state: cr.Tensor, weight: cr.Tensor) -> Any:
    bordered = padded(state)
    state.assign(x + state * 0.5)
    scores = F.conv2d(bordered, weight)
    (scores**2).mean().backward()
    return scores, weight.grad


@pytest.mark.parametrize("of", [gradient_before_the_update, images_before_the_change])
def test_what_a_convolution_looks_through_is_read_as_it_was(of: Any) -> None:
    for one, two in zip(stepped(of, compiled=True), stepped(of, compiled=False), strict=True):
        np.testing.assert_allclose(one, two, 1e-12, 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [16, 37, 64])  # one block, a last one that is not full, whole ones
def test_sums_over_images_are_shared_by_blocks_of_images(count: int, dtype: str) -> None:
    draw = np.random.default_rng(9)
    x, w, b = (draw.standard_normal(shape).astype(dtype) for shape in ((count, 2, 6, 5), (3, 2, 3, 3), (3,)))
    gradients = cr.grad(lambda x, w, b: (cr.tanh(F.conv2d(x, w, b)) ** 2).sum(), (1, 2))
    compiled = cr.compile(gradients)
    for one, two in zip(compiled(x, w, b), gradients(x, w, b), strict=True):
        np.testing.assert_allclose(one, two, *[1e-3 if dtype == "float32" else 1e-11] * 2)
    blocks = -(-count // (16 if dtype == "float32" else 8))
    shown = compiled.source("nests")
    assert (f"add over f0_0 < {blocks}, f0.lane <" in shown) == (blocks > 1)  # of each image's own sums
