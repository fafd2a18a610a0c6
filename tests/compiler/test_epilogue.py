"""What a product's numbers are used for where they are finished: the same as eager, and only where that is safe."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler import programs
from tests.compiler.guarded import run_guarded, targets

import chainrule as cr
from chainrule import nn, optim
from chainrule.core import threads as threads_asked
from chainrule.nn import functional as F

SIZES = [(1, 7, 18), (2, 3, 2), (5, 4, 9), (33, 50, 17), (64, 100, 131)]  # batch, inputs, outputs


def data(batch: int, inputs: int, outputs: int) -> list[np.ndarray]:
    draw = np.random.default_rng([batch, inputs, outputs])
    return [draw.standard_normal(shape).astype(np.float32) for shape in ((batch, inputs), (batch, outputs))]


def training(inputs: int, outputs: int, dtype: str = "float32"):
    """Return a network and a step in which products have biases, activations and updates to finish with."""
    cr.random.seed(0)
    net = nn.Sequential(nn.Linear(inputs, 20, dtype=dtype), nn.Tanh(), nn.Linear(20, outputs, dtype=dtype))
    rule = optim.Adam(net.parameters(), lr=0.01)
    return net, programs.training(net, rule, lambda found, y: F.mse_loss(F.relu(found), y))


def finishes(compiled) -> list[str]:
    """Return the products that do more than store their result."""
    work = compiled._latest.step.work
    return [str(k) for k, *_ in work if k.name == "product" and k.finish is not None]


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_training_as_eager_on_every_target(size, target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAINRULE_TARGET", "" if target == "host" else target)
    inputs, outputs = size[1:]
    arrays = data(*size)
    for dtype, precision in (("float32", 2e-4), ("float64", 1e-9)):
        given = [each.astype(dtype) for each in arrays]
        (eager, plain), (net, step) = (training(inputs, outputs, dtype) for _ in range(2))
        compiled = cr.compile(step)
        for _ in range(4):
            np.testing.assert_allclose(compiled(*given).data, plain(*given).data, rtol=precision)
        for one, two in zip(net.parameters(), eager.parameters(), strict=True):
            np.testing.assert_allclose(one.data, two.data, rtol=precision, atol=precision)
            np.testing.assert_allclose(one.grad.data, two.grad.data, rtol=10 * precision, atol=precision)
    assert len(finishes(compiled)) >= 4
    for at_end in (True, False):
        run_guarded(compiled._latest.step, at_end=at_end)


def test_the_same_bits_for_one_thread_and_two(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads_asked, "_asked", None)
    found = []
    for threads in (1, 2):
        cr.set_num_threads(threads)
        net, step = training(300, 257)
        compiled, arrays = cr.compile(step), data(128, 300, 257)
        losses = [compiled(*arrays).data.tobytes() for _ in range(3)]
        assert threads == 1 or 2 in compiled._latest.step.native._choices  # the team was tried
        found.append((losses, [each.data.tobytes() for each in net.parameters()]))
    assert found[0] == found[1]


def test_an_operand_is_not_changed_while_others_read_it():
    w, x = nn.Parameter(np.eye(40, dtype=np.float32) / 2), data(40, 40, 1)[0]

    @cr.compile
    def step(x):
        with cr.no_grad():
            w.assign(x @ w - w)  # the product reads the whole of w for each of its numbers
        return w + 0

    expected = x @ w.data - w.data
    np.testing.assert_allclose(step(x).data, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "use",
    [
        lambda p: (p, p.T + 1.0),
        lambda p: (p - p.mean(axis=1, keepdims=True), p * 2.0),
        lambda p: (p[::-1] + p,),
    ],
    ids=["turned", "folded", "backwards"],
)
def test_results_that_are_also_read_elsewhere(use):
    x, y = data(24, 30, 24)
    y = data(30, 24, 1)[0]
    found = cr.compile(lambda a, b: use(a @ b))(x, y)
    for one, two in zip(found, use(cr.tensor(x @ y)), strict=True):
        np.testing.assert_allclose(one.data, two.data, rtol=1e-4, atol=1e-4)


def test_what_only_its_own_finish_reads_is_not_stored():
    x, y = data(24, 30, 1)[0], data(30, 28, 1)[0]
    compiled = cr.compile(lambda a, b: cr.tanh(a @ b) * 2.0)
    compiled(x, y)
    ((_, buffers, writes),) = compiled._latest.step.work
    assert [buffers[place].role for place in writes] == ["result"]
    assert compiled._latest.step.block_bytes == 0


def test_long_sums_finish_once():
    x, y = data(40, 9000, 1)[0], data(9000, 24, 1)[0]
    found = cr.compile(lambda a, b: (a @ b) * 3.0 + 1.0)(x, y)
    np.testing.assert_allclose(found.data, x @ y * 3 + 1, rtol=1e-3, atol=2e-3)
