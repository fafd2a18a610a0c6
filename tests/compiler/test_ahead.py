"""The rows of the next batch are asked for, all of them, by a product that computes the same as without."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.guarded import call, guarded, targets
from tests.compiler.programs import training

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.ahead import Ahead, meanwhile
from chainrule.compiler.cpu.code import Code
from chainrule.compiler.cpu.product.kernel import Product
from chainrule.compiler.cpu.product.matrix import Matrix
from chainrule.compiler.outline import Known
from chainrule.core.memory import LINE


class Marking(Ahead):
    """Marks what would be asked for."""

    def ask(self, code, *where) -> None:
        def mark(code, pointer, offset, dtype, **_):
            code.store(ir.Constant(ir.IntType(8), 1), pointer, offset, dtype)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Code, "prefetch", mark)
            super().ask(code, *where)


def known(product: Product) -> Known:
    return Known("product", "", product.parts, product.scratch, product.flops, product.bytes, lambda: product)


def plain(rows: int, columns: int) -> Matrix:
    return Matrix(rows, columns, columns, 1)


@pytest.mark.parametrize("rows", [1, 7, 64, 1000])  # of the batch: fewer and more than there are tiles
@pytest.mark.parametrize("target", targets())
def test_every_line_is_asked_for(rows, target):
    m, k, n, width = 60, 90, 70, 5 * LINE + 8
    draw = np.random.default_rng(rows)
    left, right = (draw.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    order = draw.permutation(1200)[:rows]
    product = Product(1, plain(m, k), plain(k, n), plain(m, n), "float32")
    asking = meanwhile(known(product), Ahead(rows, width))
    source = np.zeros(1200 * width + 100 * LINE, np.uint8)
    alone, found = (np.zeros((m, n), np.float32) for _ in range(2))
    call(product, [left, right, alone], targets()[target])
    given = [*map(guarded, (left, right, found, np.zeros(1200 * width, np.uint8), order))]
    call(asking, given, targets()[target], cuts=[17, 100])  # what is asked for is not touched
    np.testing.assert_array_equal(given[2], alone)
    assert not given[3].any()

    marking = meanwhile(known(product), Marking(rows, width))
    call(marking, [left, right, found, source, order], targets()[target], cuts=[17, 100])
    rows_marked = source[: 1200 * width].reshape(1200, width)[:, ::LINE]
    assert rows_marked[order].all()
    others = np.delete(rows_marked[:, 3], order)  # behind the end of a row some more may be asked for
    assert not others.any()


def test_an_epoch_asks_ahead_and_computes_as_its_steps():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((300, 700)).astype(np.float32), draw.integers(0, 10, 300)

    def made():
        cr.random.seed(0)
        net = nn.Sequential(nn.Linear(700, 50), nn.ReLU(), nn.Linear(50, 10))
        return cr.compile(training(net, optim.SGD(net.parameters(), lr=0.1)))

    whole, single = made(), made()
    losses = whole.epoch(x, y, 32, shuffle=False)
    each = [single(x[i : i + 32], y[i : i + 32]).item() for i in range(0, 300, 32)]
    np.testing.assert_array_equal(losses, np.array(each))
    kernels = [call.kernel for call in next(iter(whole._plans.values()))[0].step.looped.schedule.calls]
    assert sum("Ahead(" in repr(each) for each in kernels) == 1
