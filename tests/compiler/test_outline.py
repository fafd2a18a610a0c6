"""What is kept of a program beside its code: found again, complete, and only where it fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler import step as steps
from chainrule.compiler.identity import identity
from chainrule.compiler.outline import Outline
from chainrule.core.families.movement import Movement
from chainrule.core.stream import Stream
from chainrule.nn import functional as F
from chainrule.ops.random import drawn

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
Y = np.array([0, 1, 1])
BIG = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def training(seed: int = 3, lr: float = 0.1):
    """Return a compiled training step that has all there is: draws, labels, settings, constants."""
    cr.random.seed(seed)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.3), nn.Linear(5, 2))
    rule = optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    @cr.compile
    def step(x, y):
        rule.zero_grad()
        loss = F.cross_entropy(model(x + BIG[0]), y)
        loss.backward()
        rule.step()
        return loss

    return step


def text_of(f, *args) -> str | None:
    compiled = cr.compile(f)
    compiled(*(args or (X,)))
    step = compiled._latest.step
    return identity(step.program, step.outside)


def refuse(*_):
    raise AssertionError("lowered again")


def test_a_program_in_the_cache_is_not_lowered_again(monkeypatch):
    first = training()
    losses = [first(X, Y).item() for _ in range(4)]
    nests = first.source("nests")
    epoch = first.epoch(X, Y, 1, shuffle=False).tolist()
    with monkeypatch.context() as patched:
        patched.setattr(steps, "Lowering", refuse)
        second = training()
        assert [second(X, Y).item() for _ in range(4)] == losses
        assert second.epoch(X, Y, 1, shuffle=False).tolist() == epoch
    assert second.traces == 2
    assert training(lr=0.2)(X, Y).item() == losses[0]
    second = training()
    second(X, Y)
    assert second.source("nests") == nests
    with pytest.raises(cr.errors.IndexRangeError):
        second(X, np.array([0, 1, 2]))


def test_code_that_is_gone_is_made_again(folder):
    first = training()
    losses = [first(X, Y).item() for _ in range(3)]
    step = first._latest.step
    del first
    assert step._outlined().calls == step._calls
    for path in folder.iterdir():
        if b"kernels" not in path.read_bytes():
            path.unlink()
    del step
    second = training()
    assert [second(X, Y).item() for _ in range(3)] == losses


def test_an_outline_as_bytes_is_the_same():
    step = training()
    step(X, Y)
    made = step._latest.step
    outline = Outline(made._calls, made.block_bytes, made._reports, made._checks)
    read = Outline.from_bytes(outline.to_bytes(), made._kernel_of)
    assert read == outline
    assert [call.kernel.write() for call in read.calls] == [each[0] for each in made.work]
    assert outline.flags


ONE, TWO, OUTSIDE = Stream(1), Stream(2), cr.tensor(BIG)
APART = {
    "numbers": (lambda x: x * 2.0, lambda x: x * 3.0, lambda x: x * 2),
    "operands": (lambda x: x - x.T.T * 2, lambda x: x.T.T * 2 - x),
    "ops": (cr.exp, cr.tanh),
    "static": (F.gelu, lambda x: F.gelu(x, approximate="tanh")),
    "floats": (lambda x: F.leaky_relu(x, 0.1), lambda x: F.leaky_relu(x, 0.2)),
    "axes": (lambda x: x.sum(axis=0), lambda x: x.sum(axis=1), lambda x: x.max(axis=0)),
    "contractions": (lambda x: cr.einsum("ij,kj->ik", x, x), lambda x: cr.einsum("ij,kj->ki", x, x)),
    "movements": (lambda x: x[1:] * 1, lambda x: x[:-1] * 1, lambda x: x[::2] * 1, lambda x: x[[0, 2]]),
    "known places": (lambda x: x[np.arange(3)], lambda x: x[np.array([1, 0, 2])], lambda x: x[np.arange(3)[::-1]]),
    "fills": (lambda x: cr.pad(x, 1), lambda x: cr.pad(x, 1, constant_values=2.0)),
    "results": (lambda x: (x + 1, x * 3), lambda x: (x * 3, x + 1)),
    "small constants": (lambda x: x + np.float32([[2]]), lambda x: x + np.float32([[3]])),
    "kinds": (lambda x: x + BIG, lambda x: x + BIG[0], lambda x: x + OUTSIDE),
    "draws": (
        lambda x: drawn(shape=(2,), stream=ONE) + drawn(shape=(2,), stream=TWO),
        lambda x: drawn(shape=(2,), stream=ONE) + drawn(shape=(2,), stream=ONE),
        lambda x: drawn(shape=(2,)) + drawn(shape=(2,), stream=ONE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_programs_that_are_lowered_apart_have_texts_apart(name):
    found = [text_of(f) for f in APART[name]]
    assert None not in found
    assert len(set(found)) == len(found)


def test_shapes_dtypes_and_arguments_are_told_apart():
    given = [(X,), (X[:2],), (X.T.copy(),), (X.astype(np.float64),), (X, X), (X[:, :1],)]
    found = [text_of(lambda *args: args[0] + 1, *args) for args in given]
    assert len(set(found)) == len(given)


def test_what_lowering_does_not_see_makes_no_difference():
    other = BIG + 1
    assert text_of(lambda x: x + BIG) == text_of(lambda y: y + other)
    one, two = training(), training(4, lr=0.3)
    for each in (one, two):
        each(X, Y)
    texts = [identity(each._latest.step.program, each._latest.step.outside) for each in (one, two)]
    assert texts[0] == texts[1] is not None


def test_a_number_that_is_read_anew_is_not_one_that_stays():
    rates = optim.SGD([cr.tensor(X, requires_grad=True)], lr=0.5).param_groups[0]
    from_group = text_of(lambda x: F.leaky_relu(x, cr.core.watched.Watched(rates, "lr")))
    assert from_group != text_of(lambda x: F.leaky_relu(x, 0.5))


def test_movements_from_elsewhere_have_no_text():
    def turned(x, *, by=1):
        rows, columns = x.grid(2)
        return x.at([columns, rows], (x.shape[1], x.shape[0]))

    turned.__module__ = "elsewhere"
    op = Movement(turned)
    assert text_of(lambda x: op(x) + 1) is None
    assert cr.compile(lambda x: op(x) + 1)(X).tolist() == (X.T + 1).tolist()


@pytest.mark.parametrize("wrong", [7, -7])
def test_known_places_are_looked_at_where_a_like_program_is_in_the_cache(wrong):
    x = cr.tensor(np.arange(6, dtype=np.float32), requires_grad=True)
    place = np.array([0, 5, 2])
    gradient = cr.grad(lambda x: (x[place] ** 2).sum())
    assert cr.compile(gradient)(x.data).tolist() == [0, 0, 4, 0, 0, 10]
    place = np.array([0, wrong, 2])
    with pytest.raises(cr.errors.IndexRangeError, match="out of bounds for an axis of size 6"):
        cr.compile(gradient)(x.data)
